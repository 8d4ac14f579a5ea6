"""Where on the body a recording was worn: its name, and several of them in one data set."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.core.names import check_name
from pipeline.data.recording import Recording

AND = " and "


def check_placement(text: str) -> str:
    """The placement that ``text`` names, in lower case; "" for unknown. InputError for what can be
    no name, and for two placements in one."""
    name = " ".join(unicodedata.normalize("NFC", text.lower()).split())
    if not name:
        return ""
    check_name(name, what="placement")
    if AND in name:
        raise InputError(f"{name!r} are several placements: a recording has one")
    return name


def join_placements(names: Iterable[str]) -> str:
    """Those that are known, each once: ``waist and torso``."""
    return AND.join(dict.fromkeys(name for each in names for name in split_placements(each)))


def split_placements(text: str) -> tuple[str, ...]:
    """What `join_placements` joined."""
    return tuple(filter(None, text.split(AND)))


def worn_elsewhere(
    path: Path, recordings: Sequence[Recording], name: str, placement: str
) -> str | None:
    """Which of the ``recordings`` at ``path`` were worn elsewhere than what is called ``name``,
    whose ``placement`` may be several; None where nothing says so."""
    known = split_placements(placement)
    others = {
        each.source: each.placement
        for each in recordings
        if known and each.placement and each.placement not in known
    }
    if not others:
        return None
    source, worn = next(iter(others.items()))
    place = f"{_place(path, source)}{f' and {len(others) - 1} more' if len(others) > 1 else ''}"
    if not path.exists() and len(others) == len({each.source for each in recordings}):
        place = str(path)  # all of an import
    return f"{place}: worn at the {worn}, but {name} is of the {placement}"


def _place(path: Path, source: str) -> str:
    """What messages call a file at ``path``: a folder, a zip, a file or an import's name."""
    if (path / source).exists():
        return str(path / source)
    return str(path) if path.name == source or path.is_dir() else f"{path}, {source}"

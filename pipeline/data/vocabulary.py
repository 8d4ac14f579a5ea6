"""One word for one activity, whatever a data set calls it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

from pipeline.core.errors import InputError

# The common activities, in the order in which every data set lists them.
VOCABULARY = (
    "walking",
    "upstairs",
    "downstairs",
    "sitting",
    "standing",
    "lying",
    "resting",
    "running",
    "jogging",
    "cycling",
    "nordic-walking",
    "rope-jumping",
    "ironing",
    "vacuum-cleaning",
    "rowing",
    "jumping",
    "stepper",
    "cross-trainer",
    "basketball",
)
# The ways between postures: labelled, and no class to learn.
TRANSITIONS = (
    "stand-to-sit",
    "sit-to-stand",
    "sit-to-lie",
    "lie-to-sit",
    "stand-to-lie",
    "lie-to-stand",
)
# What people and data sets write for a common word.
SYNONYMS: Mapping[str, str] = {
    "walk": "walking",
    "walking-upstairs": "upstairs",
    "walk-upstairs": "upstairs",
    "ascending-stairs": "upstairs",
    "stairs-up": "upstairs",
    "walking-downstairs": "downstairs",
    "walk-downstairs": "downstairs",
    "descending-stairs": "downstairs",
    "stairs-down": "downstairs",
    "sit": "sitting",
    "stand": "standing",
    "laying": "lying",
    "lying-down": "lying",
    "run": "running",
    "jog": "jogging",
}
MAX_NAME_LENGTH = 64


def canonical(label: str) -> str:
    """The common word for a published data set's own one; a label without one stays as it is."""
    plain = _plain(label)
    word = SYNONYMS.get(plain, plain)
    return word if word in VOCABULARY or word in TRANSITIONS else label.strip()


def refuse_twins(
    names: Iterable[str], where: str, what: str, known: Iterable[str] = (), remedy: str = ""
) -> None:
    """Refuses two ``names`` (or one of them and one that is ``known``) that differ in spelling
    alone: each would be a class, or a person, of its own.

    Raises:
        InputError: with both names; ``remedy`` says what to do, by default to write one of them.
    """
    spelled = dict.fromkeys(known)
    meaning = {_meaning(name, what): name for name in spelled}
    for name in dict.fromkeys(names):
        other = meaning.setdefault(_meaning(name, what), name)
        if other != name and name not in spelled:
            raise InputError(
                f"{where}: {what} {name!r} and {other!r} are one by all but their spelling; "
                + (remedy or "write one of them everywhere")
            )


def _meaning(name: str, what: str) -> str:
    plain = _plain(unicodedata.normalize("NFKC", name).casefold())
    return SYNONYMS.get(plain, plain) if what == "activity" else plain


def _plain(label: str) -> str:
    return re.sub(r"[\s_-]+", "-", label.strip().lower())


def parse_label_map(text: str) -> dict[str, str]:
    """``old=new,other=`` as a dictionary; an empty new name makes a label unlabelled.

    Raises:
        InputError: a part without =, a name twice, or an impossible name.
    """
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        old, equals, new = (piece.strip() for piece in part.partition("="))
        if not equals or not old or old in found:
            raise InputError(f"--label-map: {part!r}; write OLD=NEW,... with each OLD once")
        if len(new) > MAX_NAME_LENGTH or not new.isprintable():
            raise InputError(
                f"--label-map: a name has up to {MAX_NAME_LENGTH} printable characters"
            )
        found[old] = new
    return found


def label_map(
    labels: Iterable[str],
    override: Mapping[str, str],
    words: Callable[[str], str] = lambda label: label,
) -> dict[str, str]:
    """Every label -> what it is called from here on ("" for none): as ``override`` says, which may
    name it as the data set does or by its common word, else as ``words``, the importer's own, does.

    Raises:
        InputError: ``override`` names a label that is not there.
    """
    own = list(dict.fromkeys(labels))
    strangers = [old for old in override if old not in own and old not in map(words, own)]
    if strangers:
        raise InputError(
            f"--label-map: no label {', '.join(map(repr, strangers))} here; there are: "
            f"{', '.join(own)}"
        )
    return {label: override.get(label, override.get(words(label), words(label))) for label in own}


def in_order(activities: Iterable[str]) -> tuple[str, ...]:
    """The classes to learn: common words in their fixed order, then others as they come."""
    there = dict.fromkeys(activities)
    common = tuple(word for word in VOCABULARY if word in there)
    return common + tuple(word for word in there if word not in (*VOCABULARY, *TRANSITIONS))

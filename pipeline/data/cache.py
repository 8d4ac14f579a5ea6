"""Where fetched files live, and recordings as one .npz without pickles.

Format version 1 of the .npz: ``sha256`` of the archive, ``samples`` float32 (all samples, 6),
``lengths`` int64 (R,), ``rates`` float64 (R,), ``names`` str (R, 3) as subject, session, source,
``segments`` int64 (S, 4) as recording, start, stop, activity, ``activities`` str (A,);
``placements`` str (R,), which older files lack; ``about`` str, one JSON object, for what was
imported.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core import files
from pipeline.core.errors import InputError
from pipeline.core.files import read_npz, write_npz
from pipeline.data.recording import Recording, Segment

FORMAT_VERSION = 1


def cache_directory() -> Path:
    """The environment's HAR_CACHE, else data/cache of this repository."""
    chosen = os.environ.get("HAR_CACHE", "").strip()
    return Path(chosen).expanduser() if chosen else Path(__file__).parents[2] / "data" / "cache"


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Creates the directory and lets one process at a time work in it, where locks exist.

    Raises:
        ExternalError: the directory cannot be written, or the disk is full.
    """
    remedy = "free some space or set HAR_CACHE to a directory you may write"
    with files.locked(directory / "cache", remedy), files.disk_errors(directory, remedy):
        yield


def save_recordings(
    path: Path,
    recordings: Sequence[Recording],
    sha256: str,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Writes atomically: the file is the old one or the new one, never half of it."""
    activities = sorted({s.activity for recording in recordings for s in recording.segments})
    arrays: dict[str, Any] = {
        "format_version": np.array(FORMAT_VERSION),
        "sha256": np.array(sha256),
        "samples": np.concatenate([recording.samples for recording in recordings]),
        "lengths": np.array([len(recording.samples) for recording in recordings], np.int64),
        "rates": np.array([recording.rate_hz for recording in recordings], np.float64),
        "names": np.array([(r.subject, r.session, r.source) for r in recordings], np.str_),
        "placements": np.array([r.placement for r in recordings], np.str_),
        "segments": np.array(
            [
                (number, segment.start, segment.stop, activities.index(segment.activity))
                for number, recording in enumerate(recordings)
                for segment in recording.segments
            ],
            np.int64,
        ).reshape(-1, 4),
        "activities": np.array(activities, np.str_),
        "about": np.array(json.dumps(about or {})),
    }
    write_npz(path, arrays)


def load_recordings(path: Path, sha256: str, placement: str = "") -> tuple[Recording, ...]:
    """Reads what ``save_recordings`` wrote for the archive with this hash. ``placement`` is that of
    all recordings in a file of an older version.

    Raises:
        InputError: damaged, of another format version, or made from another archive.
        FileNotFoundError: no such file.
    """
    arrays = read_npz(path)
    try:
        if int(arrays["format_version"]) != FORMAT_VERSION or str(arrays["sha256"]) != sha256:
            raise InputError(f"{path}: made by another version or from another archive; delete it")
        return _unpack(arrays, placement)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); delete it and load again") from error


def load_about(path: Path) -> dict[str, Any]:
    """What ``save_recordings`` stored about the recordings, which are not read themselves.

    Raises:
        InputError: damaged, or of another format version.
        FileNotFoundError: no such file.
    """
    stored = read_npz(path, "format_version", "about")
    try:
        if int(stored["format_version"]) != FORMAT_VERSION:
            raise InputError(f"{path}: made by another version; delete it and import again")
        about = json.loads(str(stored["about"]))
        if not isinstance(about, dict):
            raise ValueError("no JSON object about it")
        return about
    except (ArithmeticError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); delete it and import again") from error


def _unpack(arrays: dict[str, Any], placement: str) -> tuple[Recording, ...]:
    stops = np.cumsum(arrays["lengths"])
    if (arrays["lengths"] < 0).any() or not len(stops) or stops[-1] != len(arrays["samples"]):
        raise ValueError("lengths do not add up")
    placements = arrays.get("placements", np.full(len(stops), placement))
    segments: list[list[Segment]] = [[] for _ in stops]
    for number, start, stop, activity in arrays["segments"].tolist():
        segments[number].append(Segment(start, stop, str(arrays["activities"][activity])))
    return tuple(
        Recording(
            samples=arrays["samples"][stop - length : stop],
            rate_hz=float(rate),
            subject=str(subject),
            session=str(session),
            source=str(source),
            segments=tuple(parts),
            placement=str(worn),
        )
        for length, stop, rate, (subject, session, source), parts, worn in zip(
            arrays["lengths"],
            stops,
            arrays["rates"],
            arrays["names"],
            segments,
            placements,
            strict=True,
        )
    )

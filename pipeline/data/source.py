"""What is known in advance about a data set that can be fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.recording import Recording

# HAPT's raw signals and UCI HAR's windows were recorded from the same thirty.
UCI_PEOPLE = "the thirty people of UCI HAR and HAPT"


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """One file of one version of a package, which is never installed or imported: the file is only
    a container."""

    package: str
    version: str
    file: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Source(Pinned):
    """A pinned file that holds recordings, and how to read it.

    ``read`` takes the path of the verified file and raises InputError if it is not as expected.
    """

    name: str
    title: str
    rate_hz: float
    activities: tuple[str, ...]
    terms: str
    citation: str
    read: Callable[[Path], tuple[Recording, ...]]
    people: str = ""
    placement: str = ""

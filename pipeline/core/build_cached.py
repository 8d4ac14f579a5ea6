"""A file that several processes need and one of them makes."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.core.errors import ExternalError


def made_once(path: Path, make: Callable[[Path], None]) -> Path:
    """``path``, which ``make`` has written if it was not there.

    ``make`` writes a file or a folder where it is told to, beside ``path``; this is renamed when it
    is whole. Other processes of this machine that want the same ``path`` wait meanwhile; if the
    maker raises or dies, the next one makes it. Where the system has no file locks, two may make
    it, and the first stays. Raises what ``make`` raises, and ExternalError where nothing can be
    written.
    """
    if path.exists():
        return path
    with _locked(path):
        if path.exists():
            return path
        part = path.with_name(f".{path.name}.part")
        try:
            _remove(part)  # a maker that died left it: it held the lock that is ours now
            make(part)
            _rename(part, path)
        except BaseException:
            _remove(part)
            raise
    return path


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f".{path.name}.lock").open("a")
    except OSError as error:
        raise ExternalError(
            f"{path.parent}: {error.strerror or error}; free some space or name another folder"
        ) from None
    with file:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _rename(part: Path, path: Path) -> None:
    if part.is_file():
        with part.open("rb") as file:
            os.fsync(file.fileno())
    part.rename(path)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)

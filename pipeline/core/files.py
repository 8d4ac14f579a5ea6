"""Files and folders that are there whole or not at all, also after a crash.

All of it is written aside in the same folder (``.NAME.part``), brought to the disk and renamed, by
one process at a time. What an interrupted run left aside is removed, with one line, by the next one
that writes the same name.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pipeline.core.errors import ExternalError, InputError
from pipeline.core.types import Array

_LOG = logging.getLogger(__name__)
_PATIENCE_S = 2.0  # for a lock, before the wait is worth a line
_DISK_ERRORS = {
    errno.ENOSPC: "free some space and run it again",
    errno.EDQUOT: "free some space and run it again",
    errno.EFBIG: "name a folder on another disk",
    errno.EIO: "check the disk, or name another folder",
    errno.EROFS: "name a folder that you may write",
}
_OTHER_ERRORS = {
    errno.EACCES: "name a folder that you may write",
    errno.EPERM: "name a folder that you may write",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file: text as UTF-8 with ``\\n``, bytes as they are.

    Raises:
        ExternalError: the disk is full, or nothing may be written there; nothing is left behind.
    """
    with written_aside(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts by file name into ``folder``, which is made; each whole or not at all. Raises as
    `write_whole`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_whole(folder / name, text)


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays as an .npz without pickles; equal arrays give equal bytes. Raises as
    `write_whole`."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(path, buffer.getvalue())


def read_npz(path: Path, *names: str) -> dict[str, Array]:
    """Read an .npz without pickles: all of its arrays, or those of ``names``.

    Raises:
        FileNotFoundError: no such file.
        InputError: damaged, or without one of ``names``.
    """
    import numpy as np

    try:
        # Opened here: NumPy leaves a file open that it cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in names or archive.files}
    except FileNotFoundError:
        raise
    except Exception as error:  # NumPy raises almost anything for damage, MemoryError included
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: damaged ({reason[:200]}); make it again") from None


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield the path of a scratch file or folder, yet to be made, that takes the place of ``path``
    at the end of the block. An exception in the block removes it.

    Other processes that write ``path`` wait meanwhile. A symbolic link is followed; a folder that
    is missing on the way is made.

    Raises:
        ExternalError: as `write_whole`.
    """
    path = _named(path)
    with locked(path), _scratch(path) as part:
        yield part


def build_cached(path: Path, make: Callable[[Path], None]) -> Path:
    """Return ``path``, which ``make`` has written if it was not there.

    ``make`` writes a file or a folder at the path that it is given. Other processes of this machine
    that want the same ``path`` wait meanwhile; if the maker raises or dies, the next one makes it.
    Raises what ``make`` raises, and `ExternalError` as `write_whole`.
    """
    if not path.exists():
        with locked(path):
            if not path.exists():
                with _scratch(path) as part:
                    make(part)
    return path


def restore(path: Path) -> None:
    """Bring back the folder that a run was about to replace when it was killed, if one was."""
    path = _named(path)
    if not path.exists() and _old(path).exists():
        with locked(path):
            _restore(path)


@contextlib.contextmanager
def locked(path: Path, remedy: str = "") -> Iterator[None]:
    """Let one process at a time work on ``path``, where the system has file locks; the others wait
    and say so. ``remedy``: as `disk_errors`. Who holds the lock must not ask for it again.

    Raises:
        ExternalError: as `write_whole`.
    """
    lock = path.with_name(f".{path.name}.lock")
    with disk_errors(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _acquired(lock, path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock.unlink()  # whoever waits for it sees that it has gone, and takes a new one
        file.close()


@contextlib.contextmanager
def disk_errors(path: Path, remedy: str = "") -> Iterator[None]:
    """Turn what the disk says while ``path`` is written into one line with its name and what to do
    (``remedy``, or what suits the error).

    Raises:
        ExternalError: for an `OSError` about ``path``, its folders, or a write.
    """
    try:
        yield
    except OSError as error:
        where = str(error.filename) if error.filename else ""
        inside = f"{path}{os.sep}", str(path.with_name(f".{path.name}."))
        ours = where == str(path) or where.startswith(inside)
        above = where in map(str, path.parents)
        if not ours and not above and (where or error.errno not in _DISK_ERRORS):
            raise
        usual = (_DISK_ERRORS | _OTHER_ERRORS).get(error.errno or 0, "name another folder")
        name = where if above else path
        raise ExternalError(f"{name}: {error.strerror or error}; {remedy or usual}") from None


@contextlib.contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """As `written_aside`, for whoever holds the lock."""
    part = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        _restore(path)
        if _remove(part):  # nobody else is writing: the lock is ours
            _LOG.warning("%s: removed %s, which an interrupted run left", path, part.name)
        try:
            yield part
            _synced(part)
            _replace(part, path)
            _sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                _remove(part)
            raise


def _replace(part: Path, path: Path) -> None:
    if not (part.is_dir() and path.is_dir()):
        part.replace(path)
        return
    old = _old(path)
    path.rename(old)
    try:
        part.rename(path)
    except OSError:
        old.rename(path)
        raise
    _remove(old)


def _restore(path: Path) -> None:
    """What is left of a replacement that was cut short: the old folder, if the new one has not
    come, else nothing."""
    old = _old(path)
    if not old.exists():
        return
    if path.exists():
        _remove(old)
    else:
        old.rename(path)
        _LOG.warning("%s: restored; an interrupted run was about to replace it", path)


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _named(path: Path) -> Path:
    """The path with a last part that can be renamed; a link leads to what it names."""
    return path.resolve() if path.is_symlink() or path.name in ("", "..") else path


def _acquired(lock: Path, path: Path) -> IO[str]:
    """The lock file, open and locked."""
    while True:
        file = lock.open("a")
        try:
            if not _soon_locked(file):
                import fcntl

                _LOG.warning("%s: another run is writing it; waiting for it to end", path)
                fcntl.flock(file, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(lock.stat(), os.fstat(file.fileno())):
                    return file
        except BaseException:
            file.close()
            raise
        file.close()  # its holder removed it; the name may be another file's by now


def _soon_locked(file: IO[Any]) -> bool:
    """As `try_lock`, but give whoever has it a moment: a short wait is not worth a line."""
    patience = time.monotonic() + _PATIENCE_S
    while not try_lock(file):
        if time.monotonic() > patience:
            return False
        time.sleep(0.05)
    return True


def try_lock(file: IO[Any]) -> bool:
    """Lock an open file until it is closed. False where another process has it; True also where the
    system has no locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        pass
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _synced(part: Path) -> None:
    for each in [part, *part.rglob("*")] if part.is_dir() else [part]:
        if each.is_file():
            with each.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _sync_folder(each)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system can
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: Path) -> bool:
    """Whether there was something to remove, file or folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
        return True
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True

"""Reads one member straight out of an archive: nothing is extracted to disk, nothing is run."""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from pathlib import Path
from typing import IO

from pipeline.core.errors import InputError

_AGAIN = "delete the file and fetch again"
# What a zip that is damaged, cut short or protected raises.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_bounded(stream: IO[bytes] | gzip.GzipFile, limit: int, where: str) -> bytes:
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise InputError(f"{where}: longer than {limit} bytes; it is not the pinned file: {_AGAIN}")
    return data


def read_tar_member(path: Path, member: str, limit: int) -> bytes:
    """The bytes of a regular file inside a .tar.gz, at most ``limit`` of them.

    Raises:
        InputError: not a readable archive, no such member, no regular file, or longer.
    """
    import tarfile

    where = f"{path}, member {member}"
    try:
        with tarfile.open(path, "r:gz") as archive:
            for info in archive:
                if info.name != member:
                    continue
                stream = archive.extractfile(info) if info.isreg() else None
                if stream is None:
                    raise InputError(f"{where}: not a regular file; {_AGAIN}")
                return _read_bounded(stream, limit, where)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        _reraise_missing(error)
        raise InputError(f"{where}: the archive cannot be read ({error}); {_AGAIN}") from error
    raise InputError(f"{where}: the archive has no such member; {_AGAIN}")


def read_zip_member(path: Path, member: str, limit: int) -> bytes:
    """The bytes of a member of a zip or wheel, at most ``limit`` of them; its CRC is checked.

    Raises:
        InputError: not a readable archive, no such member, or longer.
    """
    where = f"{path}, member {member}"
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            return _read_bounded(stream, limit, where)
    except KeyError:
        raise InputError(f"{where}: the archive has no such member; {_AGAIN}") from None
    except ZIP_ERRORS as error:
        _reraise_missing(error)
        raise InputError(f"{where}: the archive cannot be read ({error}); {_AGAIN}") from error


def gunzip(data: bytes, limit: int, where: str) -> bytes:
    """Decompresses gzip, at most ``limit`` bytes; InputError if it is cut, damaged or longer."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            return _read_bounded(stream, limit, where)
    except (EOFError, zlib.error, OSError) as error:
        raise InputError(f"{where}: the gzip data is damaged ({error}); {_AGAIN}") from error


def _reraise_missing(error: Exception) -> None:
    """A file that is absent or unreadable is the world's failure, not the archive's."""
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        raise error

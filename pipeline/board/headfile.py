"""A learned head as a file: one record of docs/STORAGE.md, which checks itself."""

from __future__ import annotations

from pathlib import Path

from pipeline.core.errors import CheckFailed, InputError
from pipeline.core.files import write_whole
from pipeline.head import unpack
from pipeline.head.records import (
    FORMAT_VERSION,
    RECORD_OVERHEAD_BYTES,
    Record,
    RecordKind,
    build_record,
    format_of,
    parse_record,
)

SIZE_MAX_BYTES = 1 << 20  # far above what any board stores


def write_head(path: Path, payload: bytes, *, model_id: bytes, sequence: int) -> None:
    """Writes the payload that `Client.pull` gave; `sequence` is the board's, at least 1 here.

    The file is there whole or not at all; a link is followed. Raises `InputError` for a payload
    that is no head, and for a path that is taken by something else than a file.
    """
    unpack(payload)
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a file: name one that can be written")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; make it first")
    record = build_record(
        model_id=model_id,
        sequence=max(1, sequence),
        kind=RecordKind.LEARNED,
        payload=payload,
    )
    write_whole(path, record)


def read_head(path: Path, *, model_id: bytes | None = None) -> Record:
    """Reads a file of `write_head` and checks all of it.

    Raises `InputError` for a file that is no head file, cut off or changed, or that holds values
    which no board takes, and `CheckFailed` for a head of another model than `model_id`.
    """
    if not path.is_file():
        raise InputError(f"no file {path}: give one that `har head pull` wrote")
    size = path.stat().st_size
    data = path.read_bytes() if size <= SIZE_MAX_BYTES else b""
    found = format_of(data)
    if found is not None and 1 <= found < FORMAT_VERSION:
        raise InputError(
            f"{path} has format {found}, made by an older har; this one reads {FORMAT_VERSION}: "
            "label again"
        )
    record = parse_record(data)
    if (
        record is None
        or size != len(record.payload) + RECORD_OVERHEAD_BYTES
        or record.kind != RecordKind.LEARNED
    ):
        raise InputError(f"{path} is not a head, or truncated or damaged: pull it again")
    try:
        unpack(record.payload)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if model_id is not None and record.model_id != model_id:
        raise CheckFailed(
            f"{path} belongs to model {record.model_id.hex()}, the board runs {model_id.hex()}: "
            "flash that model, or push a head of this one"
        )
    return record

"""Records in flash, as docs/STORAGE.md has them: the Python twin of har_store.c.

What a record carries is `pipeline.head.payload`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

PAGE_BYTES = 4096
MODEL_ID_BYTES = 8
FORMAT_VERSION = 2
RECORD_OVERHEAD_BYTES = 32

_MAGIC = b"HARH"
_HEADER = struct.Struct("<4sHBB8sII")  # without its CRC
_HEADER_BYTES = _HEADER.size + 4
_CRC = struct.Struct("<I")
_SEQUENCE_MAX = 0xFFFFFFFF


class RecordKind(IntEnum):
    FACTORY = 0
    LEARNED = 1


@dataclass(frozen=True)
class Record:
    """One valid record; ``slot`` tells where it stands."""

    slot: int
    sequence: int
    kind: RecordKind
    model_id: bytes
    payload: bytes


def build_record(*, model_id: bytes, sequence: int, kind: RecordKind, payload: bytes) -> bytes:
    """The bytes of one record, closing CRC included. Raises ValueError for what could never be
    valid: a wrong model id or sequence, a factory record with a payload, a learned one without,
    or a payload that is not whole words."""
    if len(model_id) != MODEL_ID_BYTES:
        raise ValueError(f"a model id has {MODEL_ID_BYTES} bytes, not {len(model_id)}")
    if not 1 <= sequence <= _SEQUENCE_MAX:
        raise ValueError(f"sequence numbers go from 1 to 2^32 - 1: {sequence}")
    if not _length_fits_kind(kind, len(payload)):
        raise ValueError(f"a {kind.name.lower()} record cannot have {len(payload)} bytes")
    header = _HEADER.pack(_MAGIC, FORMAT_VERSION, kind, 0, model_id, sequence, len(payload))
    body = header + _CRC.pack(zlib.crc32(header)) + payload
    return body + _CRC.pack(zlib.crc32(body))


def parse_record(data: bytes, slot: int = 0) -> Record | None:
    """The record at the beginning of one slot's bytes, or None when there is no valid one."""
    if len(data) < RECORD_OVERHEAD_BYTES:
        return None
    magic, version, kind, zero, model_id, sequence, length = _HEADER.unpack_from(data)
    if magic != _MAGIC or _CRC.unpack_from(data, _HEADER.size)[0] != zlib.crc32(
        data[: _HEADER.size]
    ):
        return None
    if version != FORMAT_VERSION or zero != 0 or sequence == 0:
        return None
    if length > len(data) - RECORD_OVERHEAD_BYTES or not _length_fits_kind(kind, length):
        return None
    end = _HEADER_BYTES + length
    if _CRC.unpack_from(data, end)[0] != zlib.crc32(data[:end]):
        return None
    return Record(slot, sequence, RecordKind(kind), model_id, bytes(data[_HEADER_BYTES:end]))


def format_of(data: bytes) -> int | None:
    """The format version that a record's first bytes tell, or None where no record begins."""
    if len(data) < _HEADER.size or data[: len(_MAGIC)] != _MAGIC:
        return None
    return int(_HEADER.unpack_from(data)[1])


def _length_fits_kind(kind: int, length: int) -> bool:
    if kind == RecordKind.FACTORY:
        return length == 0
    return kind == RecordKind.LEARNED and length > 0 and length % 4 == 0

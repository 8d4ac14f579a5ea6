"""Records in flash, as docs/STORAGE.md has them: the Python twin of har_store.c.

Reads flash images and builds records. What it calls valid, newest and previous is what the firmware
calls so. What a record carries is `pipeline.head.payload`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from pipeline.core.errors import InputError

__all__ = [
    "FORMAT_VERSION",
    "PAGE_BYTES",
    "RECORD_OVERHEAD_BYTES",
    "Record",
    "RecordKind",
    "SlotLayout",
    "build_record",
    "format_of",
    "newest",
    "parse_record",
    "previous",
    "read_image",
]

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


@dataclass(frozen=True)
class SlotLayout:
    """How a region is cut into slots of whole pages."""

    slot_bytes: int
    slots: int

    @classmethod
    def of(cls, region_bytes: int, payload_bytes: int, page_bytes: int = PAGE_BYTES) -> Self:
        """The layout that har_store_init() chooses for payloads of up to ``payload_bytes``.

        Raises InputError when fewer than two slots fit or the region is no whole number of pages.
        """
        if page_bytes <= 0 or page_bytes % 4 or region_bytes % page_bytes or payload_bytes < 0:
            raise InputError(
                f"a region of {region_bytes} bytes is not a whole number of pages of {page_bytes}: "
                "give the size that the board's flash has"
            )
        slot_bytes = -(-(payload_bytes + RECORD_OVERHEAD_BYTES) // page_bytes) * page_bytes
        slots = region_bytes // slot_bytes
        if slots < 2:
            raise InputError(
                f"a region of {region_bytes} bytes holds {slots} slots of {slot_bytes}, two are "
                "needed: choose a smaller head or a larger region"
            )
        return cls(slot_bytes, slots)


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


def read_image(image: bytes, layout: SlotLayout) -> tuple[Record, ...]:
    """The valid records of every model in a region's bytes, in the order of their slots.

    Raises InputError when the image is shorter than the layout.
    """
    if len(image) < layout.slot_bytes * layout.slots:
        raise InputError(
            f"a flash image of {len(image)} bytes is shorter than {layout.slots} slots of "
            f"{layout.slot_bytes}: give the whole region"
        )
    found = []
    for slot in range(layout.slots):
        begin = slot * layout.slot_bytes
        record = parse_record(image[begin : begin + layout.slot_bytes], slot)
        if record is not None:
            found.append(record)
    return tuple(found)


def newest(records: Iterable[Record], model_id: bytes) -> Record | None:
    """The record of this model with the highest sequence; of equals, the one in the lower slot."""
    return previous(records, model_id, _SEQUENCE_MAX + 1)


def previous(records: Iterable[Record], model_id: bytes, sequence: int) -> Record | None:
    """The record of this model with the highest sequence below ``sequence``."""
    mine = [r for r in records if r.model_id == model_id and r.sequence < sequence]
    return max(mine, key=lambda record: (record.sequence, -record.slot), default=None)


def _length_fits_kind(kind: int, length: int) -> bool:
    if kind == RecordKind.FACTORY:
        return length == 0
    return kind == RecordKind.LEARNED and length > 0 and length % 4 == 0

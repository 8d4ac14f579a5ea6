"""A region of flash that keeps learned heads, as har_store.c cuts and reads it: its slots, and the
records in them that are valid, newest and previous."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pipeline.core.errors import InputError
from pipeline.head.records import PAGE_BYTES, RECORD_OVERHEAD_BYTES, Record, parse_record

_SEQUENCE_MAX = 0xFFFFFFFF


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

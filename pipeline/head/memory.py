"""What learning on a board takes: the one place that adds up the learner's memory.

The firmware's own figures (HAR_HEAD_SCRATCH and the linked image) are compared with these by tests.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.head.head import HeadShape
from pipeline.head.payload import head_bytes, record_bytes
from pipeline.head.records import PAGE_BYTES, RECORD_OVERHEAD_BYTES

STORE_PAGES_LEAST = 16
"""Pages at the end of the flash that keep learned heads, if these need no more."""

RECENT_WINDOWS = 8
"""HAR_RECENT of har_app_parts.h."""

_FLOAT_BYTES = 4
_RECENT_NAME_BYTES = 13  # number, index, time, and whether it is of this session


@dataclass(frozen=True)
class RamParts:
    """Bytes of RAM that learning takes.

    record: parameters, guard, names and replay, as they are stored (docs/STORAGE.md); undo: the
    parameters before the last label, or a head that comes in, and the window that made room;
    scratch: of the head's arithmetic; window: at the cut, those of the last ten seconds, which a
    label is for.
    """

    record: int
    undo: int
    scratch: int
    window: int

    @property
    def total(self) -> int:
        return self.record + self.undo + self.scratch + self.window


@dataclass(frozen=True)
class LearningMemory:
    """What learning takes of a board.

    ``ram_parts``: all that prediction alone would not need, or need in flash; ``replay_ram_bytes``
    of it keep labelled windows. Flash: ``parameter_flash_bytes`` and ``scale_flash_bytes`` of the
    factory head, ``exemplar_flash_bytes`` of the windows that ship. ``record_bytes``: what is
    stored of a learned head, with its frame (docs/STORAGE.md).
    """

    ram_parts: RamParts
    replay_ram_bytes: int
    parameter_flash_bytes: int
    scale_flash_bytes: int
    exemplar_flash_bytes: int
    record_bytes: int

    @property
    def ram_bytes(self) -> int:
        """All of `ram_parts`."""
        return self.ram_parts.total

    @property
    def flash_bytes(self) -> int:
        """Of parameters and exemplars, which depend on the options of `har quantize`."""
        return self.parameter_flash_bytes + self.exemplar_flash_bytes

    @property
    def store_pages(self) -> int:
        """Pages of the board's flash that keep such records: two slots at least."""
        return max(STORE_PAGES_LEAST, 2 * -(-self.record_bytes // PAGE_BYTES))


def learning_memory(
    shape: HeadShape, shipped: int, capacity: int, exemplars: int
) -> LearningMemory:
    """Add up ``shipped`` activities, ``capacity`` windows to keep and ``exemplars`` that ship."""
    record = record_bytes(shape, shipped, capacity)
    return LearningMemory(
        ram_parts=RamParts(
            record=record,
            undo=head_bytes(shape, shipped) + shape.window_bytes,
            scratch=_FLOAT_BYTES * scratch_floats(shape),
            window=shape.window_bytes + RECENT_WINDOWS * recent_bytes(shape.window_bytes),
        ),
        replay_ram_bytes=capacity * (shape.window_bytes + 2) + 4 * shape.rows,
        parameter_flash_bytes=_FLOAT_BYTES * shape.parameters,
        scale_flash_bytes=_FLOAT_BYTES * 2 * shape.features,
        exemplar_flash_bytes=exemplars * (shape.window_bytes + 1),
        record_bytes=record + RECORD_OVERHEAD_BYTES,
    )


def recent_bytes(window_bytes: int) -> int:
    """struct har_recent: the window and what names it, in whole words."""
    return -(-(_RECENT_NAME_BYTES + window_bytes) // 4) * 4


def scratch_floats(shape: HeadShape) -> int:
    """HAR_HEAD_SCRATCH of har_head.h."""
    maps = shape.map_length * shape.channels + shape.positions * shape.filters
    depthwise = 2 * shape.positions * shape.channels if shape.kernel else 0
    return shape.features + shape.rows + maps + depthwise

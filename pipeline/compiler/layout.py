"""How a tensor lies in memory between groups of the packed kernels (har_matrix.h)."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.compiler import pack

_SLACK_BYTES = 4  # a matrix kernel of 3 pixels stores a fourth byte


@dataclass(frozen=True)
class Planes:
    """Where a tensor lies as planes: margins around an image of ``height`` x ``width``. ``dense``:
    rows follow each other without a gap, for pools, which then see one row. ``kept``: ``left`` is
    no margin but columns that stay from hop to hop."""

    channels: int
    height: int
    width: int
    top: int
    left: int
    bottom: int
    right: int
    dense: bool
    kept: bool

    @property
    def row_bytes(self) -> int:
        return self.width if self.dense else whole_words(self.left + self.width + self.right)

    @property
    def plane_bytes(self) -> int:
        return whole_words((self.top + self.height + self.bottom) * self.row_bytes)

    @property
    def size_bytes(self) -> int:
        return self.channels * self.plane_bytes + _SLACK_BYTES

    @property
    def offset(self) -> int:
        """Of pixel (0, 0)."""
        return self.top * self.row_bytes + self.left

    @property
    def has_margin(self) -> bool:
        return not self.kept and any((self.top, self.left, self.bottom, self.right))

    @property
    def takes_a_byte_after_rows(self) -> bool:
        """Whether the byte after the image's row is a margin or undefined, in each row, or, where
        they are dense, in the last."""
        if self.dense:
            return self.plane_bytes > self.height * self.width
        return self.has_margin or self.row_bytes > self.left + self.width


def whole_words(size: int) -> int:
    return -(-size // 4) * 4


def planes_bytes(channels: int, length: int) -> int:
    """Of one row of ``length`` pixels without a margin."""
    return Planes(channels, 1, length, 0, 0, 0, 0, dense=False, kept=False).size_bytes


def block_bytes(inputs: int, pixels: int = 4) -> int:
    """Of a block of ``pixels`` that have so many inputs each."""
    return 4 * len(pack.pairs_of_planes(inputs)) * pixels

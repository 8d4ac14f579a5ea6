"""How a group's output pixels are divided into blocks of up to four."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# Instructions, for choosing among sizes: of one pair of inputs by two channels, of the end of a
# pair of channels by pixel, of a block.
_STEP = {1: 4.5, 2: 7, 3: 11, 4: 13}
_END, _END_PIXEL, _SCATTERED_PIXEL, _BLOCK = 14, 7, 4, 80
_DEPTHWISE_CALL, _DEPTHWISE_PIXEL = 12, 9  # of a channel


@dataclass(frozen=True)
class Image:
    height: int
    width: int

    @property
    def pixels(self) -> int:
        return self.height * self.width


@dataclass(frozen=True)
class Work:
    """What a group does with each block: ``pairs`` of inputs by ``channels``. ``in_rows``: a
    depthwise convolution fills it row by row; ``scattered``: blocks across rows take a kernel of
    their own."""

    pairs: int
    channels: int
    in_rows: bool
    scattered: bool


@dataclass(frozen=True)
class Choice:
    """``counts`` of blocks of 4, 3, 2 and 1 pixels in each of ``spans`` equal spans; ``places``:
    each block's size and column."""

    cost: float
    spans: int
    counts: tuple[int, int, int, int]
    places: tuple[tuple[int, int], ...]
    used: tuple[tuple[int, bool], ...]  # (size, whether it lies in more than one row)


@dataclass(frozen=True)
class Blocks:
    """Ways to divide ``spans`` equal spans of an image into blocks of the allowed ``sizes``."""

    image: Image
    spans: int
    sizes: tuple[int, ...]

    def best(self, work: Work) -> Choice:
        """The cheapest."""
        choices = (self._choice(counts, work) for counts in self._divisions())
        return min(choices, key=lambda choice: choice.cost)

    def _divisions(self) -> Iterator[tuple[int, int, int, int]]:
        """Counts of 4, 3, 2, 1: few small blocks, for all else is dearer."""
        length = self.image.pixels // self.spans
        for threes in range(4 if 3 in self.sizes else 1):
            for twos in range(2):
                for ones in range(2):
                    rest = length - 3 * threes - 2 * twos - ones
                    if rest >= 0 and rest % 4 == 0:
                        yield rest // 4, threes, twos, ones

    def _choice(self, counts: tuple[int, int, int, int], work: Work) -> Choice:
        width, at = self.image.width, 0
        places: list[tuple[int, int]] = []
        for size, count in zip((4, 3, 2, 1), counts, strict=True):
            for _ in range(count):
                places.append((size, at % width))
                at += size
        pairs, halves = work.pairs, -(-work.channels // 2)
        cost = 0.0
        for size, x in places:
            crosses = x + size > width
            end = _END + size * (_END_PIXEL + _SCATTERED_PIXEL * (crosses and work.scattered))
            cost += _BLOCK + halves * (pairs * _STEP[size] + 3 * pairs // 4 + end)
            if work.in_rows:
                runs = runs_of(size, x, width)
                cost += 2 * pairs * sum(_DEPTHWISE_CALL + run * _DEPTHWISE_PIXEL for run in runs)
        return Choice(
            cost=cost * self.spans,
            spans=self.spans,
            counts=counts,
            places=tuple(places),
            used=tuple(sorted({(size, x + size > width) for size, x in places})),
        )


def runs_of(size: int, x: int, width: int) -> Iterator[int]:
    """The pixels of a block that begins at column ``x``, row by row."""
    while size > 0:
        run = min(size, width - x)
        yield run
        size, x = size - run, 0

"""Sensors that a program writes apart, each with times of its own, brought to one grid."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.delimited import Delimited
from pipeline.data.timeline import check_rate, read_timeline

Values = npt.NDArray[np.float64]

# Where one sensor records so much longer than the others, its owner should know.
ALONE_S = 1.0


@dataclass(frozen=True)
class Track:
    """One sensor: ``values`` (n, k) at ``times`` (n,) in seconds; ``gaps`` are the samples that
    follow one."""

    place: str
    times: Values
    values: Values
    rate_hz: float
    gaps: list[int]
    doubts: tuple[str, ...] = ()

    @property
    def spans(self) -> list[tuple[float, float]]:
        """First and last time of each stretch without a gap."""
        borders = itertools.pairwise([0, *self.gaps, len(self.times)])
        return [(float(self.times[a]), float(self.times[b - 1])) for a, b in borders]


@dataclass(frozen=True)
class Stretch:
    """Values (n, k) of all tracks at the same ``times`` (n,), without a gap."""

    times: Values
    values: Values


def read_track(
    text: Delimited, time: int, columns: Sequence[int], stated_hz: float | None = None
) -> Track:
    """The track in the columns of these numbers; ``time`` is in seconds. A line that repeats the
    one before it, in time and values, is dropped.

    Raises:
        InputError: as `read_timeline`, or a cell that is no number.
    """
    rows: list[list[float]] = []
    lines: list[int] = []
    repeated = 0
    for line, cells in text.rows():
        row = [text.number(cells[at], line, text.header[at]) for at in (time, *columns)]
        if rows and row == rows[-1]:
            repeated += 1
            continue
        rows.append(row)
        lines.append(line)
    if len(rows) < 2:
        raise InputError(f"{text.place}: {len(rows)} samples; a recording needs at least two")
    if stated_hz is not None:
        check_rate(stated_hz, text.place)
    table = np.array(rows, dtype=np.float64)
    times = table[:, 0]
    line_up = read_timeline(
        times,
        text.place,
        lines.__getitem__,
        stated_hz=stated_hz,
        column=text.header[time],
        remedy="give --recorded-rate {rate:.5g} to har data import",
    )
    doubts = list(line_up.doubts)
    if line_up.on_arrival:
        times = times[0] + np.arange(len(times)) / line_up.rate_hz
    if repeated:
        doubts.append(f"{repeated} lines that repeat the one before them are dropped")
    if line_up.gaps:
        doubts.append(
            f"{len(line_up.gaps)} gaps in time, the first before line {lines[line_up.gaps[0]]}; no "
            "window will straddle them"
        )
    return Track(text.place, times, table[:, 1:], line_up.rate_hz, line_up.gaps, tuple(doubts))


def joined(tracks: Sequence[Track], where: str) -> tuple[list[Stretch], float, list[str]]:
    """Stretches in which every track recorded without a gap, their rate in Hz, and what the owner
    should know.

    Tracks with the very same times stay as they are. Others are put on an even grid at the highest
    of their rates by linear interpolation.

    Raises:
        InputError: the tracks have no time in common.
    """
    first = tracks[0]
    rate_hz = max(track.rate_hz for track in tracks)
    doubts = [f"{track.place}: {doubt}" for track in tracks for doubt in track.doubts]
    if all(np.array_equal(first.times, track.times) for track in tracks):
        values = np.hstack([track.values for track in tracks])
        borders = itertools.pairwise([0, *first.gaps, len(values)])
        return [Stretch(first.times[a:b], values[a:b]) for a, b in borders], rate_hz, doubts
    stretches = []
    for start, stop in _common([track.spans for track in tracks]):
        # A microsecond of room, so that rounding does not cost the last sample.
        count = math.floor((stop - start + 1e-6) * rate_hz) + 1
        if count < 2:
            continue
        times = start + np.arange(count) / rate_hz
        columns = [
            np.interp(times, track.times, column) for track in tracks for column in track.values.T
        ]
        stretches.append(Stretch(times, np.stack(columns, axis=1)))
    if not stretches:
        raise InputError(
            f"{where}: its sensors have no time in common; were they recorded at once?"
        )
    whole = stretches[-1].times[-1] - stretches[0].times[0]
    for track in tracks:
        alone = float(track.times[-1] - track.times[0] - whole)
        if alone > ALONE_S:
            doubts.append(f"{track.place}: {alone:.1f} s without the other sensors are left out")
    return stretches, rate_hz, doubts


def _common(spans: Sequence[list[tuple[float, float]]]) -> list[tuple[float, float]]:
    """What lies in a span of every list."""
    found = spans[0]
    for others in spans[1:]:
        both = ((max(one[0], other[0]), min(one[1], other[1])) for one in found for other in others)
        found = [(start, stop) for start, stop in both if start < stop]
    return found

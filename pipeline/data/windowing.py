"""Recordings into windows, and windows thinned evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.data.recording import CHANNELS, Recording, Windows


@dataclass(frozen=True)
class WindowShape:
    """Windows of ``samples`` at ``rate_hz``, of which two of a recording begin ``hop`` apart."""

    rate_hz: float = 50.0
    samples: int = 128
    hop: int = 64

    @property
    def seconds(self) -> float:
        return self.samples / self.rate_hz


def windows_of(samples: Array, length: int, step: int) -> Array:
    """Samples (n, C), at least ``length``, -> all whole windows (N, length, C), one every ``step``
    samples: a view."""
    return sliding_window_view(samples, length, axis=0)[::step].swapaxes(1, 2)


def make_windows(
    recordings: Sequence[Recording],
    activities: Sequence[str],
    length: int = 128,
    hop: int = 64,
) -> Windows:
    """Cuts windows of ``length`` samples, ``hop`` samples apart, out of single segments.

    A segment of n >= length samples of one of ``activities`` gives 1 + (n - length) // hop windows
    that start at its first sample; a shorter one gives none. No window straddles two segments, and
    segments of other activities are passed over. The order is that of the recordings.

    Raises:
        InputError: length or hop below 1, no or repeated activities, recordings of several rates.
    """
    if length < 1 or hop < 1:
        raise InputError(f"windows of {length} samples every {hop}: both must be at least 1")
    names = tuple(activities)
    if not names or len(set(names)) != len(names):
        raise InputError(f"activities {list(names)}: name at least one, each once")
    rates = sorted({recording.rate_hz for recording in recordings})
    if len(rates) > 1:
        raise InputError(
            f"recordings at {rates} Hz cannot share windows; resample them to one rate"
        )

    wanted = [
        (number, recording, segment)
        for number, recording in enumerate(recordings)
        for segment in recording.segments
        if segment.activity in names and len(segment) >= length
    ]
    counts = [1 + (len(segment) - length) // hop for _, _, segment in wanted]

    x = np.empty((sum(counts), length, len(CHANNELS)), dtype=np.float32)
    first = 0
    for (_, recording, segment), count in zip(wanted, counts, strict=True):
        stretch = recording.samples[segment.start : segment.stop]
        x[first : first + count] = windows_of(stretch, length, hop)
        first += count
    offsets = [
        segment.start + hop * np.arange(n)
        for (_, _, segment), n in zip(wanted, counts, strict=True)
    ]
    return Windows(
        x=x,
        y=np.repeat(np.array([names.index(s.activity) for _, _, s in wanted], np.int64), counts),
        activities=names,
        subjects=np.repeat(np.array([r.subject for _, r, _ in wanted], np.str_), counts),
        sessions=np.repeat(np.array([r.session for _, r, _ in wanted], np.str_), counts),
        recording=np.repeat(np.array([number for number, _, _ in wanted], np.int64), counts),
        start=np.concatenate([np.empty(0, np.int64), *offsets]).astype(np.int64),
    )


# ---- thinning ------------------------------------------------------------------------------------


def thin(subjects: Array, y: Array, count: int | None) -> Array:
    """Choose at most ``count`` of the windows of ``subjects`` (N,) and activities ``y`` (N,).

    Returns sorted indices: of each subject and activity as many as there are, or equally many,
    evenly spread over those there are. All of them for None. Raises InputError for a count below 1.
    """
    if count is None or count >= len(y):
        return np.arange(len(y))
    if count < 1:
        raise InputError(f"{count} examples: give at least 1")
    who = np.unique(subjects, return_inverse=True)[1]
    _, cell = np.unique(np.stack([who, y]), axis=1, return_inverse=True)
    cell = cell.ravel()
    taken = []
    for number, quota in enumerate(_quotas(np.bincount(cell), count)):
        mine = np.flatnonzero(cell == number)
        taken.append(mine[(np.arange(quota) * 2 + 1) * len(mine) // max(2 * quota, 1)])
    return np.sort(np.concatenate(taken))


def _quotas(sizes: Array, count: int) -> Array:
    """How many of each cell, ``count`` together and as equal as the sizes allow; what is left over
    goes to cells spread over all of them."""
    level = int(np.searchsorted(_filled(sizes), count, side="right")) - 1
    quotas = np.minimum(sizes, level)
    deeper = np.flatnonzero(sizes > level)
    left = count - int(quotas.sum())
    quotas[deeper[np.arange(left) * len(deeper) // max(left, 1)]] += 1
    return np.asarray(quotas)


def _filled(sizes: Array) -> Array:
    """How many examples there are with at most 0, 1, 2, ... of each cell."""
    return np.asarray([np.minimum(sizes, level).sum() for level in range(int(sizes.max()) + 1)])

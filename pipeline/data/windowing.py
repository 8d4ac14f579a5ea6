"""Recordings into windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.core.errors import InputError
from pipeline.data.recording import CHANNELS, Recording, Windows


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
        views = sliding_window_view(stretch, length, axis=0)[::hop]  # (count, 6, T)
        x[first : first + count] = views.transpose(0, 2, 1)
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

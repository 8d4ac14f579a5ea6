"""Runs of overlapping windows, so that a host streams each sample once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Array
from pipeline.data import Dataset, Windows


@dataclass(frozen=True)
class Run:
    """Consecutive windows of one segment: their indices in the Windows, and all their samples
    (n, 6) in g and rad/s."""

    windows: Array
    samples: Array


def runs(dataset: Dataset, windows: Windows, chosen: Array, hop: int) -> Iterator[Run]:
    """The windows with the sorted indices ``chosen``, grouped wherever one begins ``hop`` samples
    after another in the same recording and with the same activity."""
    length = windows.x.shape[1]
    breaks = [
        i
        for i in range(1, len(chosen))
        if windows.recording[chosen[i]] != windows.recording[chosen[i - 1]]
        or windows.start[chosen[i]] != windows.start[chosen[i - 1]] + hop
        or windows.y[chosen[i]] != windows.y[chosen[i - 1]]
    ]
    for group in np.split(chosen, breaks):
        if len(group):
            start = int(windows.start[group[0]])
            stop = int(windows.start[group[-1]]) + length
            recording = dataset.recordings[int(windows.recording[group[0]])]
            yield Run(group, recording.samples[start:stop])


def first_of_each(windows: Windows, subject: str, per_activity: int) -> Array:
    """Sorted indices of one subject's first ``per_activity`` windows of each activity in each
    session: what one labels after putting the device on."""
    chosen: list[int] = []
    mine = windows.subjects == subject
    for session in np.unique(windows.sessions[mine]):
        for label in range(len(windows.activities)):
            here = np.flatnonzero(mine & (windows.sessions == session) & (windows.y == label))
            chosen.extend(here[:per_activity].tolist())
    return np.array(sorted(chosen), dtype=np.int64)


def calibration(windows: Windows, subject: str, per_activity: int) -> tuple[Array, Array]:
    """One subject's windows for labelling and, disjoint from them, for testing.

    Labelled are those of `first_of_each`, in the order in which they were made; windows
    that share a sample with one of those are in neither set.
    """
    labelled = first_of_each(windows, subject, per_activity)
    length = windows.x.shape[1]
    rest = [
        i
        for i in np.flatnonzero(windows.subjects == subject)
        if not np.any(
            (windows.recording[labelled] == windows.recording[i])
            & (np.abs(windows.start[labelled] - windows.start[i]) < length)
        )
    ]
    return labelled, np.array(rest, dtype=np.int64)

"""Latent replay: the NumPy twin of firmware/lib/head/har_replay.c, entry for entry and draw for
draw."""

from __future__ import annotations

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array

FREE = 0xFF
"""Label of an entry that holds nothing."""
HOLDOUT = 0x80
"""Bit of a label: in the holdout, never trained on."""
_LABEL = 0x7F
_SEED = 0x48415231


class Replay:
    """Labelled windows at the cut, kept to be learned again, and the exemplars that ship.

    ``windows`` int8 (N, B), ``labels`` uint8 (N,) activity and HOLDOUT, or FREE, ``sample_weight``
    uint8 (N,) weight of its steps in 255ths, ``seen`` list (R,) windows offered by activity without
    the holdout, ``random`` state of the generator. Used entries come first.
    """

    def __init__(
        self,
        window_bytes: int,
        capacity: int,
        rows: int,
        exemplars: Array,
        exemplar_activities: Array,
    ) -> None:
        """``exemplars`` int8 (E, B), their activities (E,). Raises InputError for sizes that do
        not match."""
        self.window_bytes, self.capacity, self.rows = window_bytes, capacity, rows
        self.exemplars = np.array(exemplars, np.int8).reshape(-1, window_bytes)
        self.exemplar_activities = np.array(exemplar_activities, np.uint8)
        if not (1 <= capacity <= 0xFFFF and 1 <= rows <= _LABEL):
            raise InputError(f"replay: capacity {capacity} and {rows} rows are out of range")
        if self.exemplar_activities.shape != self.exemplars.shape[:1]:
            raise InputError(
                f"replay: {len(self.exemplars)} exemplars with activities "
                f"{self.exemplar_activities.shape}"
            )
        self.reset()

    def reset(self) -> None:
        """Empties the store and seeds the generator."""
        self.windows = np.zeros((self.capacity, self.window_bytes), np.int8)
        self.labels = np.full(self.capacity, FREE, np.uint8)
        self.sample_weight = np.zeros(self.capacity, np.uint8)
        self.seen = [0] * self.rows
        self.random = _SEED

    @property
    def count(self) -> int:
        """Entries in use."""
        return int(np.count_nonzero(self.labels != FREE))

    @property
    def holdout(self) -> Array:
        """Entries of the holdout, (n,) in order."""
        return np.flatnonzero((self.labels != FREE) & (self.labels & HOLDOUT != 0))

    def place(self, activity: int, holdout: bool) -> int:
        """Where the next window of ``activity`` would go: an entry, or the capacity when it is not
        kept. Draws from the generator when the store is full."""
        count = self.count
        if not holdout:
            self.seen[activity] += 1
        if count < self.capacity:
            return count
        kept = self.labels & _LABEL  # of no activity where free: rows are fewer
        counts = np.bincount(kept, minlength=self.rows)
        mine, largest = int(counts[activity]), int(counts.argmax())
        most = int(counts[largest])
        if mine < most:
            return int(np.flatnonzero(kept == largest)[self._draw(most)])
        turn = self._draw(max(self.seen[activity], most))
        return int(np.flatnonzero(kept == activity)[turn]) if turn < mine else self.capacity

    def put(
        self, entry: int, window: Array, activity: int, sample_weight: int, holdout: bool
    ) -> None:
        """Puts a window (B,) where `place` said."""
        if entry >= self.capacity:
            return
        self.windows[entry] = window
        self.labels[entry] = activity | (HOLDOUT if holdout else 0)
        self.sample_weight[entry] = sample_weight

    def draw(self) -> tuple[Array, int, int] | None:
        """A window to learn, its activity and sample weight: one of a random activity that has been
        labelled, never one of the holdout. None when there is none."""
        counts = np.bincount(self.labels, minlength=self.rows)[: self.rows]
        labelled = np.flatnonzero(counts)
        if not len(labelled):
            return None
        activity = int(labelled[self._draw(len(labelled))])
        entry = np.flatnonzero(self.labels == activity)[self._draw(int(counts[activity]))]
        return self.windows[entry], activity, int(self.sample_weight[entry])

    def exemplar(self, turn: int) -> tuple[Array, int] | None:
        """The exemplar number ``turn``, in an order that goes round, and its activity;
        None when none ship."""
        if not len(self.exemplars):
            return None
        i = turn % len(self.exemplars)
        return self.exemplars[i], int(self.exemplar_activities[i])

    def _draw(self, n: int) -> int:
        """0 <= result < n."""
        self.random = (self.random * 1664525 + 1013904223) & 0xFFFFFFFF
        return ((self.random >> 8) * n) >> 24

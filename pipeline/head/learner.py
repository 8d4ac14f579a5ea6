"""The learner, which updates the head from labels: the NumPy twin of
firmware/lib/head/har_learner.c, bit for bit.

docs/LEARNING.md has the algorithm; har_learner.h describes the guard's four parts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.core.wire import U32
from pipeline.head.head import Head
from pipeline.head.replay import Replay

FULL_WEIGHT = 255
_LEAST_WEIGHT = 5


@dataclass(frozen=True)
class Learning:
    """What a label is worth. The floats count as their float32 values.

        ``rate`` of the dense layer, > 0; ``rate_convolution``, >= 0; ``keep`` of the distance to
        the factory parameters, per label, 0..1; ``steps`` per label, >= 1; of the steps, one in
        ``replay_every`` is on an exemplar (0: none); of an activity's labels, one in
        ``hold_every`` goes to the holdout (0: none); ``evidence``: mistakes of the factory
        parameters before
    the learned head is active. Raises InputError where the board answers HAR_ERR_ARGUMENT.
    """

    rate: float
    rate_convolution: float
    keep: float
    steps: int
    replay_every: int
    hold_every: int
    evidence: int

    def __post_init__(self) -> None:
        rate, convolution = np.float32(self.rate), np.float32(self.rate_convolution)
        counts = self.steps, self.replay_every, self.hold_every, self.evidence
        if not (rate > 0 and convolution >= 0 and 0 <= np.float32(self.keep) <= 1):
            raise InputError(f"learning: {self} is out of range")
        if not (self.steps >= 1 and all(0 <= count <= 0xFFFF for count in counts)):
            raise InputError(f"learning: {self} is out of range")


@dataclass(frozen=True)
class Guard:
    """What the guard has counted since the factory head. Declared here alone: these fields, in this
    order, stand in HEAD_STATE, in the head's payload and in what `har head show --json` prints."""

    judged: U32 = 0
    """labels that were possible, each judged before it was learned"""
    shipped_right: U32 = 0
    """of them, by the factory head"""
    learned_right: U32 = 0
    """of them, by the learned head"""
    undone: U32 = 0
    """updates that were taken back because the holdout got worse"""

    def check(self) -> None:
        """Raises InputError for counts that cannot be."""
        if (right := max(self.shipped_right, self.learned_right)) > self.judged:
            raise InputError(
                f"invalid head: right {right} times of {self.judged}; pull another one"
            )


class Outcome(IntEnum):
    """What a label did."""

    LEARNED = 0
    HELD_BACK = 1
    """kept to judge by; the head is unchanged"""
    UNDONE = 2
    """made the holdout windows worse; the head is unchanged"""


@dataclass(frozen=True, eq=False)
class _Before:
    """All that the last label changed, as it was."""

    parameters: Array
    updates: int
    exemplars: int
    random: int
    guard: Guard
    activity: int
    seen: int
    entry: int | None = None
    """of the store that the window took"""
    window: Array | None = None
    label: int = 0
    sample_weight: int = 0


class Learner:
    """Head, replay and guard, joined. ``updates``: labels learned from; ``labels`` (R,): given, by
    activity; ``exemplars``: exemplars drawn; ``guard``."""

    def __init__(self, head: Head, replay: Replay, learning: Learning) -> None:
        """Raises InputError when head and replay are of different sizes."""
        shape = head.shape
        if (replay.window_bytes, replay.rows) != (shape.window_bytes, shape.rows):
            raise InputError(
                f"learner: windows of {shape.window_bytes} bytes and {shape.rows} rows, the replay "
                f"has {replay.window_bytes} and {replay.rows}"
            )
        self.head, self.replay, self.learning = head, replay, learning
        self.reset()

    def reset(self) -> None:
        """To the factory head, with nothing labelled."""
        self.head.reset()
        self.replay.reset()
        self.updates = 0
        self.exemplars = 0
        self.guard = Guard()
        self.labels = [0] * self.head.shape.rows
        self._before: _Before | None = None

    @property
    def can_undo(self) -> bool:
        """Whether the last label can be taken back."""
        return self._before is not None

    @property
    def learned_active(self) -> bool:
        """Whether the learned head is active, not the factory head."""
        guard = self.guard
        wrong = guard.judged - guard.shipped_right
        enough = wrong >= self.learning.evidence and guard.learned_right >= guard.shipped_right
        return self.updates > 0 and enough

    def predict(self, windows: Array) -> Array:
        """int8 windows (..., B) -> probabilities (..., A) of the active parameters."""
        return self.head.predict(windows, factory=not self.learned_active)

    def add(self) -> None:
        """One more activity, in a spare row. Raises InputError when no row is left."""
        if self.head.activities >= self.head.shape.rows:
            raise InputError(
                f"all {self.head.shape.rows} rows are taken: no activity can be added; reset the "
                "head, or quantize with more --spare rows"
            )
        self.head.activities += 1
        self._before = None

    def taken(self) -> None:
        """After head, replay and counts have been filled from outside: forgets what undo needs."""
        self._before = None

    def label(self, window: Array, activity: int) -> Outcome:
        """Learns that ``window``, int8 (B,), was ``activity``.

        Raises InputError, with nothing changed, for an activity that is not in use and for steps
        that led beyond LIMIT; after the latter the label before can no longer be taken back.
        """
        head, replay, guard = self.head, self.replay, self.guard
        if not 0 <= activity < head.activities:
            raise InputError(f"label: activity {activity} of {head.activities}")
        factory, learned = head.predict(window, factory=True), head.predict(window)
        self._before = _Before(
            head.parameters.copy(),
            self.updates,
            self.exemplars,
            replay.random,
            guard,
            activity,
            replay.seen[activity],
        )
        right = int(factory.argmax() == activity), int(learned.argmax() == activity)
        sample_weight = self._sample_weight(activity, max(factory[activity], learned[activity]))
        self.guard = replace(
            guard,
            judged=guard.judged + int(any(right) or sample_weight > _LEAST_WEIGHT),
            shipped_right=guard.shipped_right + right[0],
            learned_right=guard.learned_right + right[1],
        )
        self.labels[activity] += 1
        hold_every = self.learning.hold_every
        holdout = hold_every > 0 and self.labels[activity] % hold_every == 0
        entry = replay.place(activity, holdout)
        if entry < replay.capacity:
            self._before = replace(
                self._before,
                entry=entry,
                window=replay.windows[entry].copy(),
                label=int(replay.labels[entry]),
                sample_weight=int(replay.sample_weight[entry]),
            )
        replay.put(entry, window, activity, sample_weight, holdout)
        if holdout:
            return Outcome.HELD_BACK
        before = self._holdout_right(factory=False)
        try:
            self._learn(window, activity, sample_weight)
        except InputError:
            self.undo()
            raise
        if self._holdout_right(factory=False) >= before:
            self.updates += 1
            return Outcome.LEARNED
        head.parameters = self._before.parameters.copy()
        self._take_window_back(self._before)
        self.guard = replace(self.guard, undone=guard.undone + 1)
        return Outcome.UNDONE

    def undo(self) -> None:
        """Takes the last label back, whole. Raises InputError when there is none, or it was taken
        back already."""
        before = self._before
        if before is None:
            raise InputError("undo: there is no label to take back")
        self._take_window_back(before)
        self.head.parameters = before.parameters
        self.updates, self.exemplars, self.guard = before.updates, before.exemplars, before.guard
        self.replay.random = before.random
        self.labels[before.activity] -= 1
        self._before = None

    def holdout(self) -> tuple[int, int]:
        """Holdout windows, and how many of them the active parameters get right."""
        return len(self.replay.holdout), self._holdout_right(factory=not self.learned_active)

    def _holdout_right(self, factory: bool) -> int:
        entries = self.replay.holdout
        if not len(entries):
            return 0
        found = self.head.predict(self.replay.windows[entries], factory).argmax(axis=-1)
        return int(np.count_nonzero(found == self.replay.labels[entries] & 0x7F))

    def _sample_weight(self, activity: int, probability: np.float32) -> int:
        """p^(3/4) in 255ths; full weight for activities that the factory head does not have."""
        if activity >= self.head.factory_activities:
            return FULL_WEIGHT
        root = np.sqrt(probability)
        weight = root * np.sqrt(root)
        return max(int(weight * np.float32(255.0) + np.float32(0.5)), _LEAST_WEIGHT)

    def _learn(self, window: Array, activity: int, sample_weight: int) -> None:
        """The new window first, then what was labelled and what ships."""
        learning = self.learning
        self.head.pull(learning.keep)
        for step in range(learning.steps):
            chosen: tuple[Array, int, int] | None = (window, activity, sample_weight)
            if step:
                chosen = self._choose(step)
            if chosen is None:
                continue
            drawn, label, weight = chosen
            share = np.float32(weight) * (np.float32(1.0) / np.float32(255.0))
            self.head.step(drawn, label, learning.rate, learning.rate_convolution, float(share))
        self.head.settle()

    def _choose(self, step: int) -> tuple[Array, int, int] | None:
        """The window of a step after the first, its activity and its sample weight."""
        every = self.learning.replay_every
        if every and step % every == 0:
            turn, self.exemplars = self.exemplars, (self.exemplars + 1) & 0xFFFFFFFF
            exemplar = self.replay.exemplar(turn)
            if exemplar is not None:
                return (*exemplar, FULL_WEIGHT)
        return self.replay.draw()

    def _take_window_back(self, before: _Before) -> None:
        """The store as it was before the last label."""
        replay = self.replay
        replay.seen[before.activity] = before.seen
        if before.entry is not None:
            replay.windows[before.entry] = before.window
            replay.labels[before.entry] = before.label
            replay.sample_weight[before.entry] = before.sample_weight

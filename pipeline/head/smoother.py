"""The smoother: the NumPy twin of firmware/lib/head/har_smoother.c, bit for bit."""

from __future__ import annotations

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array


class Smoother:
    """The forward filter of a hidden Markov model over K activities (docs/SMOOTHING.md).

    ``change``: probability that the activity changes between two windows; 1 switches smoothing
    off. ``change_moving``: the same where this window or the one before is unknown. ``roots``:
    each window counts as the 2^roots-th part of one. Raises InputError unless both changes are
    above 0 and at most 1.
    """

    def __init__(
        self, activities: int, change: float, change_moving: float, roots: int = 0
    ) -> None:
        if not (0.0 < change <= 1.0 and 0.0 < change_moving <= 1.0):
            raise InputError(
                f"smoother: changes {change} and {change_moving} must be above 0 and at most 1"
            )
        self._activities = activities
        self._change, self._moving_change = np.float32(change), np.float32(change_moving)
        self._roots = roots
        self.restart()

    def restart(self, activities: int | None = None) -> None:
        """Nothing is known: before the first window, after a gap, and with other ``activities``
        when one was added or all went back to the shipped ones."""
        self._activities = activities or self._activities
        even = np.float32(1.0) / np.float32(self._activities)
        self.belief = np.full(self._activities, even, np.float32)
        self._moving = False

    def push(self, probabilities: Array, unknown: bool) -> Array:
        """The next window: the head's probabilities (K,) and whether it is unknown.

        Returns the belief, float32 (K,): the probability of each activity, given all windows so
        far.
        """
        moving = unknown or self._moving
        change = self._moving_change if moving else self._change
        spread = change / np.float32(self._activities)
        before = (np.float32(1.0) - change) * self.belief + spread
        evidence = np.asarray(probabilities, np.float32)
        for _ in range(self._roots):
            evidence = np.sqrt(evidence)
        belief = before * evidence
        total = np.float32(0.0)
        for value in belief:
            total = total + value
        self.belief = belief / total
        self._moving = bool(unknown)
        return self.belief.copy()

    def run(self, probabilities: Array, unknown: Array) -> Array:
        """One whole recording from its start: probabilities (N, K) and unknown (N,) of consecutive
        windows -> beliefs (N, K)."""
        self.restart()
        beliefs = [self.push(p, bool(u)) for p, u in zip(probabilities, unknown, strict=True)]
        return np.array(beliefs, np.float32).reshape(len(beliefs), self._activities)

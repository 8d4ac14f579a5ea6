"""A board from the cut on: all that it computes and holds in RAM, computed a second time.

No line is shared with the firmware; every answer of a board must equal this to the bit.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Array
from pipeline.head.learner import Learner, Outcome
from pipeline.head.novelty import Limits, Novelty
from pipeline.head.payload import LearnedHead, pack
from pipeline.head.smoother import Smoother


@dataclass(frozen=True, eq=False)
class Seen:
    """What a board says of one window."""

    features_crc: int
    probabilities: Array
    """(A,) float32, of the active head"""
    activity: int
    smoothed: int
    smoothed_probability: float
    novelty: float


class BoardTwin:
    """``taught``: names of the activities that were added. ``since_s`` and ``saved_s``: Unix times
    of the first label and of the save, which only the board's clock knows."""

    def __init__(
        self, learner: Learner, novelty: Novelty, limits: Limits, smoother: Smoother
    ) -> None:
        self.learner, self.novelty = learner, novelty
        self.limits, self.smoother = limits, smoother
        self.taught: list[str] = []
        self.since_s = self.saved_s = 0
        self._last = np.zeros(learner.head.shape.window_bytes, np.int8)
        self._limits_before = limits.values.copy()

    def see(self, windows: Array) -> list[Seen]:
        """The next windows at the cut, int8 (N, B); the last one is what a label means."""
        probabilities = self.learner.predict(windows)
        activities = probabilities.argmax(axis=1)
        novelty = self.limits.novelty(self._distance(windows, activities), activities)
        seen = []
        for i, window in enumerate(windows):
            belief = self.smoother.push(probabilities[i], bool(novelty[i] > 1))
            seen.append(
                Seen(
                    features_crc=zlib.crc32(window.tobytes()),
                    probabilities=probabilities[i],
                    activity=int(activities[i]),
                    smoothed=int(belief.argmax()),
                    smoothed_probability=float(belief.max()),
                    novelty=float(novelty[i]),
                )
            )
            self._last = window
        return seen

    def restart(self) -> None:
        """A new stream, or a gap."""
        self.smoother.restart()

    def label(self, activity: int) -> tuple[Outcome, float, float]:
        """Labels the last window. The outcome, and the label's probability by the learned head
        before and after. Raises InputError as `Learner.label`."""
        window, head = self._last, self.learner.head
        before = head.predict(window)[activity]
        distance = self._distance(window, activity)
        outcome = self.learner.label(window, activity)
        self._limits_before = self.limits.values.copy()
        if outcome != Outcome.UNDONE:
            self.limits.learn(activity, distance)
        return outcome, float(before), float(head.predict(window)[activity])

    def undo(self) -> None:
        """Takes the last label back. Raises InputError as `Learner.undo`."""
        self.learner.undo()
        self.limits.values = self._limits_before

    def add(self, name: str) -> None:
        """One more activity. Raises InputError when no row is left."""
        self.learner.add()
        self.taught.append(name)
        self.smoother.restart(self.learner.head.activities)

    def reset(self) -> None:
        """Back to the factory head."""
        self.learner.reset()
        self.limits.reset()
        self.taught.clear()
        self.smoother.restart(self.learner.head.activities)

    def payload(self) -> bytes:
        """The head as HEAD_READ gives it."""
        learner, replay, shape = self.learner, self.learner.replay, self.learner.head.shape
        return pack(
            LearnedHead(
                features=shape.features,
                shipped=learner.head.factory_activities,
                names=tuple(self.taught),
                labels=tuple(learner.labels),
                limits=self.limits.values,
                parameters=learner.head.parameters,
                updates=learner.updates,
                exemplars=learner.exemplars,
                random=replay.random,
                guard=learner.guard,
                since_s=self.since_s,
                saved_s=self.saved_s,
                window_bytes=shape.window_bytes,
                capacity=replay.capacity,
            )
        )

    def record(self) -> bytes:
        """What SAVE stores: the head, then the windows kept for replay."""
        replay = self.learner.replay
        kept = np.array(replay.seen, "<u4").tobytes() + replay.labels.tobytes()
        kept += replay.sample_weight.tobytes() + replay.windows.tobytes()
        return self.payload() + kept.ljust(-(-len(kept) // 4) * 4, b"\0")

    def _distance(self, windows: Array, activities: Array | int) -> Array:
        """Windows at the cut (..., B) -> distances (...), of what the active head sees."""
        seen = self.learner.head.features(windows, factory=not self.learner.learned_active)
        return self.novelty.distance(seen, activities)

"""The second, independent computation of what a board computes.

The extractor runs in TFLite-Micro's own interpreter, what is behind it in NumPy; no line is shared
with the firmware. Everything a board answers must equal this to the bit.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from pipeline.bundle.bundle import Bundle
from pipeline.core.types import Array
from pipeline.head import LearnedHead, Outcome, pack, unpack
from pipeline.protocol.messages import HeadState, Learned
from pipeline.protocol.samples import decode_samples, encode_samples


@dataclass(frozen=True, eq=False)
class Expected:
    """What a board must answer to one window, bit for bit."""

    features_crc: int
    probabilities: Array
    """(K,) float32, of the head that serves"""
    activity: int
    smoothed: int
    smoothed_probability: float
    novelty: float


class Witness:
    """A twin of one board: the bundle's extractor, and behind it a head and limits that learn as
    the board's do."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._learner = bundle.new_learner()
        self._novelty = bundle.novelty()
        self._limits = bundle.limits()
        self._smoother = bundle.new_smoother()

    def at_cut(self, x: Array) -> Array:
        """Raw windows (N, T, 6) as a host would send them -> windows at the cut, int8 (N, B)."""
        wire, _ = encode_samples(x.reshape(-1, x.shape[-1]))
        received = decode_samples(wire).reshape(x.shape)
        return self._bundle.at_cut(received)

    def follow(self, windows: Array) -> list[Expected]:
        """Consecutive windows at the cut, int8 (N, B), the first one behind a restart -> what the
        board, as it stands, says of each."""
        probabilities = self._learner.predict(windows)
        activities = probabilities.argmax(axis=1)
        distance = self._novelty.distance(self._features(windows), activities)
        novelty = self._limits.novelty(distance, activities)
        beliefs = self._smoother.run(probabilities, novelty > 1.0)
        return [
            Expected(
                features_crc=zlib.crc32(windows[i].tobytes()),
                probabilities=probabilities[i],
                activity=int(activities[i]),
                smoothed=int(belief.argmax()),
                smoothed_probability=float(belief.max()),
                novelty=float(novelty[i]),
            )
            for i, belief in enumerate(beliefs)
        ]

    def label(self, window: Array, learned: Learned) -> bool:
        """Learns one labelled window at the cut, int8 (B,); whether the board's answer to the same
        label says so, bit for bit."""
        learner, label = self._learner, learned.activity
        distance = self._novelty.distance(self._features(window), label)
        before = learner.head.predict(window)[label]
        outcome = learner.label(window, label)
        if outcome != Outcome.UNDONE:
            self._limits.learn(label, distance)
        return learned == Learned(
            end_index=learned.end_index,
            activity=label,
            outcome=outcome,
            serves=learner.learned_active,
            updates=learner.updates,
            probability_before=float(before),
            probability_after=float(learner.head.predict(window)[label]),
            head_crc=learner.head.crc(),
            update_count=learned.update_count,
        )

    def agrees(self, state: HeadState, payload: bytes) -> bool:
        """Whether a board's head, as it tells of it and as it hands it out, is this one; when it
        was taught is the board's own."""
        learner, guard = self._learner, self._learner.guard
        theirs = unpack(payload, len(self._bundle.activities))
        ours = LearnedHead(
            features=self._bundle.features,
            shipped=len(self._bundle.activities),
            names=(),
            labels=tuple(learner.labels),
            limits=self._limits.values,
            parameters=learner.head.parameters,
            updates=learner.updates,
            exemplars=learner.exemplars,
            random=learner.replay.random,
            guard=guard,
            since_s=theirs.since_s,
            saved_s=theirs.saved_s,
            window_bytes=learner.replay.window_bytes,
            capacity=learner.replay.capacity,
        )
        counts = {
            "serves": learner.learned_active,
            "updates": learner.updates,
            "head_crc": learner.head.crc(),
            "guard": guard,
            "held": learner.holdout()[0],
            "held_right": learner.holdout()[1],
            "stored": learner.replay.count,
            "evidence": learner.learning.evidence,
            "labels": tuple(learner.labels[: learner.head.activities]),
        }
        told = {name: getattr(state, name) for name in counts}
        return pack(ours) == payload and told == counts

    def reset(self) -> None:
        """Back to what was shipped."""
        self._learner.reset()
        self._limits.reset()

    def _features(self, windows: Array) -> Array:
        """Windows at the cut, int8 (..., B) -> what the dense layer that serves sees, (..., F)."""
        return self._learner.head.features(windows, factory=not self._learner.learned_active)

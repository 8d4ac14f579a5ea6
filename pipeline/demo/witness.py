"""The second, independent computation of what a board computes.

The extractor runs in TFLite-Micro's own interpreter, what is behind it in NumPy; no line is shared
with the firmware. Everything a board answers must equal this to the bit.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.device.messages import decode_samples, encode_samples
from pipeline.export.bundle import EXTRACTOR, Bundle
from pipeline.export.deployed import run_extractor
from pipeline.learn import Learning, Tail

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Expected:
    """What a board must answer to one window, bit for bit."""

    features_crc: int
    probabilities: Array
    """(K,) float32, of the tail"""
    activity: int
    smoothed: int
    smoothed_probability: float
    novelty: float


class Witness:
    """A twin of one board: the bundle's extractor, and behind it a tail and limits that learn as
    the board's do."""

    def __init__(self, bundle: Bundle, directory: Path) -> None:
        self._bundle = bundle
        self._extractor = (directory / EXTRACTOR).read_bytes()
        weights, bias = bundle.tail(directory)
        self.tail = Tail(weights, bias)
        self._novelty = bundle.novelty(directory)
        self._limits = bundle.limits()
        self._smoother = bundle.new_smoother()
        self._learning = Learning(
            rate=bundle.learning.rate, anchor=bundle.learning.anchor, steps=bundle.learning.steps
        )

    def features(self, x: Array) -> Array:
        """Raw windows (N, T, 6) as a host would send them -> int8 activations (N, F)."""
        wire, _ = encode_samples(x.reshape(-1, x.shape[-1]))
        received = decode_samples(wire).reshape(x.shape)
        return run_extractor(self._extractor, self._bundle, received)

    def follow(self, features: Array) -> list[Expected]:
        """int8 activations (N, F) of consecutive windows, the first one behind a restart -> what
        the board, as it stands, says of each."""
        x = self._bundle.dequantize(features)
        probabilities = self.tail.predict(x)
        activities = probabilities.argmax(axis=1)
        novelty = self._limits.novelty(self._novelty.distance(x, activities), activities)
        beliefs = self._smoother.run(probabilities, novelty > 1.0)
        return [
            Expected(
                features_crc=zlib.crc32(features[i].tobytes()),
                probabilities=probabilities[i],
                activity=int(activities[i]),
                smoothed=int(belief.argmax()),
                smoothed_probability=float(belief.max()),
                novelty=float(novelty[i]),
            )
            for i, belief in enumerate(beliefs)
        ]

    def learn(self, features: Array, label: int) -> None:
        """One labelled window, int8 activations (F,)."""
        x = self._bundle.dequantize(features)
        self.tail.update(x, label, self._learning)
        self._limits.learn(label, self._novelty.distance(x, label))

    def reset(self) -> None:
        """Back to what was shipped."""
        self.tail.reset()
        self._limits.reset()

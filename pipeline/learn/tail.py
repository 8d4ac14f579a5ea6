"""The tail for cut `fc`: the NumPy twin of firmware/lib/learn/har_tail.c, bit for bit.

The update is docs/LEARNING.md's: softmax cross-entropy by plain gradient steps, with an L2 pull
toward the shipped tail.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.learn.mathematics import softmax

Array = np.ndarray[Any, Any]

LIMIT = np.float32(2.0**20)
"""No weight, bias or activation may be larger in size (HAR_TAIL_LIMIT)."""


@dataclass(frozen=True)
class Learning:
    """rate: step size, > 0. anchor: pull toward the shipped tail, >= 0. steps: per label, >= 1.

    rate and anchor count as their float32 values.
    """

    rate: float
    anchor: float
    steps: int


def dequantize(features: Array, scale: Array | float, zero_point: Array | int) -> Array:
    """Activations at the cut, int8 (..., F) -> float32 (..., F): (q - zero_point) * scale.

    ``scale`` and ``zero_point``: one for all, or (F,) where several outputs have their own.
    """
    whole = (features.astype(np.int32) - zero_point).astype(np.float32)
    return np.asarray(whole * np.asarray(scale, np.float32), np.float32)


class Tail:
    """One dense layer with softmax that learns: weights (K, F) and bias (K,), float32.

    It starts as a copy of the shipped tail, which stays its anchor.
    """

    def __init__(self, weights: Array, bias: Array) -> None:
        """Raises InputError for shapes that do not match or values beyond LIMIT."""
        if weights.ndim != 2 or bias.shape != weights.shape[:1]:
            raise InputError(
                f"tail: weights {weights.shape} and bias {bias.shape} must be (K, F) and (K,)"
            )
        self.anchor_weights = np.array(weights, np.float32, order="C")
        self.anchor_bias = np.array(bias, np.float32)
        self.weights = self.anchor_weights.copy()
        self.bias = self.anchor_bias.copy()
        if not (_within(self.weights, LIMIT) and _within(self.bias, LIMIT)):
            raise InputError(f"tail: a value is not finite or larger than {LIMIT:.0f}")

    @property
    def activities(self) -> int:
        """K."""
        return int(self.weights.shape[0])

    @property
    def features(self) -> int:
        """F."""
        return int(self.weights.shape[1])

    def load(self, weights: Array, bias: Array) -> None:
        """Takes a learned state (K, F), (K,); the anchor stays. Raises InputError as above."""
        if weights.shape != self.weights.shape or bias.shape != self.bias.shape:
            raise InputError(
                f"learned tail: shapes {weights.shape}, {bias.shape} where "
                f"{self.weights.shape}, {self.bias.shape} belong"
            )
        state = np.array(weights, np.float32, order="C"), np.array(bias, np.float32)
        if not all(_within(values, LIMIT) for values in state):
            raise InputError(f"learned tail: a value is not finite or larger than {LIMIT:.0f}")
        self.weights, self.bias = state

    def predict(self, x: Array) -> Array:
        """x float32 (..., F) -> probabilities float32 (..., K). The sum over f starts at the bias
        and runs from f = 0 upwards."""
        x = np.asarray(x, np.float32)
        logits = np.broadcast_to(self.bias, (*x.shape[:-1], self.activities))
        for f in range(self.features):
            logits = logits + self.weights[:, f] * x[..., f, None]
        return softmax(logits)

    def update(self, x: Array, label: int, learning: Learning) -> None:
        """Learns from one labelled window, x float32 (F,). Raises InputError, with the tail
        unchanged, where the board answers HAR_ERR_ARGUMENT or HAR_ERR_NOT_FINITE."""
        x = np.asarray(x, np.float32)
        if x.shape != (self.features,):
            raise InputError(f"update: {x.shape} activations where ({self.features},) belong")
        rate, ra = self._check_update(x, label, learning)
        for _ in range(learning.steps):
            gradient = self.predict(x)
            gradient[label] = gradient[label] - np.float32(1.0)
            rg = rate * gradient
            t1 = rg[:, None] * x
            t2 = ra * (self.weights - self.anchor_weights)
            self.weights = self.weights - (t1 + t2)
            t2 = ra * (self.bias - self.anchor_bias)
            self.bias = self.bias - (rg + t2)

    def _check_update(
        self, x: Array, label: int, learning: Learning
    ) -> tuple[np.float32, np.float32]:
        """The bound is explained in har_tail.c: no value travels farther than ``travel``."""
        rate, anchor = np.float32(learning.rate), np.float32(learning.anchor)
        if not 0 <= label < self.activities:
            raise InputError(f"update: activity {label} of {self.activities}")
        with np.errstate(over="ignore", invalid="ignore"):
            ra = np.float32(rate * anchor)
            if learning.steps < 1 or not (rate > 0 and anchor >= 0 and ra <= 1):
                raise InputError(f"update: {learning} is out of range")
            if not _within(x, LIMIT):
                raise InputError("update: an activation is not finite or too large")
            largest = np.maximum(np.float32(1.0), np.abs(x).max())
            limit = LIMIT - (np.float32(learning.steps) * rate) * largest
        state = (self.weights, self.bias, self.anchor_weights, self.anchor_bias)
        if not all(_within(values, limit) for values in state):
            raise InputError("update: the tail or the step is not finite or too large")
        return rate, ra

    def reset(self) -> None:
        """Back to the shipped tail."""
        self.weights = self.anchor_weights.copy()
        self.bias = self.anchor_bias.copy()

    def crc(self) -> int:
        """CRC-32 over weights then bias as little-endian float32."""
        crc = zlib.crc32(self.weights.astype("<f4").tobytes())
        return zlib.crc32(self.bias.astype("<f4").tobytes(), crc)


def _within(values: Array, limit: np.float32) -> bool:
    """False for NaN as well."""
    return bool(np.all(np.abs(values) <= limit))

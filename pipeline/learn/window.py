"""Samples in, quantized windows out: the NumPy twin of firmware/lib/window, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.errors import InputError

Array = np.ndarray[Any, Any]

_STEP_LIMIT = np.float32(512.0)


def quantize_samples(x: Array, mean: Array, gain: Array, zero_point: int) -> Array:
    """Samples (..., C) in g and rad/s -> int8 (..., C).

    v = (x - mean) * gain in float32; q = clamp(round_half_away(v) + zero_point, -128, 127).
    mean (C,) in the units of x, gain (C,) quantization steps per unit. Raises InputError when a
    sample is NaN or infinite.
    """
    x = np.asarray(x, np.float32)
    if not np.isfinite(x).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InputError(f"samples: the value at {at} is not finite; drop that stretch")
    with np.errstate(over="ignore"):
        v = (x - mean.astype(np.float32)) * gain.astype(np.float32)
    v = np.clip(v, -_STEP_LIMIT, _STEP_LIMIT)
    whole = np.trunc(v)
    fraction = v - whole
    q = whole + (fraction >= 0.5) - (fraction <= -0.5) + np.float32(zero_point)
    return np.asarray(np.clip(q, -128, 127), np.int8)


class WindowReference:
    """A window of ``length`` samples, complete every ``hop`` samples once full."""

    def __init__(self, length: int, hop: int, mean: Array, gain: Array, zero_point: int) -> None:
        if not 1 <= hop <= length:
            raise InputError(f"window: hop {hop} must be 1 to {length} samples")
        self.length, self.hop = length, hop
        self._mean, self._gain, self._zero_point = mean, gain, zero_point
        self.restart()

    def restart(self) -> None:
        """Forgets all samples: no window straddles a gap."""
        self._rows = np.zeros((0, len(self._mean)), np.int8)
        self._until_next = self.length

    def push(self, samples: Array) -> list[tuple[int, Array]]:
        """Takes samples (n, C) in g and rad/s, without a gap to those before.

        Returns, for each window that they complete, the position in ``samples`` of its last
        sample and the window, int8 (length, C). Raises InputError, with nothing taken, when a
        value is not finite.
        """
        fresh = quantize_samples(samples, self._mean, self._gain, self._zero_point)
        rows = np.concatenate([self._rows, fresh])
        before = len(self._rows)
        complete = []
        position = self._until_next - 1
        while position < len(fresh):
            end = before + position + 1
            complete.append((position, rows[end - self.length : end].copy()))
            position += self.hop
        self._until_next = position + 1 - len(fresh)
        self._rows = rows[-self.length :]
        return complete

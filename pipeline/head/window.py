"""Samples in, quantized windows out: the NumPy twin of firmware/lib/window, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array

_STEP_LIMIT = np.float32(512.0)


def compand(x: Array, knee: Array) -> Array:
    """Samples (..., C) -> float32 (..., C): x / (|x| + knee) where knee > 0, else x itself.

    Keeps small motions apart from rounding without losing large ones: the slope falls from 1/knee
    at rest to nothing, the value reaches 1/2 at the knee. One IEEE addition and one division, so
    every machine gives the same bits. knee (C,) is in the units of x.
    """
    x, knee = np.asarray(x, np.float32), np.asarray(knee, np.float32)
    divisor = np.where(knee > 0, np.abs(x) + knee, np.float32(1.0))
    companded: Array = x / divisor
    return companded


@dataclass(frozen=True, eq=False)
class SampleQuantization:
    """How a sample becomes int8. float32 (C,): ``knee`` in the channel's unit (0: linear),
    ``mean`` of the companded channel, ``gain`` in quantization steps per unit of it."""

    knee: Array
    mean: Array
    gain: Array
    zero_point: int


def quantize_values(values: Array, mean: Array, gain: Array, zero_point: int) -> Array:
    """float32 of any shape -> int8: v = (value - mean) * gain in float32; q =
    clamp(round_half_away(v) + zero_point, -128, 127)."""
    with np.errstate(over="ignore"):
        v = (values - np.asarray(mean, np.float32)) * np.asarray(gain, np.float32)
    v = np.clip(v, -_STEP_LIMIT, _STEP_LIMIT)
    whole = np.trunc(v)
    fraction = v - whole
    q = whole + (fraction >= 0.5) - (fraction <= -0.5) + np.float32(zero_point)
    return np.asarray(np.clip(q, -128, 127), np.int8)


def quantize_samples(x: Array, quantization: SampleQuantization) -> Array:
    """Samples (..., C) in g and rad/s -> int8 (..., C).

    Companded, then as `quantize_values`. Raises InputError when a sample is NaN or infinite.
    """
    x = np.asarray(x, np.float32)
    if not np.isfinite(x).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise InputError(f"samples: the value at {at} is not finite; drop that stretch")
    return quantize_values(
        compand(x, quantization.knee), quantization.mean, quantization.gain, quantization.zero_point
    )

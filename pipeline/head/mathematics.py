"""The exponential and the softmax of firmware/lib/head/har_math.c, bit for bit.

NumPy's elementwise float32 operations round once each, as C's do without contraction. What NumPy
may reorder (sum, dot, matmul) is not used.
"""

from __future__ import annotations

import numpy as np

from pipeline.core.types import Array

_LOG2_E = np.float32(float.fromhex("0x1.715476p+0"))
_LN2_HIGH = np.float32(float.fromhex("0x1.63p-1"))
_LN2_LOW = np.float32(float.fromhex("-0x1.bd0106p-13"))
_P0 = np.float32(float.fromhex("0x1.fffffcp-2"))
_P1 = np.float32(float.fromhex("0x1.55548ap-3"))
_P2 = np.float32(float.fromhex("0x1.555916p-5"))
_P3 = np.float32(float.fromhex("0x1.123fc6p-7"))
_P4 = np.float32(float.fromhex("0x1.6a1a72p-10"))
_LOWEST = np.float32(-87.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)


def exp32(x: Array) -> Array:
    """e^x for x <= 0, float32 of any shape, within 1 ulp; 0 below -87 (and for NaN).

    Range reduction after Cody & Waite (1980), then a polynomial of degree 4; the constants are
    described in firmware/lib/head/har_math.c.
    """
    x = np.asarray(x, np.float32)
    inside = x >= _LOWEST
    x = np.minimum(np.where(inside, x, _LOWEST), np.float32(0.0))
    k = np.asarray(np.trunc(x * _LOG2_E - _HALF)).astype(np.int32)
    k_float = k.astype(np.float32)
    r = x - k_float * _LN2_HIGH
    r = r - k_float * _LN2_LOW
    p = _P4 * r + _P3
    p = p * r + _P2
    p = p * r + _P1
    p = p * r + _P0
    y = (r * r) * p
    y = y + r
    y = y + _ONE
    power = np.ldexp(_ONE, k)
    return np.where(inside, y * power, np.float32(0.0)).astype(np.float32)


def softmax(logits: Array) -> Array:
    """Logits (..., K) -> probabilities (..., K), float32; the sum runs from k = 0 upwards."""
    logits = np.asarray(logits, np.float32)
    largest = logits[..., 0]
    for k in range(1, logits.shape[-1]):  # not max(): C meets a NaN otherwise
        largest = np.where(logits[..., k] > largest, logits[..., k], largest)
    e = exp32(logits - largest[..., None])
    total = np.zeros(logits.shape[:-1], np.float32)
    for k in range(logits.shape[-1]):
        total = total + e[..., k]
    return np.asarray(e / total[..., None], np.float32)

"""Quantization arithmetic on the host, exactly as TFLite-Micro's Prepare functions do it."""

from __future__ import annotations

import math

import numpy as np

from pipeline.compiler.errors import Refusal

INT8_MIN, INT8_MAX = -128, 127
_INT32_MAX = (1 << 31) - 1
_MAX_LEFT_SHIFT = 30

ACTIVATIONS: dict[int, tuple[str, float | None, float | None]] = {
    0: ("NONE", None, None),
    1: ("RELU", 0.0, None),
    2: ("RELU_N1_TO_1", -1.0, 1.0),
    3: ("RELU6", 0.0, 6.0),
}


def quantize_multiplier(real: float) -> tuple[int, int]:
    """A non-negative real factor as (multiplier, shift): multiplier / 2^31 * 2^shift.

    Raises Refusal where the factor is not finite or needs a left shift beyond 30.
    Source: QuantizeMultiplier in tensorflow/lite/kernels/internal/quantization_util.cc.
    """
    if not (math.isfinite(real) and real >= 0.0):
        raise Refusal(f"a scale factor is {real}")
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    if shift > _MAX_LEFT_SHIFT:
        raise Refusal(f"a scale factor of {real:g} is too large")
    return multiplier, shift


def quantize_multiplier_below_one(real: float) -> tuple[int, int]:
    """As ``quantize_multiplier``; raises Refusal unless 0 < real < 1 and the shift is <= 0."""
    if not 0.0 < real < 1.0:
        raise Refusal(f"a scale factor of {real:g} is outside (0, 1)")
    multiplier, shift = quantize_multiplier(real)
    if shift > 0:
        raise Refusal(f"a scale factor of {real:g} rounds to 1")
    return multiplier, shift


def quantize_bound(real: float, scale: float, zero_point: int) -> int:
    """An activation's real bound on a tensor's int8 grid: float32 division, halves away from zero.
    Raises Refusal beyond int32."""
    steps = float(np.float32(real) / np.float32(scale))
    if not abs(steps) < _INT32_MAX:
        raise Refusal(f"the activation bound {real:g} is out of range at scale {scale:g}")
    return zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))


def activation_range(activation: int, scale: float, zero_point: int) -> tuple[int, int]:
    """The int8 range [min, max] that a fused activation leaves. Raises Refusal for others."""
    if activation not in ACTIVATIONS:
        raise Refusal(f"fused activation {activation} is not supported")
    _, low, high = ACTIVATIONS[activation]
    return (
        INT8_MIN if low is None else max(INT8_MIN, quantize_bound(low, scale, zero_point)),
        INT8_MAX if high is None else min(INT8_MAX, quantize_bound(high, scale, zero_point)),
    )


def softmax_scaling(beta: float, input_scale: float) -> tuple[int, int, int]:
    """(multiplier, left_shift, difference_min) that bring beta * (q - max) to Q5.26.

    Source: PreprocessSoftmaxScaling and CalculateInputRadius, with 5 integer bits.
    """
    integer_bits = 5
    real = min(beta * input_scale * (1 << (31 - integer_bits)), (1 << 31) - 1.0)
    if not real > 1.0:
        raise Refusal(f"beta * input scale = {beta * input_scale:g} is too small")
    multiplier, left_shift = quantize_multiplier(real)
    radius = ((1 << integer_bits) - 1) * (1 << (31 - integer_bits)) / (1 << left_shift)
    return multiplier, left_shift, -math.floor(radius)


def mean_multiplier(real: float, count: int) -> tuple[int, int]:
    """(multiplier, shift) of real / count, the division done on the fixed-point multiplier.

    Source: QuantizedMeanOrSum in tensorflow/lite/kernels/internal/reference/reduce.h.
    """
    multiplier, shift = quantize_multiplier(real)
    extra = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << extra) // count, shift - extra


def window_output(size: int, kernel: int, stride: int, dilation: int, same: bool) -> int:
    """Output positions of a window along one axis; may be <= 0 where the kernel does not fit."""
    if same:
        return -(-size // stride)
    reach = (kernel - 1) * dilation + 1
    return (size + stride - reach) // stride


def window_padding(size: int, kernel: int, stride: int, dilation: int, output: int) -> int:
    """Zeros in front of the first element along one axis (the smaller half in SAME)."""
    reach = (kernel - 1) * dilation + 1
    return max((output - 1) * stride + reach - size, 0) // 2

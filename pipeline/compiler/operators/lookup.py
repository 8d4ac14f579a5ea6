"""Functions of single elements, each a table of 256 outputs made here.

QUANTIZE, RELU, RELU6, LEAKY_RELU, LOGISTIC, TANH and HARD_SWISH.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod

import numpy as np

from pipeline.compiler.errors import Refusal
from pipeline.compiler.fixedpoint import INT8_MAX, INT8_MIN, quantize_bound, quantize_multiplier
from pipeline.compiler.graph import Constant, KernelCall, TensorInfo
from pipeline.compiler.integer import logistic, mul_high, requant, round_shift, saturate, tanh
from pipeline.compiler.operands import Operands, require, same_quantization
from pipeline.compiler.operators.operator import SAME_SCALE, Operator

_INPUT_INTEGER_BITS = 4  # of LOGISTIC and TANH

# Gives the output above its zero point for an input above its own.
Function = Callable[[int], int]


def _lookup(
    curve: Callable[[Operands, TensorInfo, TensorInfo], Function],
) -> Callable[[Operands], KernelCall]:
    def lower(op: Operands) -> KernelCall:
        op.require_count(1)
        source, target = op.activation(0), op.output()
        require(source.shape == target.shape, f"shape {source.shape} to {target.shape}")
        function = curve(op, source, target)
        steps = range(INT8_MIN - source.zero_point, INT8_MAX + 1 - source.zero_point)
        table = [saturate(function(x) + target.zero_point, 8) for x in steps]
        return op.call(
            "har_lookup_s8",
            {"size": prod(target.shape)},
            arrays=(Constant("table", np.array(table, np.int8)),),
        )

    return lower


def _lower_quantize(op: Operands) -> KernelCall:
    op.require_count(1)
    tensors = op.tensors[op.input_index(0)], op.tensors[op.output_index]
    require(
        all(tensor.type != "FLOAT32" for tensor in tensors),
        "float32 inside of the network; it is taken only as the network's input",
    )
    return _lookup(_quantize)(op)


def _quantize(_: Operands, source: TensorInfo, target: TensorInfo) -> Function:
    factor = quantize_multiplier(source.scale / target.scale)
    return lambda x: requant(x, *factor)


def _relu(_: Operands, source: TensorInfo, target: TensorInfo) -> Function:
    factor = quantize_multiplier(_float32_ratio(source.scale, target.scale))
    return lambda x: max(0, requant(x, *factor))


def _relu6(_: Operands, source: TensorInfo, target: TensorInfo) -> Function:
    require(same_quantization(source, target), "input and output differ in scale or zero point")
    six = quantize_bound(6.0, source.scale, 0)
    return lambda x: max(0, min(six, x))


def _leaky_relu(op: Operands, source: TensorInfo, target: TensorInfo) -> Function:
    alpha = op.real("alpha")
    require(math.isfinite(alpha), f"alpha {alpha}")
    identity = quantize_multiplier(_float32_ratio(source.scale, target.scale))
    slope = _float32_ratio(float(np.float32(source.scale) * np.float32(alpha)), target.scale)
    multiplier, shift = quantize_multiplier(abs(slope))
    negative = multiplier if slope >= 0 else -multiplier, shift
    return lambda x: requant(x, *(identity if x >= 0 else negative))


def _float32_ratio(a: float, b: float) -> float:
    """As TFLM divides scales here: in float32."""
    return float(np.float32(a) / np.float32(b))


def _logistic(_: Operands, source: TensorInfo, target: TensorInfo) -> Function:
    return _saturating(source, target, logistic, fraction_bits=8, zero_point=INT8_MIN)


def _tanh(_: Operands, source: TensorInfo, target: TensorInfo) -> Function:
    return _saturating(source, target, tanh, fraction_bits=7, zero_point=0)


def _saturating(
    source: TensorInfo,
    target: TensorInfo,
    function: Callable[[int], int],
    *,
    fraction_bits: int,
    zero_point: int,
) -> Function:
    """A function of Q4 that is flat beyond it; its output counts 2^-fraction_bits."""
    require(
        target.scale == 2.0**-fraction_bits and target.zero_point == zero_point,
        f"output scale {target.scale:g} and zero point {target.zero_point}, "
        f"not 1/{1 << fraction_bits} and {zero_point}",
    )
    one = 1 << (31 - _INPUT_INTEGER_BITS)
    multiplier, shift = quantize_multiplier(source.scale * one)
    if shift < 0:
        raise Refusal(f"an input scale of {source.scale:g} is too small")
    radius = ((1 << _INPUT_INTEGER_BITS) - 1) * one >> shift
    top = 1 << fraction_bits

    def output(x: int) -> int:
        if abs(x) >= radius:
            return top if x > 0 else (0 if zero_point else -top)
        return round_shift(function(requant(x, multiplier, shift)), 31 - fraction_bits)

    return output


def _hard_swish(_: Operands, source: TensorInfo, target: TensorInfo) -> Function:
    """x * (min(max(x, -3), 3) + 3) / 6, in int16 as TFLM has it."""
    fine = np.float32(source.scale) * np.float32(1 / 128)
    multiplier, shift = _int16_multiplier(fine / np.float32(target.scale))
    clip_multiplier, clip_shift = _int16_multiplier(fine / np.float32(3 / 32768))
    require(shift <= 0, f"scales {source.scale:g} to {target.scale:g}: a factor above 1")

    def output(x: int) -> int:
        clipped = x << 7
        if clip_shift > 0:
            clipped = saturate(clipped << (clip_shift - 1), 16)
        clipped = mul_high(clipped, clip_multiplier, 16)
        if clip_shift > 0:
            clipped = saturate(clipped << 1, 16)
        else:
            clipped = round_shift(clipped, -clip_shift)
        half = (clipped + (1 << 15)) >> 1
        product = half * mul_high(x << 7, multiplier, 16)
        return round_shift(_toward_zero(product, 15), -shift)

    return output


def _toward_zero(x: int, bits: int) -> int:
    return x >> bits if x >= 0 else -(-x >> bits)


def _int16_multiplier(real: np.float32) -> tuple[int, int]:
    multiplier, shift = quantize_multiplier(float(real))
    return min((multiplier + (1 << 15)) >> 16, (1 << 15) - 1), shift


OPERATORS = {
    "HARD_SWISH": Operator(
        "HardSwish",
        1,
        _lookup(_hard_swish),
        "any scales",
        "an output scale below 1/128 of the input's",
    ),
    "LEAKY_RELU": Operator("LeakyRelu", 2, _lookup(_leaky_relu), "any scales and slope", "-"),
    "LOGISTIC": Operator(
        "Logistic",
        3,
        _lookup(_logistic),
        "any input scale",
        "an output scale other than 1/256, or zero point other than -128",
    ),
    "QUANTIZE": Operator(
        "Quantize",
        4,
        _lower_quantize,
        "int8 to int8; a float32 input of the network to int8",
        "int16 on either side; float32 elsewhere",
    ),
    "RELU": Operator("Relu", 3, _lookup(_relu), "any scales", "-"),
    "RELU6": Operator("Relu6", 3, _lookup(_relu6), "one scale for both", SAME_SCALE),
    "TANH": Operator(
        "Tanh",
        3,
        _lookup(_tanh),
        "any input scale",
        "an output scale other than 1/128, or zero point other than 0",
    ),
}

"""QUANTIZE, RELU and RELU6: element by element."""

from __future__ import annotations

from math import prod

import numpy as np

from pipeline.compiler.fixedpoint import (
    INT8_MAX,
    INT8_MIN,
    quantize_bound,
    quantize_multiplier,
)
from pipeline.compiler.graph import KernelCall
from pipeline.compiler.operands import Operands, require, same_quantization
from pipeline.compiler.operators.operator import SAME_SCALE, Operator


def lower_requantize(op: Operands) -> KernelCall:
    """QUANTIZE (int8 to int8) and RELU."""
    op.require_count(1)
    source, target = op.activation(0), op.output()
    require(source.shape == target.shape, f"shape {source.shape} to {target.shape}")
    if op.operator.name == "RELU":  # TFLM divides in float32 here
        factor = float(np.float32(source.scale) / np.float32(target.scale))
        low = max(INT8_MIN, target.zero_point)
    else:
        factor = source.scale / target.scale
        low = INT8_MIN
    multiplier, shift = quantize_multiplier(factor)
    return op.call(
        "har_requantize_s8",
        {
            "size": prod(target.shape),
            "input_zero_point": source.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": target.zero_point,
            "activation_min": low,
            "activation_max": INT8_MAX,
        },
    )


def lower_relu6(op: Operands) -> KernelCall:
    op.require_count(1)
    source, target = op.activation(0), op.output()
    require(source.shape == target.shape, f"shape {source.shape} to {target.shape}")
    require(same_quantization(source, target), "input and output differ in scale or zero point")
    six = quantize_bound(6.0, source.scale, source.zero_point)
    return op.call(
        "har_clamp_s8",
        {
            "size": prod(target.shape),
            "activation_min": source.zero_point,
            "activation_max": min(INT8_MAX, six),
        },
    )


OPERATORS = {
    "QUANTIZE": Operator(
        "Quantize", 4, lower_requantize, "int8 to int8", "float32 or int16 on either side"
    ),
    "RELU": Operator("Relu", 3, lower_requantize, "any scales", "-"),
    "RELU6": Operator("Relu6", 3, lower_relu6, "one scale for both", SAME_SCALE),
}

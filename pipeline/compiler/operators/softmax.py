"""SOFTMAX."""

from __future__ import annotations

from math import prod

from pipeline.compiler.fixedpoint import (
    INT8_MIN,
    softmax_scaling,
)
from pipeline.compiler.graph import KernelCall
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.operators.operator import Operator

MAX_SOFTMAX_DEPTH = 511  # beyond it TFLM's own exponent check can stop the program


def lower_softmax(op: Operands) -> KernelCall:
    op.require_count(1)
    source, target = op.activation(0), op.output()
    require(len(source.shape) >= 1 and source.shape == target.shape, f"output {target.shape}")
    require(
        target.scale == 1 / 256 and target.zero_point == INT8_MIN,
        f"output scale {target.scale:g} and zero point {target.zero_point}, not 1/256 and -128",
    )
    depth = source.shape[-1]
    require(depth <= MAX_SOFTMAX_DEPTH, f"{depth} classes; at most {MAX_SOFTMAX_DEPTH}")
    multiplier, left_shift, difference_min = softmax_scaling(op.real("beta"), source.scale)
    return op.call(
        "har_softmax_s8",
        {
            "rows": prod(source.shape) // depth,
            "depth": depth,
            "multiplier": multiplier,
            "left_shift": left_shift,
            "difference_min": difference_min,
        },
    )


OPERATORS = {
    "SOFTMAX": Operator(
        "Softmax",
        3,
        lower_softmax,
        "the last axis, up to 511 classes; any beta",
        "an output scale other than 1/256, or zero point other than -128",
    ),
}

"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from __future__ import annotations

import numpy as np

from pipeline.compiler.graph import KernelCall
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.operators.operator import FUSED, SAME_SCALE, Operator, activation_limits
from pipeline.compiler.operators.window import window_params

_POOL_SCALE_TOLERANCE = 1e-6
_POOL = f"SAME and VALID padding, any window and stride; {FUSED}"


def lower_pool(op: Operands) -> KernelCall:
    op.require_count(1)
    source, target = op.activation(0, rank=4), op.output(rank=4)
    require(
        float(abs(np.float32(source.scale) - np.float32(target.scale))) <= _POOL_SCALE_TOLERANCE
        and source.zero_point == target.zero_point,
        "input and output differ in scale or zero point",
    )
    require(source.shape[3] == target.shape[3], f"output of shape {target.shape}")
    window, _ = window_params(op, source, target, *op.options("kernel_height", "kernel_width"))
    average = op.operator.name == "AVERAGE_POOL_2D"
    return op.call(
        "har_average_pool2d_s8" if average else "har_max_pool2d_s8",
        {
            "input_height": source.shape[1],
            "input_width": source.shape[2],
            "channels": source.shape[3],
            **window,
            **activation_limits(op, target),
        },
        struct="har_pool2d_params",
    )


OPERATORS = {
    "AVERAGE_POOL_2D": Operator("AveragePool2D", 3, lower_pool, _POOL, SAME_SCALE),
    "MAX_POOL_2D": Operator("MaxPool2D", 3, lower_pool, _POOL, SAME_SCALE),
}

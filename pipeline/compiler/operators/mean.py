"""MEAN."""

from __future__ import annotations

from math import prod

from pipeline.compiler.fixedpoint import (
    mean_multiplier,
)
from pipeline.compiler.graph import KernelCall
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.operators.operator import Operator


def lower_mean(op: Operands) -> KernelCall:
    op.require_count(2)
    source, target = op.activation(0), op.output()
    _, values = op.constant(1, "INT32")
    rank = len(source.shape)
    require(all(-rank <= axis < rank for axis in values.flat), f"axes {values.tolist()}")
    axes = sorted({int(axis) % rank for axis in values.flat})
    require(
        bool(axes) and axes == list(range(axes[0], axes[-1] + 1)),
        f"axes {axes} do not follow each other",
    )
    first, last = axes[0], axes[-1] + 1
    kept = tuple(1 if first <= axis < last else n for axis, n in enumerate(source.shape))
    squeezed = source.shape[:first] + source.shape[last:]
    require(target.shape in (kept, squeezed), f"output of shape {target.shape}")
    count = prod(source.shape[first:last])
    multiplier, shift = mean_multiplier(source.scale / target.scale, count)
    return op.call(
        "har_mean_s8",
        {
            "outer": prod(source.shape[:first]),
            "count": count,
            "inner": prod(source.shape[last:]),
            "input_zero_point_sum": count * source.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": target.zero_point,
        },
    )


OPERATORS = {
    "MEAN": Operator(
        "Mean", 3, lower_mean, "axes that follow each other, kept or not", "other choices of axes"
    ),
}

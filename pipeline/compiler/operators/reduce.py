"""MEAN and REDUCE_MAX."""

from __future__ import annotations

from math import prod

from pipeline.compiler.fixedpoint import mean_multiplier
from pipeline.compiler.graph import KernelCall, TensorInfo
from pipeline.compiler.operands import Operands, require, same_quantization
from pipeline.compiler.operators.operator import SAME_SCALE, Operator


def _reduced(op: Operands) -> tuple[TensorInfo, TensorInfo, dict[str, int]]:
    """Input, output, and the input seen as (outer, count, inner), of which ``count`` vanish."""
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
    sizes = {
        "outer": prod(source.shape[:first]),
        "count": prod(source.shape[first:last]),
        "inner": prod(source.shape[last:]),
    }
    return source, target, sizes


def lower_mean(op: Operands) -> KernelCall:
    source, target, sizes = _reduced(op)
    multiplier, shift = mean_multiplier(source.scale / target.scale, sizes["count"])
    return op.call(
        "har_mean_s8",
        {
            **sizes,
            "input_zero_point_sum": sizes["count"] * source.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": target.zero_point,
        },
    )


def lower_reduce_max(op: Operands) -> KernelCall:
    source, target, sizes = _reduced(op)
    require(same_quantization(source, target), "input and output differ in scale or zero point")
    return op.call("har_reduce_max_s8", sizes)


_AXES = "axes that follow each other, kept or not"
_OTHER_AXES = "other choices of axes"

OPERATORS = {
    "MEAN": Operator("Mean", 3, lower_mean, _AXES, _OTHER_AXES),
    "REDUCE_MAX": Operator("ReduceMax", 3, lower_reduce_max, _AXES, f"{_OTHER_AXES}; {SAME_SCALE}"),
}

"""CONCATENATION."""

from __future__ import annotations

from math import prod

import numpy as np

from pipeline.compiler.graph import Constant, KernelCall
from pipeline.compiler.operands import Operands, require, same_quantization
from pipeline.compiler.operators.operator import SAME_SCALE, Operator

MAX_CONCATENATED = 10


def lower_concatenation(op: Operands) -> KernelCall:
    op.require_count(1, MAX_CONCATENATED)
    target = op.output()
    rank = len(target.shape)
    axis, activation = op.options("axis", "activation")
    require(activation == 0, "a fused activation")
    require(-rank <= axis < rank, f"axis {axis} of {rank}")
    axis %= rank
    widths = []
    for position in range(len(op.operator.inputs)):
        source = op.activation(position, rank=rank)
        require(
            same_quantization(source, target),
            f"input {position} differs from the output in scale or zero point",
        )
        require(
            source.shape[:axis] + source.shape[axis + 1 :]
            == target.shape[:axis] + target.shape[axis + 1 :],
            f"input {position} of shape {source.shape} for {target.shape}",
        )
        widths.append(prod(source.shape[axis:]))
    require(sum(widths) == prod(target.shape[axis:]), f"output of shape {target.shape}")
    return op.call(
        "har_concatenation_s8",
        {"outer": prod(target.shape[:axis]), "count": len(widths)},
        inputs=len(widths),
        arrays=(Constant("widths", np.array(widths, np.int32)),),
        gathered=True,
    )


OPERATORS = {
    "CONCATENATION": Operator(
        "Concatenation",
        4,
        lower_concatenation,
        "up to 10 activations along any axis",
        f"{SAME_SCALE}; a fused activation",
    ),
}

"""PRELU."""

from __future__ import annotations

from pipeline.compiler.fixedpoint import quantize_multiplier
from pipeline.compiler.graph import KernelCall
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.operators.arithmetic import call_of_pair, pair_of
from pipeline.compiler.operators.operator import Operator


def lower_prelu(op: Operands) -> KernelCall:
    pair = pair_of(op)
    require(pair.constant is not None and not pair.swapped, "a slope that is computed")
    source, slope, target = pair.a, pair.b, pair.target
    above = quantize_multiplier(source.scale / target.scale)
    below = quantize_multiplier(source.scale * slope.scale / target.scale)
    return call_of_pair(
        op,
        "har_prelu_s8",
        pair,
        {
            "over": pair.over(),
            "input_offset": -source.zero_point,
            "slope_offset": -slope.zero_point,
            "multiplier": above[0],
            "shift": above[1],
            "slope_multiplier": below[0],
            "slope_shift": below[1],
            "output_zero_point": target.zero_point,
        },
    )


OPERATORS = {
    "PRELU": Operator(
        "Prelu", 1, lower_prelu, "constant slopes, repeated along any axes", "computed slopes"
    ),
}

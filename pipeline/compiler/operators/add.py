"""ADD of two activations of one shape, the way that costs least."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from pipeline.compiler.fixedpoint import (
    quantize_multiplier_below_one,
)
from pipeline.compiler.graph import KernelCall
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.operators.operator import activation_limits

_ADD_HEADROOM_BITS = 20


def lower_add(op: Operands) -> KernelCall:
    op.require_count(2)
    a, b, target = op.activation(0), op.activation(1), op.output()
    require(
        a.shape == b.shape == target.shape,
        f"shapes {a.shape} and {b.shape} to {target.shape} (broadcasting)",
    )
    swapped = a.scale < b.scale
    larger, smaller = (b, a) if swapped else (a, b)
    # TFLM brings both to twice the larger scale, the larger by a half, which is exact.
    smaller_multiplier, smaller_shift = quantize_multiplier_below_one(
        smaller.scale / (2 * larger.scale)
    )
    output_multiplier, output_shift = quantize_multiplier_below_one(
        2 * larger.scale / ((1 << _ADD_HEADROOM_BITS) * target.scale)
    )
    call = op.call(
        "har_add_s8",
        {
            "size": prod(target.shape),
            "larger_offset": -larger.zero_point * (1 << _ADD_HEADROOM_BITS),
            "smaller_offset": -smaller.zero_point * (1 << (_ADD_HEADROOM_BITS + 1)),
            "smaller_multiplier": smaller_multiplier,
            "output_multiplier": output_multiplier,
            "smaller": _rounding(-smaller_shift),
            "output": _rounding(-output_shift),
            "output_zero_point": target.zero_point,
            **activation_limits(op, target),
        },
        inputs=2,
    )
    return replace(call, inputs=call.inputs[::-1]) if swapped else call


def _rounding(shift: int) -> tuple[int, int, int]:
    """har_rounding of a division by 2^shift."""
    return (1 << (shift - 1), -1, shift) if shift else (0, 0, 0)

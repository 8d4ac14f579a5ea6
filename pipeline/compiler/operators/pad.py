"""PAD and PADV2."""

from __future__ import annotations

import numpy as np

from pipeline.compiler.graph import KernelCall
from pipeline.compiler.operands import Operands, require, same_quantization
from pipeline.compiler.operators.operator import SAME_SCALE, Operator


def lower_pad(op: Operands) -> KernelCall:
    op.require_count(2, 3)
    source, target = op.activation(0), op.output()
    rank = len(source.shape)
    require(1 <= rank <= 4, f"input of shape {source.shape}")
    require(same_quantization(source, target), "input and output differ in scale or zero point")
    tensor, paddings = op.constant(1, "INT32")
    require(paddings.shape == (rank, 2), f"paddings of shape {tensor.shape}")
    require(bool(np.all(paddings >= 0)), f"paddings {paddings.tolist()}")
    expected = tuple(n + int(p[0]) + int(p[1]) for n, p in zip(source.shape, paddings, strict=True))
    require(target.shape == expected, f"output of shape {target.shape}, not {expected}")
    value = target.zero_point
    if not op.absent(2):
        fill, values = op.constant(2, "INT8")
        require(values.size == 1, f"{values.size} padding values")
        require(
            len(fill.scales) == 1
            and len(fill.zero_points) == 1
            and float(fill.scales[0]) == target.scale
            and int(fill.zero_points[0]) == target.zero_point,
            "the padding value differs in scale or zero point",
        )
        value = int(values.flat[0])
    lead = (1,) * (4 - rank)
    return op.call(
        "har_pad_s8",
        {
            "input_shape": lead + source.shape,
            "before": (0,) * (4 - rank) + tuple(int(p) for p in paddings[:, 0]),
            "output_shape": lead + target.shape,
            "value": value,
        },
    )


OPERATORS = {
    "PAD": Operator("Pad", 4, lower_pad, "up to 4 axes, int32 paddings", SAME_SCALE),
    "PADV2": Operator(
        "PadV2", 4, lower_pad, "as PAD, with a constant int8 value", f"{SAME_SCALE}, or the value"
    ),
}

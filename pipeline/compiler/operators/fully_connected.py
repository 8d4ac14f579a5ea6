"""FULLY_CONNECTED."""

from __future__ import annotations

from math import prod

import numpy as np

from pipeline.compiler.graph import Constant, KernelCall, TensorInfo
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.operators.operator import FUSED, Operator, activation_limits
from pipeline.compiler.operators.weights import (
    WEIGHTS,
    WEIGHTS_REFUSED,
    folded_bias,
    multipliers,
    weight_scales,
)

_BIAS_SCALE_TOLERANCE = 0.02


def lower_fully_connected(op: Operands) -> KernelCall:
    op.require_count(2, 3)
    source, target = op.activation(0), op.output()
    tensor, weights = op.constant(1, "INT8")
    (weights_format,) = op.options("weights_format")
    require(weights_format == 0, f"weights format {weights_format}")
    require(weights.ndim == 2, f"weights of shape {tensor.shape}")
    output_size, input_size = tensor.shape
    require(
        len(target.shape) >= 1 and target.shape[-1] == output_size,
        f"output of shape {target.shape} for weights of shape {tensor.shape}",
    )
    rows = prod(target.shape) // output_size
    require(
        prod(source.shape) == rows * input_size,
        f"input of shape {source.shape} for weights of shape {tensor.shape}",
    )
    bias = folded_bias(op, source, weights)
    scales = weight_scales(tensor, 0, output_size)
    if len(scales) > 1:
        factors = [source.scale * float(scale) / target.scale for scale in scales]
    else:
        _check_bias_scale(op, source, target, float(scales[0]))
        # TFLM multiplies these two in float32 here, and only here.
        product = np.float32(source.scale) * np.float32(scales[0])
        factors = [float(product) / target.scale]
    return op.call(
        "har_fully_connected_s8",
        {
            "rows": rows,
            "input_size": input_size,
            "output_size": output_size,
            "per_channel": int(len(scales) > 1),
            "output_zero_point": target.zero_point,
            **activation_limits(op, target),
        },
        arrays=(Constant("weights", weights), Constant("bias", bias), *multipliers(factors)),
        macs=rows * input_size * output_size,
    )


def _check_bias_scale(
    op: Operands, source: TensorInfo, target: TensorInfo, weight_scale: float
) -> None:
    """TFLM's own condition on a per-tensor FULLY_CONNECTED, else it does not start."""
    if op.absent(2):
        return
    bias, _ = op.constant(2, "INT32")
    require(len(bias.scales) >= 1, "a bias without a scale")
    difference = abs(source.scale * weight_scale - float(bias.scales[0]))
    require(
        difference / target.scale <= _BIAS_SCALE_TOLERANCE,
        f"a bias of scale {float(bias.scales[0]):g}, not input scale * weight scale",
    )


OPERATORS = {
    "FULLY_CONNECTED": Operator(
        "FullyConnected",
        13,
        lower_fully_connected,
        f"any rank of input; {WEIGHTS}; {FUSED}",
        f"shuffled weights; a bias on another scale than input x weights; {WEIGHTS_REFUSED}",
    ),
}

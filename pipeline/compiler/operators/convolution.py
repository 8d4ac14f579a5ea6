"""CONV_2D and DEPTHWISE_CONV_2D."""

from __future__ import annotations

import numpy as np

from pipeline.compiler.graph import Constant, KernelCall
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.operators.operator import FUSED, Operator, activation_limits
from pipeline.compiler.operators.weights import (
    WEIGHTS,
    WEIGHTS_REFUSED,
    folded_bias,
    multipliers,
    weight_scales,
)
from pipeline.compiler.operators.window import window_params


def lower_convolution(op: Operands) -> KernelCall:
    """CONV_2D and DEPTHWISE_CONV_2D."""
    depthwise = op.operator.name == "DEPTHWISE_CONV_2D"
    op.require_count(2, 3)
    source, target = op.activation(0, rank=4), op.output(rank=4)
    tensor, weights = op.constant(1, "INT8")
    require(weights.ndim == 4, f"weights of shape {tensor.shape}")
    _, height, width, channels = source.shape
    if depthwise:
        one, kernel_height, kernel_width, out_channels = tensor.shape
        (multiplier,) = op.options("depth_multiplier")
        require(
            one == 1 and out_channels == channels * multiplier,
            f"weights of shape {tensor.shape} for {channels} channels, multiplier {multiplier}",
        )
    else:
        out_channels, kernel_height, kernel_width, depth = tensor.shape
        require(depth == channels, f"weights of depth {depth} for {channels} channels (groups)")

    window, macs_per_channel = window_params(op, source, target, kernel_height, kernel_width)
    require(target.shape[3] == out_channels, f"output of shape {target.shape}")

    axis = 3 if depthwise else 0
    per_channel = np.moveaxis(weights, axis, 0).reshape(out_channels, -1)
    bias = folded_bias(op, source, per_channel)
    scales = weight_scales(tensor, axis, out_channels)
    factors = [source.scale * float(scale) / target.scale for scale in scales]
    dilation_height, dilation_width = op.options("dilation_height", "dilation_width")
    return op.call(
        "har_depthwise_conv2d_s8" if depthwise else "har_conv2d_s8",
        {
            "input_height": height,
            "input_width": width,
            "input_channels": channels,
            **window,
            "dilation_height": dilation_height,
            "dilation_width": dilation_width,
            "output_channels": out_channels,
            "input_zero_point": source.zero_point,
            "output_zero_point": target.zero_point,
            **activation_limits(op, target),
        },
        struct="har_conv2d_params",
        arrays=(
            Constant("weights", weights),
            Constant("bias", bias),
            *multipliers(factors * (out_channels if len(factors) == 1 else 1)),
        ),
        macs=macs_per_channel * out_channels * (1 if depthwise else channels),
    )


OPERATORS = {
    "CONV_2D": Operator(
        "Conv2D",
        8,
        lower_convolution,
        f"SAME and VALID padding, any stride and dilation; {WEIGHTS}; {FUSED}",
        f"groups; {WEIGHTS_REFUSED}",
    ),
    "DEPTHWISE_CONV_2D": Operator(
        "DepthwiseConv2D",
        7,
        lower_convolution,
        f"as CONV_2D, any depth multiplier; {WEIGHTS}; {FUSED}",
        WEIGHTS_REFUSED,
    ),
}

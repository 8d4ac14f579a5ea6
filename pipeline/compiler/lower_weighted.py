"""CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED: the operators with weights."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.compiler.errors import Refusal
from pipeline.compiler.fixedpoint import (
    activation_range,
    quantize_multiplier,
    window_output,
    window_padding,
)
from pipeline.compiler.graph import Constant, KernelCall, TensorInfo
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.reader import RawTensor

_SAME = 0
_INT32_MAX = (1 << 31) - 1
_BIAS_SCALE_TOLERANCE = 0.02


def lower_conv_2d(op: Operands) -> KernelCall:
    return _convolution(op, depthwise=False)


def lower_depthwise_conv_2d(op: Operands) -> KernelCall:
    return _convolution(op, depthwise=True)


def _convolution(op: Operands, *, depthwise: bool) -> KernelCall:
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
    bias = _folded_bias(op, source, per_channel)
    scales = _weight_scales(tensor, axis, out_channels)
    factors = [source.scale * float(scale) / target.scale for scale in scales]
    (activation,) = op.options("activation")
    low, high = activation_range(activation, target.scale, target.zero_point)
    dilation_height, dilation_width = op.options("dilation_height", "dilation_width")
    return op.call(
        "har_depthwise_conv2d_s8" if depthwise else "har_conv2d_s8",
        "har_conv2d_params",
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
            "activation_min": low,
            "activation_max": high,
        },
        arrays=(
            Constant("weights", weights),
            Constant("bias", bias),
            *_multipliers(factors * (out_channels if len(factors) == 1 else 1)),
        ),
        macs=macs_per_channel * out_channels * (1 if depthwise else channels),
    )


def window_params(
    op: Operands, source: TensorInfo, target: TensorInfo, kernel_height: int, kernel_width: int
) -> tuple[dict[str, int], int]:
    """A sliding window's parameters, and taps per channel over the whole output. Refuses batches
    and an output shape that the window does not give."""
    padding, stride_height, stride_width = op.options("padding", "stride_height", "stride_width")
    dilated = "dilation_height" in (op.operator.options or {})
    dilations = op.options("dilation_height", "dilation_width") if dilated else (1, 1)
    require(source.shape[0] == 1 and target.shape[0] == 1, f"batch of {source.shape[0]}, not 1")
    require(padding in (0, 1), f"padding {padding}")
    params: dict[str, int] = {}
    for axis, kernel, stride, dilation, along, pad in (
        (1, kernel_height, stride_height, dilations[0], "height", "pad_top"),
        (2, kernel_width, stride_width, dilations[1], "width", "pad_left"),
    ):
        require(
            all(1 <= value <= 1 << 15 for value in (kernel, stride, dilation)),
            f"kernel {kernel}, stride {stride}, dilation {dilation}",
        )
        size = source.shape[axis]
        output = window_output(size, kernel, stride, dilation, padding == _SAME)
        require(output >= 1, f"a kernel of {kernel} does not fit in {size}")
        require(
            target.shape[axis] == output,
            f"output of shape {target.shape}: its {along} should be {output}",
        )
        params[f"kernel_{along}"] = kernel
        params[f"stride_{along}"] = stride
        params[pad] = window_padding(size, kernel, stride, dilation, output)
        params[f"output_{along}"] = output
    taps = target.shape[1] * target.shape[2] * kernel_height * kernel_width
    return params, taps


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
    bias = _folded_bias(op, source, weights)
    scales = _weight_scales(tensor, 0, output_size)
    if len(scales) > 1:
        factors = [source.scale * float(scale) / target.scale for scale in scales]
    else:
        _check_bias_scale(op, source, target, float(scales[0]))
        # TFLM multiplies these two in float32 here, and only here.
        product = np.float32(source.scale) * np.float32(scales[0])
        factors = [float(product) / target.scale]
    (activation,) = op.options("activation")
    low, high = activation_range(activation, target.scale, target.zero_point)
    return op.call(
        "har_fully_connected_s8",
        "har_fully_connected_params",
        {
            "rows": rows,
            "input_size": input_size,
            "output_size": output_size,
            "per_channel": int(len(scales) > 1),
            "output_zero_point": target.zero_point,
            "activation_min": low,
            "activation_max": high,
        },
        arrays=(Constant("weights", weights), Constant("bias", bias), *_multipliers(factors)),
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


def _weight_scales(tensor: RawTensor, axis: int, channels: int) -> npt.NDArray[np.float32]:
    """One scale, or one per output channel; symmetric weights only."""
    scales = tensor.scales
    require(len(scales) in (1, channels), f"{len(scales)} weight scales for {channels} channels")
    require(
        len(scales) == 1 or tensor.quantized_axis == axis,
        f"weights quantized along axis {tensor.quantized_axis}, not {axis}",
    )
    require(bool(np.all(np.isfinite(scales) & (scales > 0))), "a weight scale is not positive")
    require(
        len(tensor.zero_points) == len(scales) and not np.any(tensor.zero_points),
        "weights with a zero point other than 0",
    )
    return scales


def _folded_bias(
    op: Operands, source: TensorInfo, weights: npt.NDArray[Any]
) -> npt.NDArray[np.int32]:
    """The bias minus zero_point * sum of each channel's weights. ``weights`` is (channels, taps).

    Refuses a channel whose accumulator could leave int32 for some input.
    """
    channels = len(weights)
    bias = np.zeros(channels, np.int64)
    if not op.absent(2):
        tensor, values = op.constant(2, "INT32")
        require(values.size == channels, f"bias of shape {tensor.shape} for {channels} channels")
        bias = values.reshape(-1).astype(np.int64)
    sums = weights.sum(axis=1, dtype=np.int64)
    reach = np.abs(bias) + 256 * np.abs(weights, dtype=np.int64).sum(axis=1)
    if np.any(reach > _INT32_MAX):
        raise Refusal(f"the accumulator of channel {int(np.argmax(reach))} can pass int32")
    folded: npt.NDArray[np.int32] = (bias - source.zero_point * sums).astype(np.int32)
    return folded


def _multipliers(factors: list[float]) -> tuple[Constant, Constant]:
    pairs = [quantize_multiplier(factor) for factor in factors]
    return (
        Constant("multiplier", np.array([multiplier for multiplier, _ in pairs], np.int32)),
        Constant("shift", np.array([shift for _, shift in pairs], np.int8)),
    )

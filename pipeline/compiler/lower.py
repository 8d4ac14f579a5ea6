"""From the file's operators to checked kernel calls. Everything unsupported is refused here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.compiler.errors import Refusal, UnsupportedModel
from pipeline.compiler.fixedpoint import (
    INT8_MAX,
    INT8_MIN,
    activation_range,
    mean_multiplier,
    quantize_bound,
    quantize_multiplier,
    quantize_multiplier_below_one,
    softmax_scaling,
    window_output,
    window_padding,
)
from pipeline.compiler.graph import Constant, Graph, KernelCall, Step, TensorInfo, View
from pipeline.compiler.operands import Operands, activation_info, require, same_quantization
from pipeline.compiler.reader import RawModel, RawTensor

_SAME = 0
_INT32_MAX = (1 << 31) - 1
_BIAS_SCALE_TOLERANCE = 0.02
_POOL_SCALE_TOLERANCE = 1e-6
_MAX_CONCATENATED = 10
_MAX_SOFTMAX_DEPTH = 511  # beyond it TFLM's own exponent check can stop the program
_ADD_HEADROOM_BITS = 20


def _activation_limits(op: Operands, target: TensorInfo) -> dict[str, int]:
    """What the fused activation leaves of int8."""
    (activation,) = op.options("activation")
    low, high = activation_range(activation, target.scale, target.zero_point)
    return {"activation_min": low, "activation_max": high}


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
    bias = _folded_bias(op, source, per_channel)
    scales = _weight_scales(tensor, axis, out_channels)
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
            **_activation_limits(op, target),
        },
        struct="har_conv2d_params",
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
    return op.call(
        "har_fully_connected_s8",
        {
            "rows": rows,
            "input_size": input_size,
            "output_size": output_size,
            "per_channel": int(len(scales) > 1),
            "output_zero_point": target.zero_point,
            **_activation_limits(op, target),
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


# ---- operators without weights -------------------------------------------------------------------


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
            **_activation_limits(op, target),
        },
        struct="har_pool2d_params",
    )


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
            **_activation_limits(op, target),
        },
        inputs=2,
    )
    return replace(call, inputs=call.inputs[::-1]) if swapped else call


def _rounding(shift: int) -> tuple[int, int, int]:
    """har_rounding of a division by 2^shift."""
    return (1 << (shift - 1), -1, shift) if shift else (0, 0, 0)


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


def lower_concatenation(op: Operands) -> KernelCall:
    op.require_count(1, _MAX_CONCATENATED)
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


def lower_reshape(op: Operands) -> View:
    op.require_count(1, 2)
    source, target = op.activation(0), op.output()
    require(prod(source.shape) == prod(target.shape), f"shape {source.shape} to {target.shape}")
    require(same_quantization(source, target), "input and output differ in scale or zero point")
    return View(
        index=op.operator.index,
        operator=op.operator.name,
        input=op.input_index(0),
        output=op.output_index,
    )


def lower_softmax(op: Operands) -> KernelCall:
    op.require_count(1)
    source, target = op.activation(0), op.output()
    require(len(source.shape) >= 1 and source.shape == target.shape, f"output {target.shape}")
    require(
        target.scale == 1 / 256 and target.zero_point == INT8_MIN,
        f"output scale {target.scale:g} and zero point {target.zero_point}, not 1/256 and -128",
    )
    depth = source.shape[-1]
    require(depth <= _MAX_SOFTMAX_DEPTH, f"{depth} classes; at most {_MAX_SOFTMAX_DEPTH}")
    multiplier, left_shift, difference_min = softmax_scaling(op.beta(), source.scale)
    return op.call(
        "har_softmax_s8",
        {
            "rows": prod(source.shape) // depth,
            "depth": depth,
            "multiplier": multiplier,
            "left_shift": left_shift,
            "difference_min": difference_min,
        },
    )


def lower_requantize(op: Operands) -> KernelCall:
    """QUANTIZE (int8 to int8) and RELU."""
    op.require_count(1)
    source, target = op.activation(0), op.output()
    require(source.shape == target.shape, f"shape {source.shape} to {target.shape}")
    if op.operator.name == "RELU":  # TFLM divides in float32 here
        factor = float(np.float32(source.scale) / np.float32(target.scale))
        low = max(INT8_MIN, target.zero_point)
    else:
        factor = source.scale / target.scale
        low = INT8_MIN
    multiplier, shift = quantize_multiplier(factor)
    return op.call(
        "har_requantize_s8",
        {
            "size": prod(target.shape),
            "input_zero_point": source.zero_point,
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": target.zero_point,
            "activation_min": low,
            "activation_max": INT8_MAX,
        },
    )


def lower_relu6(op: Operands) -> KernelCall:
    op.require_count(1)
    source, target = op.activation(0), op.output()
    require(source.shape == target.shape, f"shape {source.shape} to {target.shape}")
    require(same_quantization(source, target), "input and output differ in scale or zero point")
    six = quantize_bound(6.0, source.scale, source.zero_point)
    return op.call(
        "har_clamp_s8",
        {
            "size": prod(target.shape),
            "activation_min": source.zero_point,
            "activation_max": min(INT8_MAX, six),
        },
    )


# ---- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operator:
    """What the compiler takes of one operator of .tflite.

    ``tflm``: what TFLite-Micro's resolver calls it; ``version``: the newest whose meaning is known.
    ``supported`` and ``refused``: for docs/OPERATORS.md.
    """

    tflm: str
    version: int
    lower: Callable[[Operands], Step]
    supported: str
    refused: str


_FUSED = "fused NONE, RELU, RELU_N1_TO_1 or RELU6"
_SAME_SCALE = "input and output on different scales"
_WEIGHTS = "int8 weights, per tensor or per channel; int32 bias or none"
_WEIGHTS_REFUSED = "weights that are not constant or have a zero point; sums that can leave int32"
_POOL = f"SAME and VALID padding, any window and stride; {_FUSED}"

OPERATORS: dict[str, Operator] = {
    "ADD": Operator(
        "Add", 5, lower_add, f"two activations of one shape; {_FUSED}", "broadcasting; constants"
    ),
    "AVERAGE_POOL_2D": Operator("AveragePool2D", 3, lower_pool, _POOL, _SAME_SCALE),
    "CONCATENATION": Operator(
        "Concatenation",
        4,
        lower_concatenation,
        "up to 10 activations along any axis",
        f"{_SAME_SCALE}; a fused activation",
    ),
    "CONV_2D": Operator(
        "Conv2D",
        8,
        lower_convolution,
        f"SAME and VALID padding, any stride and dilation; {_WEIGHTS}; {_FUSED}",
        f"groups; {_WEIGHTS_REFUSED}",
    ),
    "DEPTHWISE_CONV_2D": Operator(
        "DepthwiseConv2D",
        7,
        lower_convolution,
        f"as CONV_2D, any depth multiplier; {_WEIGHTS}; {_FUSED}",
        _WEIGHTS_REFUSED,
    ),
    "FULLY_CONNECTED": Operator(
        "FullyConnected",
        13,
        lower_fully_connected,
        f"any rank of input; {_WEIGHTS}; {_FUSED}",
        f"shuffled weights; a bias on another scale than input x weights; {_WEIGHTS_REFUSED}",
    ),
    "MAX_POOL_2D": Operator("MaxPool2D", 3, lower_pool, _POOL, _SAME_SCALE),
    "MEAN": Operator(
        "Mean", 3, lower_mean, "axes that follow each other, kept or not", "other choices of axes"
    ),
    "PAD": Operator("Pad", 4, lower_pad, "up to 4 axes, int32 paddings", _SAME_SCALE),
    "PADV2": Operator(
        "PadV2", 4, lower_pad, "as PAD, with a constant int8 value", f"{_SAME_SCALE}, or the value"
    ),
    "QUANTIZE": Operator(
        "Quantize", 4, lower_requantize, "int8 to int8", "float32 or int16 on either side"
    ),
    "RELU": Operator("Relu", 3, lower_requantize, "any scales", "-"),
    "RELU6": Operator("Relu6", 3, lower_relu6, "one scale for both", _SAME_SCALE),
    "RESHAPE": Operator(
        "Reshape", 1, lower_reshape, "any shape of as many values; costs nothing", _SAME_SCALE
    ),
    "SOFTMAX": Operator(
        "Softmax",
        3,
        lower_softmax,
        "the last axis, up to 511 classes; any beta",
        "an output scale other than 1/256, or zero point other than -128",
    ),
}


def lower(model: RawModel) -> Graph:
    """Checks everything and gives the graph. Raises UnsupportedModel with every reason found."""
    reasons: list[str] = []
    offenders: list[str] = []
    if len(model.inputs) != 1:
        reasons.append(f"{len(model.inputs)} inputs; one is needed")
    if not model.outputs:
        reasons.append("no outputs")
    if not model.operators:
        reasons.append("no operators")
    tensors: dict[int, TensorInfo] = {}
    for role, indexes in (("input", model.inputs), ("output", model.outputs)):
        for index in indexes:
            try:
                tensors[index] = activation_info(model.tensors[index])
            except Refusal as refusal:
                reasons.append(f"the {role}: {refusal}; quantize the model to int8 in and out")

    steps: list[Step] = []
    written = set(model.inputs)
    for operator in model.operators:
        operands = Operands(operator, model.tensors)
        try:
            step = _lower_one(operands)
            for index in step.inputs:
                if index not in written:
                    raise Refusal(f"tensor {index} is read before it is written")
            if step.output in written:
                raise Refusal(f"tensor {step.output} is written twice")
            for index in (*step.inputs, step.output):
                tensors[index] = activation_info(model.tensors[index])
            steps.append(step)
        except Refusal as refusal:
            reasons.append(f"operator {operator.index} {operator.name}: {refusal}")
            offenders.append(operator.name)
        written.update(operator.outputs)
    computed = written - set(model.inputs)
    reasons.extend(
        f"the output is tensor {index}, which no operator writes"
        for index in model.outputs
        if index not in computed
    )
    if reasons:
        raise UnsupportedModel(reasons, offenders)
    return Graph(tensors, tuple(steps), model.inputs[0], model.outputs)


def _lower_one(op: Operands) -> Step:
    known = OPERATORS.get(op.operator.name)
    if known is None:
        raise Refusal("this operator is not supported")
    if not 1 <= op.operator.version <= known.version:
        raise Refusal(f"version {op.operator.version}; known up to {known.version}")
    return known.lower(op)

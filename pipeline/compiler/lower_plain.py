"""The operators without weights."""

from __future__ import annotations

from math import prod

import numpy as np

from pipeline.compiler.fixedpoint import (
    INT8_MAX,
    INT8_MIN,
    activation_range,
    mean_multiplier,
    quantize_bound,
    quantize_multiplier,
    quantize_multiplier_below_one,
    softmax_scaling,
)
from pipeline.compiler.graph import Constant, KernelCall, View
from pipeline.compiler.lower_weighted import window_params
from pipeline.compiler.operands import Operands, require, same_quantization

_POOL_SCALE_TOLERANCE = 1e-6
_MAX_CONCATENATED = 10
_MAX_SOFTMAX_DEPTH = 511  # beyond it TFLM's own exponent check can stop the program
_ADD_HEADROOM_BITS = 20


def lower_pool(op: Operands) -> KernelCall:
    op.require_count(1)
    source, target = op.activation(0, rank=4), op.output(rank=4)
    require(
        float(abs(np.float32(source.scale) - np.float32(target.scale))) <= _POOL_SCALE_TOLERANCE
        and source.zero_point == target.zero_point,
        "input and output differ in scale or zero point",
    )
    require(source.shape[3] == target.shape[3], f"output of shape {target.shape}")
    kernel_height, kernel_width, activation = op.options(
        "kernel_height", "kernel_width", "activation"
    )
    window, _ = window_params(op, source, target, kernel_height, kernel_width)
    low, high = activation_range(activation, target.scale, target.zero_point)
    average = op.operator.name == "AVERAGE_POOL_2D"
    return op.call(
        "har_average_pool2d_s8" if average else "har_max_pool2d_s8",
        "har_pool2d_params",
        {
            "input_height": source.shape[1],
            "input_width": source.shape[2],
            "channels": source.shape[3],
            **window,
            "activation_min": low,
            "activation_max": high,
        },
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
        "har_mean_params",
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
    twice_larger = 2 * max(a.scale, b.scale)
    a_multiplier, a_shift = quantize_multiplier_below_one(a.scale / twice_larger)
    b_multiplier, b_shift = quantize_multiplier_below_one(b.scale / twice_larger)
    output_multiplier, output_shift = quantize_multiplier_below_one(
        twice_larger / ((1 << _ADD_HEADROOM_BITS) * target.scale)
    )
    (activation,) = op.options("activation")
    low, high = activation_range(activation, target.scale, target.zero_point)
    return op.call(
        "har_add_s8",
        "har_add_params",
        {
            "size": prod(target.shape),
            "a_zero_point": a.zero_point,
            "a_multiplier": a_multiplier,
            "a_shift": a_shift,
            "b_zero_point": b.zero_point,
            "b_multiplier": b_multiplier,
            "b_shift": b_shift,
            "output_multiplier": output_multiplier,
            "output_shift": output_shift,
            "output_zero_point": target.zero_point,
            "activation_min": low,
            "activation_max": high,
        },
        inputs=2,
    )


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
        "har_pad_params",
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
        "har_concatenation_params",
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
        "har_softmax_params",
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
        "har_requantize_params",
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
        "har_clamp_params",
        {
            "size": prod(target.shape),
            "activation_min": source.zero_point,
            "activation_max": min(INT8_MAX, six),
        },
    )

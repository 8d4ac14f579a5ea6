"""Steps as the packed kernels see them: convolutions of one geometry, and means of whole maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.compiler import pack
from pipeline.compiler.fixedpoint import INT8_MAX, INT8_MIN
from pipeline.compiler.graph import KernelCall
from pipeline.compiler.requant import Lines, average_levels, exact_lines, staircases, tabulated

PLANES_ZERO_POINT = INT8_MIN  # of what lies in planes
_POOL_SHIFTS = tuple(range(14, 21)) + tuple(range(13, 5, -1))
_MOST_POOLED = 1 << 14  # pixels
_STEEPER = 2.0**-18  # halves round away from zero: down below it, up above, as a steeper line does


@dataclass(frozen=True)
class Window:
    """A convolution's geometry. Images of width 1 are turned to height 1: time runs along rows."""

    input_height: int
    input_width: int
    input_channels: int
    kernel_height: int
    kernel_width: int
    stride_height: int
    stride_width: int
    dilation_height: int
    dilation_width: int
    pad_top: int
    pad_left: int
    output_height: int
    output_width: int
    output_channels: int

    @property
    def end_margins(self) -> tuple[int, int]:
        """Rows below and columns right of the image that the window reaches."""
        rows = (self.output_height - 1) * self.stride_height - self.pad_top
        rows += (self.kernel_height - 1) * self.dilation_height + 1 - self.input_height
        columns = (self.output_width - 1) * self.stride_width - self.pad_left
        columns += (self.kernel_width - 1) * self.dilation_width + 1 - self.input_width
        return max(rows, 0), max(columns, 0)

    @property
    def with_kept_columns(self) -> Window:
        """Of a hop: what is kept lies where padding would, and is part of the image."""
        return replace(self, input_width=self.input_width + self.pad_left, pad_left=0)

    @property
    def is_within_rows(self) -> bool:
        """Whether the kernel is a run of neighbours in a row, nowhere outside of the image."""
        run = self.kernel_height == 1 and (self.dilation_width == 1 or self.kernel_width == 1)
        return run and (self.pad_top, self.pad_left, *self.end_margins) == (0, 0, 0, 0)

    @property
    def is_pointwise(self) -> bool:
        """Whether each output pixel is of the one input pixel in the same place."""
        sizes = self.kernel_height, self.kernel_width, self.stride_height, self.stride_width
        return sizes == (1, 1, 1, 1)


@dataclass(frozen=True, eq=False)
class Convolution:
    """A step that the packed kernels could take. ``layer``: weights (C, taps) in the order of the
    window's kernel: rows, columns, channels."""

    step: KernelCall
    window: Window
    layer: pack.Layer
    zero_point: int

    @property
    def output(self) -> int:
        return self.step.output

    @property
    def input(self) -> int:
        return self.step.inputs[0]

    @property
    def is_depthwise(self) -> bool:
        return self.step.operator == "DEPTHWISE_CONV_2D"

    @cached_property
    def lines(self) -> Lines | None:
        """The exact lines of its channels, where it stores q + 128 and has such."""
        if self.zero_point != PLANES_ZERO_POINT:
            return None
        shifts = pack.DEPTHWISE_SHIFTS if self.is_depthwise else pack.MATRIX_SHIFTS
        stairs = staircases(self.layer.channels())
        return None if stairs is None else exact_lines(stairs, shifts)

    @cached_property
    def is_matrix(self) -> bool:
        """Whether a matrix kernel can compute it."""
        return (
            not self.is_depthwise
            and self.window.output_channels >= 2
            and pack.takes_linear(self.layer)
        )


@dataclass(frozen=True)
class Mean:
    """From the sum of a plane to its mean, as har_pool_planes takes it."""

    k: int
    scale: tuple[int, ...]


def mean_of(step: KernelCall) -> Mean | None:
    """Of a step that is the mean over all pixels of each channel, where it can be exact."""
    params: dict[str, Any] = dict(step.params)
    if step.operator == "MEAN":
        shift, sums = -params["shift"], params["input_zero_point_sum"]
        if params["outer"] != 1 or sums != PLANES_ZERO_POINT * params["count"]:
            return None
        if not 1 <= shift <= pack.LINEAR_MOST_SHIFT:
            return None
        rounding = pack.linear_rounding(params["output_zero_point"], np.array(shift))
        return Mean(0, (0, params["multiplier"], int(rounding), shift))
    if step.operator != "AVERAGE_POOL_2D":
        return None
    count = params["input_height"] * params["input_width"]
    if (
        count > _MOST_POOLED
        or (params["output_height"], params["output_width"]) != (1, 1)
        or (params["pad_top"], params["pad_left"]) != (0, 0)
        or params["kernel_height"] * params["kernel_width"] != count
        or (params["activation_min"], params["activation_max"]) != (INT8_MIN, INT8_MAX)
    ):
        return None
    lines = exact_lines(tabulated(average_levels(count), (1 + _STEEPER) / count), _POOL_SHIFTS)
    return None if lines is None else Mean(lines.k, (int(lines.b[0]), int(lines.m[0])))


def convolution_of(step: KernelCall) -> Convolution | None:
    """The step as a convolution, if it is one of a kind that packed kernels may take."""
    params: dict[str, Any] = dict(step.params)
    if step.operator not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return None
    if (params["activation_min"], params["activation_max"]) != (INT8_MIN, INT8_MAX):
        return None
    arrays = {constant.role: constant.values for constant in step.arrays}
    weights = arrays["weights"]
    if step.operator == "FULLY_CONNECTED":
        window = Window(1, params["rows"], params["input_size"], *(1,) * 6, 0, 0, 1,
                        params["rows"], params["output_size"])  # fmt: skip
    else:
        depthwise = step.operator == "DEPTHWISE_CONV_2D"
        if depthwise and params["input_channels"] != params["output_channels"]:
            return None
        names = list(Window.__dataclass_fields__)
        if params["input_width"] == 1 and params["output_width"] == 1:
            window = Window(**{name: params[_turned(name)] for name in names})
            rows, columns = (0, 1) if depthwise else (1, 2)
            weights = weights.reshape(weights.shape[1:]) if depthwise else weights
            weights = np.swapaxes(weights, rows, columns)
        else:
            window = Window(**{name: params[name] for name in names})
        if depthwise:
            weights = weights.reshape(-1, window.output_channels).T
    channels = window.output_channels
    layer = pack.Layer(
        weights=np.ascontiguousarray(weights.reshape(channels, -1)),
        bias=arrays["bias"].astype(np.int64),
        multiplier=np.broadcast_to(arrays["multiplier"], channels).astype(np.int64),
        shift=np.broadcast_to(arrays["shift"], channels).astype(np.int64),
    )
    return Convolution(step, window, layer, params["output_zero_point"])


def _turned(name: str) -> str:
    """The name of the same size along the other axis."""
    for one, other in (("height", "width"), ("width", "height"), ("top", "left"), ("left", "top")):
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name

"""Windows that slide over an image: padding, stride and dilation."""

from __future__ import annotations

from pipeline.compiler.fixedpoint import (
    window_output,
    window_padding,
)
from pipeline.compiler.graph import TensorInfo
from pipeline.compiler.operands import Operands, require

SAME, VALID = 0, 1
EXPLICIT = 2
"""No padding of the file's: the options have ``pad_top`` and ``pad_left``, and the output's shape
says what is padded at the ends."""


def window_params(
    op: Operands, source: TensorInfo, target: TensorInfo, kernel_height: int, kernel_width: int
) -> tuple[dict[str, int], int]:
    """A sliding window's parameters, and taps per channel over the whole output. Refuses batches
    and an output shape that the window does not give."""
    padding, stride_height, stride_width = op.options("padding", "stride_height", "stride_width")
    dilated = "dilation_height" in (op.operator.options or {})
    dilations = op.options("dilation_height", "dilation_width") if dilated else (1, 1)
    require(source.shape[0] == 1 and target.shape[0] == 1, f"batch of {source.shape[0]}, not 1")
    require(padding in (SAME, VALID, EXPLICIT), f"padding {padding}")
    params: dict[str, int] = {}
    for axis, kernel, stride, dilation, along, pad in (
        (1, kernel_height, stride_height, dilations[0], "height", "pad_top"),
        (2, kernel_width, stride_width, dilations[1], "width", "pad_left"),
    ):
        require(
            all(1 <= value <= 1 << 15 for value in (kernel, stride, dilation)),
            f"kernel {kernel}, stride {stride}, dilation {dilation}",
        )
        size, output = source.shape[axis], target.shape[axis]
        if padding == EXPLICIT:
            (params[pad],) = op.options(pad)
        else:
            fits = window_output(size, kernel, stride, dilation, padding == SAME)
            require(fits >= 1, f"a kernel of {kernel} does not fit in {size}")
            require(output == fits, f"output of shape {target.shape}: its {along} should be {fits}")
            params[pad] = window_padding(size, kernel, stride, dilation, output)
        params[f"kernel_{along}"] = kernel
        params[f"stride_{along}"] = stride
        params[f"output_{along}"] = output
    taps = target.shape[1] * target.shape[2] * kernel_height * kernel_width
    return params, taps

"""What operators with constant weights share: scales, folded biases, multipliers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.compiler.errors import Refusal
from pipeline.compiler.fixedpoint import (
    quantize_multiplier,
)
from pipeline.compiler.graph import Constant, TensorInfo
from pipeline.compiler.operands import Operands, require
from pipeline.compiler.reader import RawTensor

_INT32_MAX = (1 << 31) - 1
WEIGHTS = "int8 weights, per tensor or per channel; int32 bias or none"
WEIGHTS_REFUSED = "weights that are not constant or have a zero point; sums that can leave int32"


def weight_scales(tensor: RawTensor, axis: int, channels: int) -> npt.NDArray[np.float32]:
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


def folded_bias(
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


def multipliers(factors: list[float]) -> tuple[Constant, Constant]:
    pairs = [quantize_multiplier(factor) for factor in factors]
    return (
        Constant("multiplier", np.array([multiplier for multiplier, _ in pairs], np.int32)),
        Constant("shift", np.array([shift for _, shift in pairs], np.int8)),
    )

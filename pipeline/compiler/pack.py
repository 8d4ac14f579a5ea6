"""Lays weights out for the packed kernels of firmware/lib/nn/har_matrix.h, with what requantizes
each channel next to them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from pipeline.compiler.requant import Channels, Int64Array, Lines

MATRIX_SHIFTS = (11, 12, 10, 13, 14)  # tried in this order: few different kernels are linked
DEPTHWISE_SHIFTS = (13, 12, 14, 11, 10)
PAIRS_MULTIPLE = 4  # the matrix kernels' loop is unrolled so often
_LINEAR_REACH = 1 << 30
LINEAR_MOST_SHIFT = 22

Words = npt.NDArray[np.int32]
Weights = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution's numbers by output channel: weights int8 (C, taps), accumulator = bias + sum
    of weight * q over int8 inputs, and TFLite-Micro's factor, all int64 (C,)."""

    weights: Weights
    bias: Int64Array
    multiplier: Int64Array
    shift: Int64Array

    def channels(self) -> Channels:
        """With the reach of each accumulator over all inputs -128..127."""
        w = self.weights.astype(np.int64)
        positive, negative = np.maximum(w, 0).sum(axis=1), np.minimum(w, 0).sum(axis=1)
        return Channels(
            self.multiplier,
            self.shift,
            self.bias - 128 * positive + 127 * negative,
            self.bias + 127 * positive - 128 * negative,
        )

    def bias_of_planes(self) -> Int64Array:
        """The bias where inputs are q + 128."""
        total: Int64Array = self.bias - 128 * self.weights.sum(axis=1, dtype=np.int64)
        return total


def exact_scales(lines: Lines, bias: Int64Array) -> Words:
    """{b, m} (C, 2) of kernels that store q + 128. ``bias``: for the inputs that the kernel
    reads."""
    return _words(np.stack([lines.b + (bias << lines.k), lines.m], axis=1))


def takes_linear(layer: Layer) -> bool:
    """Whether the linear kernels, which round as TFLite-Micro does, take every channel."""
    channels, right = layer.channels(), _right_shift(layer)
    reach = np.maximum(np.abs(channels.lowest), np.abs(channels.highest))
    return bool(
        np.all((right >= 1) & (right <= LINEAR_MOST_SHIFT)) and np.all(reach < _LINEAR_REACH)
    )


def linear_scales(layer: Layer, zero_point: int, bias: Int64Array) -> Words:
    """{2 b, m, rounding, shift} (C, 4) of the linear kernels. ``bias`` as in `exact_scales`."""
    right = _right_shift(layer)
    rounding = linear_rounding(zero_point, right)
    return _words(np.stack([2 * bias, layer.multiplier, rounding, right], axis=1))


def linear_rounding(zero_point: int, right: Int64Array) -> Int64Array:
    """What is added before a shift to the right: a half, and the zero point."""
    added: Int64Array = (np.int64(1) << (right - 1)) + (np.int64(zero_point) << right)
    return added


def _right_shift(layer: Layer) -> Int64Array:
    """1 for a channel of factor 0: any would do."""
    right: Int64Array = np.where(layer.multiplier == 0, 1, -layer.shift)
    return right


def pairs_of_patch(size: int) -> npt.NDArray[np.int64]:
    """(pairs, 2): the inputs of a patch of ``size`` that each word of a block holds; those from
    ``size`` on are of no input. Words of four bytes are split into bytes (0, 2) and (1, 3)."""
    words = np.arange(_padded(size) // 2, dtype=np.int64).reshape(-1, 1, 1) * 4
    pairs: npt.NDArray[np.int64] = (words + np.array([[0, 2], [1, 3]])).reshape(-1, 2)
    return pairs


def pairs_of_planes(channels: int) -> npt.NDArray[np.int64]:
    """(pairs, 2): channels i and pairs + i."""
    pairs = _padded(channels)
    first = np.arange(pairs, dtype=np.int64)
    return np.stack([first, first + pairs], axis=1)


def _padded(inputs: int) -> int:
    """Pairs that hold so many inputs."""
    return -(-inputs // (2 * PAIRS_MULTIPLE)) * PAIRS_MULTIPLE


def pack_matrix(weights: Weights, pairs: npt.NDArray[np.int64], scales: Words) -> Words:
    """Of each pair of channels: weights (pairs, 2, 2 channels) in int8, then the scales of both.

    An odd number of channels has channel 1 in two pairs: (0, 1), (1, 2), (3, 4), ...
    """
    count, inputs = weights.shape
    padded = np.zeros((count, int(pairs.max()) + 1), np.int8)
    padded[:, :inputs] = weights
    starts = [0, *range(1, count - 1, 2)] if count % 2 else list(range(0, count, 2))
    words = []
    for start in starts:
        taps = padded[start : start + 2][:, pairs]  # (2, pairs, 2)
        words.append(taps.transpose(1, 2, 0).reshape(-1, 4).view("<i4").ravel())
        words.append(scales[start : start + 2].ravel())
    packed: Words = np.concatenate(words).astype(np.int32)
    return packed


def pack_depthwise(weights: npt.NDArray[np.int8], scales: Words) -> Words:
    """``weights`` (C, rows, 3 or 5), scales {b, m}: of each channel and row (w0, w2), (w1, w3), w4
    or (w0, w2), w1 as pairs of int16, then its scales."""
    channels, _, taps = weights.shape
    order = [(0, 2), (1, 3), (4, -1)] if taps == 5 else [(0, 2), (1, -1)]
    padded = np.concatenate([weights, np.zeros_like(weights[:, :, :1])], axis=2)
    pairs = np.ascontiguousarray(padded[:, :, order].astype("<i2")).view("<i4")
    packed: Words = np.concatenate([pairs.reshape(channels, -1), scales], axis=1).astype(np.int32)
    return packed


def pack_depthwise_any(weights: npt.NDArray[np.int8], scales: Words) -> Words:
    """``weights`` (C, rows, taps): of each channel its taps in int8, padded to a word, then its
    scales."""
    channels, taps = len(weights), prod(weights.shape[1:])
    padded = np.zeros((channels, -(-taps // 4) * 4), np.int8)
    padded[:, :taps] = weights.reshape(channels, taps)
    packed: Words = np.concatenate([padded.view("<i4"), scales], axis=1).astype(np.int32)
    return packed


def _words(values: Int64Array) -> Words:
    """As int32, wrapped: sums in the kernels wrap the same way."""
    words: Words = (values & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return words

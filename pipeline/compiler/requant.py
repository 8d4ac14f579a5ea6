"""Requantization in one multiplication: the proof, per channel, that it equals TFLite-Micro's.

TFLite-Micro scales an accumulator in up to three roundings (`har_requant.h`). Kernels that store
uint8 (q + 128, zero point -128) do it in one: ``y = ((b + (acc << k)) * m) >> 48``, saturated to
0..255. Both are staircases that never fall as ``acc`` grows, so they agree on every reachable
accumulator if and only if they agree on where each of the 255 steps lies. Each step gives an
interval in which ``b`` must lie; where the intervals meet, any of their common values is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]

_STEPS = np.arange(1, 256, dtype=np.int64)  # of q + 128
_INT32_MIN, _INT32_MAX = -(1 << 31), (1 << 31) - 1
_NEIGHBOURS = sorted(range(-8, 9), key=abs)  # of the rounded m, which sometimes has no solution


@dataclass(frozen=True, eq=False)
class Channels:
    """What requantizes each of C output channels, int64 (C,): TFLite-Micro's fixed-point factor,
    and the smallest and largest accumulator that any input can give, bias included."""

    multiplier: Int64Array
    shift: Int64Array
    lowest: Int64Array
    highest: Int64Array


@dataclass(frozen=True, eq=False)
class Lines:
    """``b`` and ``m`` of each channel, int64 (C,), for kernels of shift ``k``. ``b`` is for the
    accumulator with its bias."""

    k: int
    b: Int64Array
    m: Int64Array


def requantize(
    acc: Int64Array, multiplier: Int64Array, shift: Int64Array, zero_point: int
) -> Int64Array:
    """TFLite-Micro's output before saturation, element by element, in exact arithmetic.

    Source: MultiplyByQuantizedMultiplier in tensorflow/lite/kernels/internal/common.cc, the
    double-rounding form.
    """
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    high = ((acc << left) * multiplier + (1 << 30)) >> 31
    half = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    rounded = (high + half - ((high < 0) & (right > 0))) >> right
    return cast(Int64Array, rounded + zero_point)


@dataclass(frozen=True, eq=False)
class Staircases:
    """C functions from accumulators ``lowest``..``highest`` to q + 128 that never fall, int64 (C,):
    ``steps`` (C, 255) holds the least accumulator that gives at least 1..255, ``highest + 1`` where
    none does. ``slope``: of the real function, float64 (C,)."""

    lowest: Int64Array
    highest: Int64Array
    steps: Int64Array
    slope: npt.NDArray[np.float64]


def staircases(channels: Channels) -> Staircases | None:
    """What TFLite-Micro computes of each channel at zero point -128; None where its shift to the
    left can wrap."""
    left = np.maximum(channels.shift, 0)
    reach = np.maximum(np.abs(channels.lowest), np.abs(channels.highest))
    if np.any(reach << left > _INT32_MAX):
        return None
    return Staircases(
        channels.lowest,
        channels.highest,
        thresholds(channels),
        channels.multiplier * 2.0 ** (channels.shift - 31),
    )


def thresholds(channels: Channels) -> Int64Array:
    """(C, 255): `Staircases.steps` by bisection."""
    below = np.repeat(channels.lowest[:, None] - 1, len(_STEPS), axis=1)
    at = np.repeat(channels.highest[:, None] + 1, len(_STEPS), axis=1)
    multiplier, shift = channels.multiplier[:, None], channels.shift[:, None]
    while np.any(at - below > 1):
        middle = (below + at) >> 1  # next to an end already found where they are neighbours
        reaches = requantize(middle, multiplier, shift, 0) >= _STEPS
        reaches = (middle == at) | (reaches & (middle > below))
        at = np.where(reaches, middle, at)
        below = np.where(reaches, below, middle)
    return at


def tabulated(values: Int64Array, slope: float) -> Staircases:
    """One function, given as q + 128 for each of the accumulators 0, 1, 2, ..."""
    last = len(values) - 1
    return Staircases(
        np.zeros(1, np.int64),
        np.full(1, last, np.int64),
        np.searchsorted(values, _STEPS, side="left")[None, :].astype(np.int64),
        np.array([slope]),
    )


def average_levels(count: int) -> Int64Array:
    """The mean of ``count`` int8, halves away from zero, plus 128, for each sum of q + 128."""
    total = np.arange(255 * count + 1, dtype=np.int64) - 128 * count
    levels: Int64Array = np.sign(total) * ((np.abs(total) + count // 2) // count) + 128
    return levels


def exact_lines(stairs: Staircases, shifts: tuple[int, ...]) -> Lines | None:
    """The lines at the first of ``shifts`` that has one for every channel, or None."""
    return next(filter(None, (_lines(stairs, k) for k in shifts)), None)


def _lines(stairs: Staircases, k: int) -> Lines | None:
    rounded = np.rint(stairs.slope * 2.0 ** (48 - k))
    if np.any(rounded < 1 + max(_NEIGHBOURS)) or np.any(rounded > _INT32_MAX - max(_NEIGHBOURS)):
        return None
    b = np.zeros(len(rounded), np.int64)
    m = np.zeros(len(rounded), np.int64)
    missing = np.ones(len(rounded), bool)
    for neighbour in _NEIGHBOURS:
        slope = rounded.astype(np.int64) + neighbour
        low, high = _interval(stairs, k, slope)
        found = missing & (low <= high)
        b = np.where(found, (low + high) >> 1, b)
        m = np.where(found, slope, m)
        missing &= ~found
        if not missing.any():
            return Lines(k, b, m)
    return None


def _interval(stairs: Staircases, k: int, m: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Smallest and largest ``b`` of each channel that puts every step where it must be."""
    # The output reaches a step where b + (acc << k) >= needed.
    needed = -((-_STEPS << 48) // m[:, None])
    reached = stairs.steps <= stairs.highest[:, None]
    missed = stairs.steps > stairs.lowest[:, None]
    low = np.where(reached, needed - (stairs.steps << k), _INT32_MIN)
    high = np.where(missed, needed - ((stairs.steps - 1) << k) - 1, _INT32_MAX)
    # The sum itself must fit int32 at both ends.
    return (
        np.maximum(low.max(axis=1), _INT32_MIN - (stairs.lowest << k)),
        np.minimum(high.min(axis=1), _INT32_MAX - (stairs.highest << k)),
    )

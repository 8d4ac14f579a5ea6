"""One multiplication gives TFLite-Micro's requantization on every reachable accumulator, or the
compiler says that it does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.compiler.fixedpoint import quantize_multiplier
from pipeline.compiler.requant import (
    Channels,
    Int64Array,
    Lines,
    average_levels,
    exact_lines,
    requantize,
    staircases,
    tabulated,
    thresholds,
)

SHIFTS = (11, 12, 10, 13, 14)


def channel(factor: float, lowest: int, highest: int) -> Channels:
    multiplier, shift = quantize_multiplier(factor)
    return Channels(
        *(np.array([value], np.int64) for value in (multiplier, shift, lowest, highest))
    )


def expected(channels: Channels, acc: Int64Array) -> Int64Array:
    """q + 128 as TFLite-Micro computes it at zero point -128."""
    levels: Int64Array = np.clip(requantize(acc, channels.multiplier, channels.shift, 0), 0, 255)
    return levels


def by_line(lines: Lines, acc: Int64Array) -> Int64Array:
    """q + 128 as the kernels compute it, in int32 where they do."""
    sums = lines.b + (acc << lines.k)
    assert np.all(np.abs(sums) <= 2**31), "the sum leaves int32"
    levels: Int64Array = np.clip((sums * lines.m) >> 48, 0, 255)
    return levels


@given(
    factor=st.floats(2e-4, 0.2),
    lowest=st.integers(-(1 << 16), 0),
    reach=st.integers(0, 1 << 17),
)
@settings(max_examples=200, deadline=None)
def test_a_line_equals_tflm_on_every_accumulator_in_reach(
    factor: float, lowest: int, reach: int
) -> None:
    channels = channel(factor, lowest, lowest + reach)
    stairs = staircases(channels)
    assert stairs is not None
    lines = exact_lines(stairs, SHIFTS)
    acc = np.arange(lowest, lowest + reach + 1)
    if lines is not None:
        np.testing.assert_array_equal(by_line(lines, acc), expected(channels, acc))


def test_usual_factors_nearly_always_have_a_line() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(300):
        stairs = staircases(channel(float(rng.uniform(5e-4, 8e-3)), -200_000, 200_000))
        assert stairs is not None
        found += exact_lines(stairs, SHIFTS) is not None
    assert found >= 297


def test_a_line_that_is_off_by_one_is_seen_by_this_comparison() -> None:
    channels = channel(0.0031, -90_000, 90_000)
    stairs = staircases(channels)
    assert stairs is not None
    lines = exact_lines(stairs, SHIFTS)
    assert lines is not None
    acc = np.arange(-90_000, 90_001)
    wrong = Lines(lines.k, lines.b + (1 << lines.k), lines.m)
    assert np.any(by_line(wrong, acc) != expected(channels, acc))


@given(
    factor=st.floats(1e-4, 0.3), lowest=st.integers(-50_000, 50_000), reach=st.integers(0, 9_000)
)
@settings(max_examples=60, deadline=None)
def test_thresholds_are_where_the_output_first_reaches_each_level(
    factor: float, lowest: int, reach: int
) -> None:
    channels = channel(factor, lowest, lowest + reach)
    acc = np.arange(lowest, lowest + reach + 1)
    outputs = requantize(acc, channels.multiplier, channels.shift, 0)
    reached = [
        int(acc[outputs >= level][0]) if np.any(outputs >= level) else lowest + reach + 1
        for level in range(1, 256)
    ]
    assert thresholds(channels)[0].tolist() == reached


def test_a_shift_to_the_left_that_wraps_in_tflm_has_no_staircase() -> None:
    assert staircases(channel(3.0, -(1 << 29), 1 << 29)) is None
    assert staircases(channel(3.0, -1000, 1000)) is not None


def test_requantize_is_the_c_kernel_s_arithmetic() -> None:
    """har_requant.h in exact integers, one number at a time."""

    def one(x: int, multiplier: int, shift: int) -> int:
        left, right = max(shift, 0), max(-shift, 0)
        high = ((x << left) * multiplier + (1 << 30)) >> 31
        mask = (1 << right) - 1
        return (high >> right) + int((high & mask) > (mask >> 1) + int(high < 0))

    rng = np.random.default_rng(1)
    for _ in range(2000):
        x, shift = int(rng.integers(-(1 << 20), 1 << 20)), int(rng.integers(-20, 3))
        multiplier = int(rng.integers(1 << 30, 1 << 31))
        got = requantize(
            np.array([x]), np.array([multiplier]), np.array([shift]), 0
        )  # fmt: skip
        assert got[0] == one(x, multiplier, shift)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 29, 62, 125, 144, 1000])
def test_the_mean_of_a_plane_has_a_line_although_halves_round_away_from_zero(count: int) -> None:
    values = range(-128 * count, 127 * count + 1)
    means = [int(math.copysign((abs(v) + count // 2) // count, v)) for v in values]
    levels = average_levels(count)
    assert levels.tolist() == [mean + 128 for mean in means]
    slope = (1 + 2.0**-18) / count
    lines = exact_lines(tabulated(levels, slope), (*range(14, 21), *range(13, 5, -1)))
    assert lines is not None
    np.testing.assert_array_equal(by_line(lines, np.arange(255 * count + 1)), levels)

"""Host arithmetic against exact fractions and known values."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.compiler.errors import Refusal
from pipeline.compiler.fixedpoint import (
    activation_range,
    mean_multiplier,
    quantize_bound,
    quantize_multiplier,
    quantize_multiplier_below_one,
    softmax_scaling,
    window_output,
    window_padding,
)


@given(st.floats(min_value=2.0**-30, max_value=2.0**29))
def test_a_multiplier_is_within_half_a_step_of_the_factor(real: float) -> None:
    multiplier, shift = quantize_multiplier(real)
    assert 1 << 30 <= multiplier < 1 << 31
    value = Fraction(multiplier, 1 << 31) * Fraction(2) ** shift
    assert abs(value - Fraction(real)) <= Fraction(2) ** shift / (1 << 32)


@pytest.mark.parametrize(
    ("real", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (1 << 30, 1)),
        (0.5, (1 << 30, 0)),
        (1 - 2.0**-40, (1 << 30, 1)),  # the significand rounds up to 1
        (2.0**-33, (0, 0)),  # flushed
        (2.0**-32, (1 << 30, -31)),
    ],
)
def test_known_multipliers(real: float, expected: tuple[int, int]) -> None:
    assert quantize_multiplier(real) == expected


@pytest.mark.parametrize("real", [float("inf"), float("nan"), -1.0, 2.0**31])
def test_factors_that_cannot_be_carried_are_refused(real: float) -> None:
    with pytest.raises(Refusal):
        quantize_multiplier(real)


@pytest.mark.parametrize("real", [0.0, 1.0, 1 - 2.0**-40])
def test_factors_below_one_stay_below_one(real: float) -> None:
    with pytest.raises(Refusal):
        quantize_multiplier_below_one(real)


def test_activation_ranges_are_clipped_to_int8() -> None:
    assert activation_range(0, 0.1, 5) == (-128, 127)
    assert activation_range(1, 0.1, 5) == (5, 127)
    assert activation_range(2, 0.1, 5) == (-5, 15)
    assert activation_range(3, 0.1, 5) == (5, 65)
    assert activation_range(3, 0.001, -128) == (-128, 127)
    with pytest.raises(Refusal):
        activation_range(4, 0.1, 5)


def test_bounds_round_halves_away_from_zero() -> None:
    assert quantize_bound(1.0, 0.4, 0) == 3  # 2.5
    assert quantize_bound(-1.0, 0.4, 0) == -3
    with pytest.raises(Refusal):
        quantize_bound(6.0, 1e-30, 0)


def test_a_mean_of_a_power_of_two_only_shifts() -> None:
    multiplier, shift = quantize_multiplier(0.3)
    assert mean_multiplier(0.3, 16) == (multiplier, shift - 4)


def test_softmax_scaling_keeps_differences_in_range() -> None:
    multiplier, left_shift, least = softmax_scaling(1.0, 0.1)
    assert least < 0
    assert -least * (1 << left_shift) < 1 << 31
    real = Fraction(multiplier, 1 << 31) * (1 << left_shift)
    assert abs(real - Fraction(0.1) * (1 << 26)) < Fraction(1, 100)
    with pytest.raises(Refusal):
        softmax_scaling(1.0, 1e-9)


@given(
    size=st.integers(1, 40),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
)
def test_same_padding_covers_every_input_once_at_stride_one(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    output = window_output(size, kernel, stride, dilation, same=True)
    pad = window_padding(size, kernel, stride, dilation, output)
    reach = (kernel - 1) * dilation + 1
    assert (output - 1) * stride - pad < size
    assert (output - 1) * stride - pad + reach >= min(size, size - stride + 1)
    valid = window_output(size, kernel, stride, dilation, same=False)
    if valid >= 1:
        assert (valid - 1) * stride + reach <= size
        assert valid * stride + reach > size
        assert window_padding(size, kernel, stride, dilation, valid) == 0

"""The spectrogram in NumPy against its formulas in plain whole numbers, and what it must show."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.head import (
    SpectrogramQuantization,
    SpectrogramShape,
    levels,
    picture,
    quantize_spectrogram,
)
from pipeline.head.spectrogram import tables

T = 128
BANDS = ((0, 0), (1, 2), (3, 4), (5, 8), (9, 15))


def octaves(power: int) -> int:
    """16 * log2(1 + power): the exponent, and the next four bits."""
    v = 1 + power
    exponent = v.bit_length() - 1
    return 16 * exponent + ((v << 4 >> exponent) & 15)


@cache
def table(b: int, wave: Callable[[float], float]) -> list[int]:
    """Bin b's wave under a periodic Hann window, in 1/16384."""
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / 32) for n in range(32)]
    return [round(16384 * hann[n] * wave(2 * math.pi * b * n / 32)) for n in range(32)]


def slow_levels(window: np.ndarray, shape: SpectrogramShape) -> np.ndarray:
    """One window, one number after the other, in Python's own integers."""
    out = np.zeros((shape.planes, 32, shape.pixels), np.int64)
    for j in range(shape.pixels):
        steps = shape.pixels - 1
        start = (j * (shape.window_samples - 32) + steps // 2) // steps
        for channel in range(6):
            frame = [int(q) for q in window[start : start + 32, channel]]
            power = [0] * 16
            for b in range(1, 16):
                parts = [
                    (sum(q * w for q, w in zip(frame, table(b, wave), strict=True)) + 512) >> 10
                    for wave in (math.cos, math.sin)
                ]
                power[b] = parts[0] ** 2 + parts[1] ** 2
            if shape.planes == 3:
                column = out[channel % 3, 16 * (channel // 3) :, j]
                column[0] = sum(frame)
                column[1:16] = [octaves(p) for p in power[1:]]
            else:
                column = out[0, 5 * channel :, j]
                column[0] = sum(frame)
                column[1:5] = [octaves(sum(power[a : b + 1])) for a, b in BANDS[1:]]
    return out


@pytest.mark.parametrize(("samples", "pixels"), [(128, 32), (32, 2), (100, 7), (64, 33)])
@pytest.mark.parametrize("planes", [1, 3])
def test_levels_are_those_of_plain_whole_numbers(samples: int, pixels: int, planes: int) -> None:
    shape = SpectrogramShape(samples, pixels, planes)
    rng = np.random.default_rng(samples)
    windows = rng.integers(-128, 128, (3, samples, 6)).astype(np.int8)
    windows[1] = np.rint(windows[1] / 40)  # little motion
    windows[2] = -128
    got = levels(windows, shape)
    assert got.dtype == np.int16
    for window, found in zip(windows, got, strict=True):
        np.testing.assert_array_equal(found, slow_levels(window, shape))


def test_columns_reach_from_the_first_sample_to_the_last() -> None:
    for samples, pixels in ((128, 32), (128, 96), (33, 32), (200, 75)):
        starts = SpectrogramShape(samples, pixels, 3).starts
        assert (starts[0], starts[-1] + 32) == (0, samples)
        assert (np.diff(starts) >= 0).all()


def test_a_tone_is_brightest_in_its_own_row_and_rest_is_dark() -> None:
    n = np.arange(T)
    window = np.zeros((1, T, 6), np.int8)
    window[0, :, 1] = np.rint(60 * np.sin(2 * np.pi * 5 * n / 32))  # ay, bin 5
    window[0, :, 5] = 7  # gz, constant
    found = levels(window, SpectrogramShape(T, 32, 3))[0]
    y, z = found[1], found[2]
    assert (y[1:16].argmax(axis=0) == 4).all()  # row 5, behind row 0
    assert not found[0].any() and not y[16:].any() and not z[:16].any()
    assert (z[16] == 7 * 32).all()
    assert not z[18:].any()  # a Hann window leaves the neighbour of the mean only


def test_gravity_keeps_its_sign() -> None:
    up, down = np.full((1, T, 6), 50, np.int8), np.full((1, T, 6), -50, np.int8)
    shape = SpectrogramShape(T, 32, 1)
    assert (levels(up, shape)[0, 0, 0] == 1600).all()
    assert (levels(down, shape)[0, 0, 0] == -1600).all()


def test_one_plane_leaves_its_last_two_rows_empty() -> None:
    rng = np.random.default_rng(3)
    found = levels(rng.integers(-128, 128, (4, T, 6)).astype(np.int8), SpectrogramShape(T, 32, 1))
    assert not found[:, 0, 30:].any() and found[:, 0, :30].any(axis=(0, 2)).all()


def test_a_picture_repeats_base_rows_to_its_height() -> None:
    values = np.arange(2 * 3 * 32 * 96).reshape(2, 3, 32, 96)
    shown = picture(values)
    assert shown.shape == (2, 96, 96, 3)
    for i in (0, 1, 2, 3, 50, 95):
        np.testing.assert_array_equal(shown[1, i, :, 2], values[1, 2, i // 3])


def test_quantization_rounds_half_away_and_gives_empty_rows_the_zero_point() -> None:
    shape = SpectrogramShape(T, 32, 1)
    mean, gain = np.zeros(32, np.float32), np.full(32, 0.5, np.float32)
    mean[30:], gain[30:] = 0, 0
    window = np.zeros((2, T, 6), np.int8)
    window[0, :32, 0] = [1] * 5 + [0] * 27  # sums 5, 4, ...: 2.5 rounds to 3
    window[1, :, 0] = -128
    q = quantize_spectrogram(window, SpectrogramQuantization(shape, mean, gain, -7))
    assert q.dtype == np.int8 and q.shape == (2, 32, 32, 1)
    assert q[0, 0, 0, 0] == 3 - 7
    assert q[1, 0, 0, 0] == -128
    assert (q[:, 30:] == -7).all()


def test_tables_mirror_about_their_middle() -> None:
    """The C adds up mirrored samples first."""
    cosine, sine = tables()
    np.testing.assert_array_equal(cosine[:, 1:], cosine[:, :0:-1])
    np.testing.assert_array_equal(sine[:, 1:], -sine[:, :0:-1])
    assert not cosine[:, 0].any() and not sine[:, [0, 16]].any()


def test_thousands_of_windows_are_cut_into_parts_without_a_seam() -> None:
    rng = np.random.default_rng(5)
    windows = rng.integers(-128, 128, (600, 40, 6)).astype(np.int8)
    shape = SpectrogramShape(40, 4, 3)
    whole = levels(windows, shape)
    for at in (0, 255, 256, 599):
        np.testing.assert_array_equal(whole[at], levels(windows[at : at + 1], shape)[0])
    assert levels(windows[:0], shape).shape == (0, 3, 32, 4)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((31, 32, 3), "shorter"), ((128, 1, 3), "pixels"), ((128, 513, 1), "pixels")]
    + [((128, 32, planes), "planes") for planes in (0, 2, 4)],
)
def test_what_has_no_picture_is_refused(shape: tuple[int, int, int], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        SpectrogramShape(*shape)


def test_other_windows_are_refused() -> None:
    shape = SpectrogramShape(T, 32, 3)
    for windows in (np.zeros((1, T, 6)), np.zeros((T, 6), np.int8), np.zeros((1, 64, 6), np.int8)):
        with pytest.raises(InputError, match="int8"):
            levels(windows, shape)

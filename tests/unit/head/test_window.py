"""Windows and quantization in NumPy: the rounding rule, and which windows come when."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.head import SampleQuantization, compand, quantize_samples
from tests.support.window_reference import WindowReference

MEAN = np.float32([0.0, 0.5])
GAIN = np.float32([1.0, 2.0])
LINEAR = np.zeros(2, np.float32)
QUANTIZATION = SampleQuantization(LINEAR, MEAN, GAIN, 0)


def test_halves_round_away_from_zero_and_the_ends_saturate() -> None:
    x = np.float32([0.5, -0.5, 1.5, -1.5, 0.49999997, -0.49999997, 126.4, 1e30, -1e30, 127.5])
    q = quantize_samples(x[:, None], SampleQuantization(LINEAR[:1], MEAN[:1], GAIN[:1], 0))[:, 0]
    assert q.tolist() == [1, -1, 2, -2, 0, 0, 126, 127, -128, 127]


def test_each_sample_is_the_rounding_of_the_exact_float32_value() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 60, (500, 2)).astype(np.float32)
    q = quantize_samples(x, SampleQuantization(LINEAR, MEAN, GAIN, -7))
    for row, got in zip(x, q, strict=True):
        for c in range(2):
            v = Fraction(float(np.float32(row[c] - MEAN[c]) * GAIN[c]))
            away = int(abs(v) + Fraction(1, 2)) * (1 if v >= 0 else -1)
            assert got[c] == max(-128, min(127, away - 7))


def test_samples_that_are_not_finite_are_refused_by_place() -> None:
    x = np.zeros((4, 2), np.float32)
    x[2, 1] = np.nan
    with pytest.raises(InputError, match=r"\(2, 1\)"):
        quantize_samples(x, QUANTIZATION)


@pytest.mark.parametrize(("length", "hop"), [(8, 4), (8, 8), (8, 1), (5, 3)])
def test_windows_end_after_length_and_then_every_hop(length: int, hop: int) -> None:
    x = np.arange(100, dtype=np.float32).reshape(50, 2)
    ends = []
    for position, window in WindowReference(length, hop, QUANTIZATION).push(x):
        ends.append(position)
        expected = quantize_samples(x[position + 1 - length : position + 1], QUANTIZATION)
        np.testing.assert_array_equal(window, expected)
    assert ends == list(range(length - 1, 50, hop))


def test_pieces_give_the_same_windows_as_the_whole() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(0, 30, (200, 2)).astype(np.float32)
    whole = [w.tobytes() for _, w in WindowReference(16, 8, QUANTIZATION).push(x)]
    reference = WindowReference(16, 8, QUANTIZATION)
    pieces, at = [], 0
    while at < len(x):
        size = int(rng.integers(0, 20))
        pieces += [w.tobytes() for _, w in reference.push(x[at : at + size])]
        at += size
    assert pieces == whole


def test_a_restart_forgets() -> None:
    reference = WindowReference(8, 4, QUANTIZATION)
    x = np.zeros((7, 2), np.float32)
    assert reference.push(x) == []
    reference.restart()
    assert reference.push(x) == []
    assert [position for position, _ in reference.push(x)] == [0, 4]


@pytest.mark.parametrize("hop", [0, 9])
def test_a_hop_outside_the_window_is_refused(hop: int) -> None:
    with pytest.raises(InputError):
        WindowReference(8, hop, QUANTIZATION)


def test_companding_reaches_half_at_the_knee_keeps_the_sign_and_never_exceeds_one() -> None:
    x = np.float32([[0.0, 3.0], [0.1, 0.1], [-0.1, -0.1], [1e30, 1e30], [-1e30, -1e30]])
    y = compand(x, np.float32([0.1, 0.0]))
    assert y.dtype == np.float32
    assert y[:, 0].tolist() == [0.0, 0.5, -0.5, 1.0, -1.0]
    np.testing.assert_array_equal(y[:, 1], x[:, 1])


def test_companding_keeps_small_motions_apart_that_a_linear_scale_rounds_away() -> None:
    sway = np.float32([[0.007], [0.022]])
    linear = SampleQuantization(np.float32([0]), np.float32([0]), np.float32([127 / 6]), 0)
    companded = SampleQuantization(np.float32([0.1]), np.float32([0]), np.float32([127]), 0)
    assert len(np.unique(quantize_samples(sway, linear))) == 1
    assert np.diff(quantize_samples(sway, companded).astype(int).ravel())[0] > 10

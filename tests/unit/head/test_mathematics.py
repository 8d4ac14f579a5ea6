"""Our exponential and softmax: how exact they are, and that they behave at the edges."""

from __future__ import annotations

import numpy as np

from pipeline.head import softmax
from pipeline.head.mathematics import exp32


def _in_ulp(x: np.ndarray) -> np.ndarray:
    exact = np.exp(x.astype(np.float64))
    return np.abs(exp32(x) - exact) / np.spacing(exact.astype(np.float32)).astype(np.float64)


def test_exp32_is_within_one_ulp_over_its_whole_range() -> None:
    sweep = np.linspace(-87.0, 0.0, 1_000_001).astype(np.float32)
    near_zero = -np.logspace(-30, 0, 100_001).astype(np.float32)
    assert _in_ulp(sweep).max() < 1.0
    assert _in_ulp(near_zero).max() < 1.0


def test_exp32_is_within_one_ulp_where_the_range_reduction_switches() -> None:
    borders = -(np.arange(126) + 0.5) * np.log(2.0)
    x = borders.astype(np.float32)[:, None].view(np.int32) + np.arange(-200, 201)
    x = x.astype(np.int32).view(np.float32)
    assert _in_ulp(x[x >= -87.0]).max() < 1.0


def test_exp32_never_falls_as_x_rises() -> None:
    x = np.linspace(-87.5, 0.0, 1_000_001).astype(np.float32)
    assert (np.diff(exp32(x)) >= 0).all()


def test_exp32_is_one_at_zero_and_zero_beyond_its_range_and_never_a_denormal() -> None:
    edge = np.float32(-87.0)
    x = np.array([0.0, -0.0, edge, np.nextafter(edge, np.float32(-100)), -1e30, -np.inf, np.nan])
    y = exp32(x.astype(np.float32))
    assert y[0] == y[1] == 1.0
    assert y[2] >= np.finfo(np.float32).tiny
    assert (y[3:] == 0.0).all()


def test_exp32_takes_any_shape_and_gives_float32() -> None:
    for shape in ((), (1,), (2, 3), (0,)):
        y = exp32(np.full(shape, -1.0, np.float32))
        assert y.shape == shape and y.dtype == np.float32


def test_softmax_is_close_to_the_textbook_and_batches_like_single_rows() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 20, (500, 6)).astype(np.float32)
    wide = logits.astype(np.float64)
    exact = np.exp(wide - wide.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    got = softmax(logits)
    assert got.dtype == np.float32
    # l - max is rounded to float32: up to 2^-18 off where it is between 64 and 128.
    np.testing.assert_allclose(got, exact, rtol=2.0**-18 + 4e-7, atol=1e-37)
    assert b"".join(softmax(row).tobytes() for row in logits) == got.tobytes()


def test_softmax_of_far_logits_is_finite_and_sums_to_one() -> None:
    far = np.array([[2.0**40, -(2.0**40), 0.0], [0.0, 0.0, 0.0]], np.float32)
    np.testing.assert_array_equal(softmax(far)[0], [1, 0, 0])
    np.testing.assert_allclose(softmax(far).sum(axis=1), 1, rtol=1e-6)


def test_a_nan_stays_nan_or_counts_for_nothing_as_in_c() -> None:
    with np.errstate(invalid="ignore"):
        assert np.isnan(softmax(np.float32([np.nan, 1.0]))).all()
        assert softmax(np.float32([1.0, np.nan])).tolist() == [1.0, 0.0]

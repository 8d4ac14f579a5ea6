"""Temperature, centers and limit: right where the answer is known, and never from nothing."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.training.calibration import calibrate, fit_novelty, known_limit


def drawn(temperature: float, n: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, 4), and truth drawn from their softmax at ``temperature``."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 3, (n, 4))
    e = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    shares = (e / e.sum(axis=1, keepdims=True)).cumsum(axis=1)
    truth = (rng.random((n, 1)) > shares).sum(axis=1).clip(max=3)
    return logits, truth


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_drew_the_truth_is_found(temperature: float) -> None:
    found = calibrate(*drawn(temperature))
    assert found.temperature == pytest.approx(temperature, rel=0.06)
    assert found.temperature == float(np.float32(found.temperature))
    assert found.expected_calibration_error < 0.015
    assert found.validation_windows == 20000


def test_calibration_helps_whoever_is_too_sure_or_not_sure_enough() -> None:
    for temperature in (0.4, 3.0):
        found = calibrate(*drawn(temperature))
        assert found.expected_calibration_error < 0.2 * found.expected_calibration_error_before


def test_logits_of_any_size_are_taken() -> None:
    logits, truth = drawn(1.0, 500)
    assert calibrate(logits * 1e4, truth).temperature == pytest.approx(20.0, rel=0.01)
    assert calibrate(
        np.zeros((9, 3)), np.zeros(9, int)
    ).expected_calibration_error_before == pytest.approx(2 / 3)


def test_novelty_has_the_means_and_deviations_of_each_activity() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, 4000)
    features = rng.normal(size=(4000, 5)) * (1 + truth[:, None]) + truth[:, None]
    features[:, 4] = 7.0  # never moves
    people = np.arange(4000) % 3
    novelty = fit_novelty(features.astype(np.float32), truth, people, 3, np.full(5, 0.5))
    assert novelty.center.dtype == novelty.inverse_std.dtype == np.float32
    np.testing.assert_allclose(novelty.center[:, :4], [[k] * 4 for k in range(3)], atol=0.3)
    expected = 1 / np.sqrt((1 + np.arange(3.0)) ** 2 + 0.25)
    np.testing.assert_allclose(novelty.inverse_std[:, 0], expected, rtol=0.06)
    np.testing.assert_allclose(novelty.inverse_std[:, 4], 2.0, rtol=1e-6)


def test_what_two_people_did_varies_at_least_as_the_other_activities_do() -> None:
    rng = np.random.default_rng(6)
    truth = np.arange(6000) % 3
    features = rng.normal(size=(6000, 2)) * np.array([1.0, 2.0, 0.1])[truth, None]
    features[truth == 2, 1] *= 100.0
    people = np.where(truth == 2, np.arange(6000) % 2, np.arange(6000) // 3 % 3)
    std = 1 / fit_novelty(features, truth, people, 3, np.zeros(2)).inverse_std
    np.testing.assert_allclose(std[:2], [[1, 1], [2, 2]], rtol=0.05)
    np.testing.assert_allclose(std[2], [np.sqrt((1 + 4) / 2), 10.0], rtol=0.05)
    alone = 1 / fit_novelty(features, truth, np.zeros(6000), 3, np.zeros(2)).inverse_std
    np.testing.assert_allclose(alone[2], [0.1, 10.0], rtol=0.05)  # nobody to borrow from


@pytest.mark.parametrize("n", [1, 19, 20, 21, 1000])
def test_no_more_than_the_stated_share_lies_beyond_the_limit(n: int) -> None:
    distances = np.random.default_rng(n).exponential(size=n).astype(np.float32)
    beyond = (distances > known_limit(distances, 0.05)).mean()
    assert beyond <= 0.05
    assert beyond >= 0.05 - 1 / n


def test_nothing_comes_of_nothing() -> None:
    with pytest.raises(ValueError):
        calibrate(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(ValueError):
        known_limit(np.zeros(0))
    with pytest.raises(ValueError, match="activity 1"):
        fit_novelty(np.zeros((2, 3)), np.array([0, 2]), np.zeros(2), 3, np.ones(3))

"""The smoother follows the forward filter it names, and novelty the distance it names."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.head import LIMIT, Limits, Novelty, Smoother, softmax


def forward(probabilities: np.ndarray, moving: np.ndarray, change: float, other: float) -> list:
    """The textbook filter in float64, with a transition matrix."""
    k = probabilities.shape[1]
    belief, out = np.full(k, 1 / k), []
    for p, moved in zip(probabilities, moving, strict=True):
        e = other if moved else change
        belief = ((1 - e) * np.eye(k) + e / k) @ belief * p
        belief /= belief.sum()
        out.append(belief)
    return out


def test_it_is_the_forward_filter_with_two_rates_of_change() -> None:
    rng = np.random.default_rng(1)
    probabilities = softmax(rng.normal(0, 3, (300, 6)).astype(np.float32))
    unknown = rng.random(300) < 0.1
    moving = unknown | np.append(False, unknown[:-1])
    beliefs = Smoother(6, 0.01, 0.5).run(probabilities, unknown)
    assert beliefs.dtype == np.float32
    np.testing.assert_allclose(beliefs, forward(probabilities, moving, 0.01, 0.5), atol=1e-5)


def sitting_then_standing(moving: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ten windows each, with a wrong one in the middle of the first ten; between them a window
    that is unknown, or not."""
    sure = np.float32([[0.9, 0.1], [0.1, 0.9]])
    kinds = [0] * 5 + [1] + [0] * 4 + [1] * 10
    unknown = np.zeros(20, bool)
    unknown[10] = moving
    return sure[kinds], unknown


def test_a_single_contradiction_is_smoothed_away_and_motion_lets_go_at_once() -> None:
    shown = {
        moving: Smoother(2, 0.01, 0.5).run(*sitting_then_standing(moving)).argmax(axis=1)
        for moving in (False, True)
    }
    assert (shown[True][:10] == 0).all() and (shown[False][:10] == 0).all()
    assert (shown[True][11:] == 1).all()
    assert shown[False].tolist().index(1) == 12


def test_switched_off_it_shows_each_window_for_itself() -> None:
    rng = np.random.default_rng(2)
    probabilities = softmax(rng.normal(0, 3, (100, 5)).astype(np.float32))
    beliefs = Smoother(5, 1.0, 1.0).run(probabilities, rng.random(100) < 0.3)
    np.testing.assert_allclose(beliefs, probabilities, rtol=1e-5, atol=1e-30)


def test_certainty_does_not_stick_for_ever() -> None:
    sure = np.zeros((1001, 3), np.float32)
    sure[:1000, 0] = 1
    sure[1000, 2] = 1
    beliefs = Smoother(3, 0.01, 0.5).run(sure, np.zeros(1001, bool))
    assert beliefs[999].tolist() == [1, 0, 0]
    assert beliefs[1000].tolist() == [0, 0, 1]


def test_of_nothing_comes_nothing() -> None:
    assert Smoother(3, 0.1, 0.5).run(np.zeros((0, 3)), np.zeros(0)).shape == (0, 3)


def test_it_starts_again_with_as_many_activities_as_there_are() -> None:
    smoother = Smoother(3, 0.1, 0.5)
    smoother.push(np.float32([0.8, 0.1, 0.1]), True)
    smoother.restart(4)
    fresh = Smoother(4, 0.1, 0.5)
    assert smoother.belief.tolist() == [0.25] * 4
    p = np.float32([0.1, 0.2, 0.3, 0.4])
    assert smoother.push(p, False).tobytes() == fresh.push(p, False).tobytes()
    smoother.restart()
    assert smoother.belief.shape == (4,)


@pytest.mark.parametrize("rates", [(0.0, 0.5), (0.1, 0.0), (1.5, 0.5), (float("nan"), 0.5)])
def test_rates_that_are_no_probability_are_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="smoother"):
        Smoother(3, *rates)


NOVELTY = Novelty(np.float32([[0, 0], [10, 0]]), np.float32([[1, 0.5], [2, 1]]))


def test_distance_is_the_mean_squared_deviation_from_one_activity() -> None:
    x = np.float32([[2, 4, 99], [11, 3, 99]])
    assert NOVELTY.distance(x, np.array([0, 1])).tolist() == [(4 + 4) / 2, (4 + 9) / 2]
    assert NOVELTY.distance(x[0], 0) == 4.0
    assert NOVELTY.features == 2


def test_a_taught_activity_is_near_and_never_unknown() -> None:
    x = np.float32([[1e4, -1e4], [2, 4]])
    assert NOVELTY.distance(x, np.array([2, 0])).tolist() == [0.0, 4.0]
    limits = Limits(2, 3.0, 1.25, rows=4)
    assert limits.values.tolist() == [3.0, 3.0, LIMIT, LIMIT]
    limits.learn(2, NOVELTY.distance(x[0], 2))
    assert limits.values.tolist() == [3.0, 3.0, LIMIT, LIMIT]
    assert limits.novelty(NOVELTY.distance(x[0], 3), 3) == 0


def test_shapes_that_do_not_match_are_refused() -> None:
    with pytest.raises(InputError, match="novelty"):
        Novelty(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32))


def test_a_label_widens_its_own_limit_and_never_narrows_one() -> None:
    limits = Limits(3, 2.0, 1.25)
    limits.learn(1, np.float32(4.0))
    limits.learn(1, np.float32(0.5))
    limits.learn(2, np.float32(1.6))
    assert limits.values.tolist() == [2.0, 5.0, 2.0]
    limits.learn(0, np.float32(1e9))
    assert limits.values[0] == LIMIT
    limits.reset()
    assert limits.values.tolist() == [2.0, 2.0, 2.0]


def test_windows_that_repeat_each_other_count_as_one() -> None:
    rng = np.random.default_rng(4)
    once = softmax(rng.normal(0, 2, (40, 4)).astype(np.float32))
    one = Smoother(4, 1e-7, 0.5).run(once, np.zeros(40, bool))
    four = Smoother(4, 1e-7, 0.5, roots=2).run(np.repeat(once, 4, axis=0), np.zeros(160, bool))
    np.testing.assert_allclose(four[3::4], one, atol=1e-3)

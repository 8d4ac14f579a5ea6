"""What `har doctor` reads from a sensor's samples, on motion whose physics is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.doctor import motion
from pipeline.doctor.board import gather
from pipeline.doctor.motion import Take
from pipeline.protocol.messages import Sensed
from tests.support.fake_board import LSM9DS1

RATE = 50.0


def take(*pieces: np.ndarray, **changes: object) -> Take:
    kept = tuple(piece.astype(np.float32) for piece in pieces)
    usual = {"sensor_lost": 0, "wire_lost": 0, "measured_hz": RATE}
    return Take(kept, RATE, sum(map(len, kept)) / RATE, **{**usual, **changes})


def lying(
    seconds: int = 8, *, gravity: tuple[float, float, float] = (0, 0, 1), noise: float = 0.001
) -> np.ndarray:
    samples = np.random.default_rng(1).normal(0.0, noise, (round(seconds * RATE), 6))
    samples[:, :3] += gravity
    return samples


def turning(seconds: int = 8, *, rads: float = 0.6) -> np.ndarray:
    """About x: gravity, seen from the board, turns the other way."""
    angle = np.arange(round(seconds * RATE)) / RATE * rads
    samples = np.random.default_rng(2).normal(0.0, 0.002, (len(angle), 6))
    samples[:, 1] += np.sin(angle)
    samples[:, 2] += np.cos(angle)
    samples[:, 3] += rads
    return samples


def test_a_board_at_rest_is_green_all_over() -> None:
    found = take(lying())
    state = replace(LSM9DS1, nominal_hz=119.0, rate_hz=118.7)
    checks = [
        motion.check_rate(state, found),
        motion.check_zero(state, found),
        motion.check_noise(found),
        motion.check_resting_gravity(found),
        motion.check_lost(found, state, state),
    ]
    assert [check.state for check in checks] == ["green"] * 5
    assert "118.7 Hz, nominal 119 Hz; the model gets 50.0 of 50 Hz" in checks[0].text
    assert "+z points up, components up" in checks[3].text
    assert checks[4].text == "400 in 8 s, none lost, none late"
    assert not any(check.remedy for check in checks)


@pytest.mark.parametrize(
    ("gravity", "up"),
    [
        ((0, 0, -1), "-z points up, components down"),
        ((1, 0, 0), "+x points up"),
        ((0, -1, 0), "-y points up"),
        ((0.6, 0, 0.8), "lying askew"),
    ],
)
def test_tells_which_axis_points_up(gravity: tuple[float, float, float], up: str) -> None:
    check = motion.check_resting_gravity(take(lying(gravity=gravity)))
    assert check.state == "green"
    assert check.text.endswith(up)


@pytest.mark.parametrize(("size", "state"), [(1.04, "green"), (0.93, "yellow"), (9.8, "red")])
def test_gravity_has_to_be_one_g(size: float, state: str) -> None:
    check = motion.check_resting_gravity(take(lying(gravity=(0, 0, size))))
    assert check.state == state
    assert bool(check.remedy) == (state != "green")


def test_noise_is_told_axis_by_axis_and_too_much_of_it_is_yellow() -> None:
    samples = lying()
    samples[:, 4] += np.random.default_rng(3).normal(0.0, 0.03, len(samples))
    check = motion.check_noise(take(samples))
    assert check.state == "yellow"
    values = check.text.split(" mrad/s")[0].split(", ")[1].split()
    assert 20 < float(values[1]) < 40 > 5 > float(values[0])


def test_a_board_that_moves_is_not_judged_by_its_noise() -> None:
    shaken = lying(noise=0.3)
    for check in (motion.check_noise(take(shaken)), motion.check_resting_gravity(take(shaken))):
        assert (check.state, check.text) == ("yellow", "not looked at: the board moved")
        assert "still" in check.remedy


def test_an_axis_that_never_changes_is_broken() -> None:
    samples = lying()
    samples[:, 5] = 0.0
    check = motion.check_noise(take(samples))
    assert (check.state, check.text) == ("red", "never changes: gz")


def test_a_gyroscope_that_turns_at_rest_has_a_wrong_zero() -> None:
    samples = lying()
    samples[:, 3] += 0.05
    assert motion.check_zero(LSM9DS1, take(samples)).state == "yellow"
    unknown = motion.check_zero(replace(LSM9DS1, zero_known=False), take(lying()))
    assert (unknown.state, unknown.text) == ("yellow", "not known yet")


def test_axes_that_belong_together_are_green() -> None:
    check = motion.check_axes(take(turning()))
    assert check.state == "green"
    assert check.text.startswith("gravity turns 1.0")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ((1, 1, 1, -1, -1, -1), "against the gyroscope"),
        ((1, -1, -1, -1, 1, 1), "against the gyroscope"),
        ((1, 1, 1, 2, 2, 2), "not 1"),
    ],
)
def test_axes_that_do_not_are_red(wrong: tuple[int, ...], said: str) -> None:
    check = motion.check_axes(take(turning() * wrong))
    assert check.state == "red"
    assert said in check.text


def test_axes_are_not_judged_without_turning() -> None:
    check = motion.check_axes(take(lying()))
    assert check.state == "yellow"
    assert "not turned" in check.text
    assert motion.check_axes(take()).state == "yellow"


@pytest.mark.parametrize(
    ("rate_hz", "measured_hz", "state"),
    [
        (118.7, 50.0, "green"),
        (118.7, None, "green"),
        (104.0, 50.0, "red"),
        (118.7, 46.0, "red"),
        (None, 50.0, "yellow"),
    ],
)
def test_the_true_rate_is_within_five_percent(
    rate_hz: float | None, measured_hz: float | None, state: str
) -> None:
    now = replace(LSM9DS1, nominal_hz=119.0, rate_hz=rate_hz)
    assert motion.check_rate(now, take(lying(), measured_hz=measured_hz)).state == state


def test_lost_and_late_samples_are_counted() -> None:
    before = replace(LSM9DS1, late=0xFFFFFFFF, bus_errors=3)
    after = replace(LSM9DS1, late=1, bus_errors=4)
    few = motion.check_lost(take(lying(), sensor_lost=2), before, after)
    assert few.state == "yellow"
    assert few.text == "400 in 8 s, 2 missed by the board, 2 late, 1 bus errors"
    assert motion.check_lost(take(lying(), wire_lost=20), LSM9DS1, LSM9DS1).state == "red"
    assert motion.check_lost(take(), LSM9DS1, LSM9DS1).state == "red"


def frames(*parts: tuple[int, int, int]) -> list[Sensed]:
    """(index, lost, count) each; the clock runs at the rate."""
    return [
        Sensed(index, round(index * 1000 / RATE) & 0xFFFFFFFF, lost, np.ones((n, 6), np.float32))
        for index, lost, n in parts
    ]


def test_frames_are_put_together_where_none_is_missing() -> None:
    found = gather(frames((100, 7, 10), (110, 0, 10), (125, 5, 10), (145, 0, 10)), RATE, 1.0)
    assert [len(piece) for piece in found.pieces] == [20, 10, 10]
    assert (found.sensor_lost, found.wire_lost) == (5, 10)
    assert found.measured_hz is None


def test_the_rate_is_reckoned_by_the_boards_clock() -> None:
    found = gather(frames(*((10 * n, 0, 10) for n in range(20))), RATE, 4.0)
    assert found.measured_hz == pytest.approx(RATE)
    assert gather([], RATE, 4.0).pieces == ()


def test_a_count_that_wraps_is_no_loss() -> None:
    found = gather(frames((0xFFFFFFF6, 0, 10), (0, 0, 10)), RATE, 1.0)
    assert [len(piece) for piece in found.pieces] == [20]
    assert (found.sensor_lost, found.wire_lost) == (0, 0)

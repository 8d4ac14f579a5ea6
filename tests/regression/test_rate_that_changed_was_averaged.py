"""A recording at 50 Hz that went on at 25 Hz was read as one of 31 Hz, without a word; steps that
jitter by half were taken for lost samples, and the rate came out a third too high."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.core.errors import InputError
from pipeline.data.timeline import Timeline, read_timeline

Times = npt.NDArray[np.float64]
N = 1500


def read(steps: Times) -> Timeline:
    times = np.concatenate([[0.0], np.cumsum(steps)])
    return read_timeline(times, "a.csv", lambda index: index + 2)


@pytest.mark.parametrize("split", [300, 600, 900, 1200])
def test_two_rates_in_one_file_are_refused_with_their_lines(split: int) -> None:
    with pytest.raises(InputError, match=r"a\.csv, line \d+: time_s means 25 Hz here and 50 Hz"):
        read(np.where(np.arange(N) < split, 0.02, 0.04))


def test_a_rate_that_drifts_by_half_is_refused() -> None:
    with pytest.raises(InputError, match="or record at one rate"):
        read(1 / np.linspace(100, 50, N))


@pytest.mark.parametrize(
    "jitter",
    [
        lambda draw: draw.uniform(1 / 60, 1 / 40, N),
        lambda draw: 0.02 * np.exp(draw.normal(0, 0.4, N)),
        lambda _: np.where(np.arange(N) % 2, 0.025, 0.015),
    ],
    ids=["a phone", "heavy", "in turns"],
)
def test_jitter_keeps_the_rate_that_the_samples_have_on_average(
    jitter: Callable[[np.random.Generator], Times],
) -> None:
    steps = jitter(np.random.default_rng(0))
    assert read(steps).rate_hz == pytest.approx(N / steps.sum(), rel=0.03)


def test_uneven_steps_are_named_and_lost_samples_still_are() -> None:
    (doubt,) = read(np.where(np.arange(N - 1) % 2, 0.025, 0.015)).doubts
    assert "is uneven" in doubt and "50 Hz" in doubt
    lost = read(np.where(np.arange(N) % 10 == 3, 0.04, 0.02))
    assert lost.rate_hz == 50.0 and "150 single samples" in lost.doubts[0]


def test_a_second_that_hung_and_was_caught_up_is_no_change_of_rate() -> None:
    steps = np.full(N, 0.02)
    steps[700], steps[701:750] = 1.0, 1e-3
    assert read(steps).rate_hz == pytest.approx(50.0, rel=0.05)

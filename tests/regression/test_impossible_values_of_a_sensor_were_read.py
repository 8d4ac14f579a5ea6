"""One sample of 100,000 g among good ones was read without a word, and so was a gyroscope in rad/s
that was stated to be in deg/s, as nothing turned too fast then."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data.plausibility import check_samples
from pipeline.data.units import Stated, to_samples
from tests.support.foreign_data import motion


def test_an_acceleration_beyond_every_sensor_is_refused_with_its_sample() -> None:
    samples = motion(30, 50, "walking").astype(np.float32)
    assert check_samples(samples, 50.0, [], "a.csv") == []
    samples[700, 1] = 1e5
    with pytest.raises(InputError, match=r"a\.csv: \|a\| is 1e\+05 at sample 700, above 64 g"):
        check_samples(samples, 50.0, [], "a.csv")


@pytest.mark.parametrize("activity", ["walking", "standing"])
@pytest.mark.parametrize("unit", ["rad/s", "deg/s"])
def test_a_gyroscope_in_the_unit_that_is_stated_gives_no_warning(unit: str, activity: str) -> None:
    size = np.pi / 180 if unit == "deg/s" else 1.0
    values = motion(30, 50, activity) / ([1.0] * 3 + [size] * 3)
    _, doubts = to_samples([values], 50.0, Stated("g", unit), "a.csv")
    assert not any("hardly turns" in doubt for doubt in doubts)


def test_a_gyroscope_in_rad_s_that_is_stated_to_be_in_deg_s_gives_one() -> None:
    _, doubts = to_samples([motion(30, 50, "walking")], 50.0, Stated("g", "deg/s"), "a.csv")
    assert any("hardly turns; it would fit if the gyroscope was in rad/s" in d for d in doubts)

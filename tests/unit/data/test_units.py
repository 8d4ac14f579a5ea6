"""Units as files and people write them."""

from __future__ import annotations

import pytest

from pipeline.core.errors import InputError
from pipeline.data.units import ACCELERATION, ROTATION, find_unit


@pytest.mark.parametrize(
    ("text", "units", "unit"),
    [
        ("G", ACCELERATION, "g"),
        ("m/s²", ACCELERATION, "m/s2"),
        ("(m/s^2)", ACCELERATION, "m/s2"),
        ("m/sec2", ACCELERATION, "m/s2"),
        ("m/second^2", ACCELERATION, "m/s2"),
        ("milli-g", ACCELERATION, "mg"),
        ("rad/s", ROTATION, "rad/s"),
        ("rad/second", ROTATION, "rad/s"),
        ("DPS", ROTATION, "deg/s"),
        ("°/s", ROTATION, "deg/s"),
        ("deg/sec", ROTATION, "deg/s"),
        ("degrees/second", ROTATION, "deg/s"),
    ],
)
def test_one_unit_has_many_spellings(text: str, units: dict[str, float], unit: str) -> None:
    assert find_unit(text, units) == unit


def test_another_unit_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="--accel-unit 'furlong': there are g, m/s2, mg"):
        find_unit("furlong", ACCELERATION, "--accel-unit")

"""Units as files and people write them, and what to do where neither says one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.plausibility import (
    STANDARD_GRAVITY,
    Samples,
    check_gravity,
    check_rotation,
    check_samples,
    turning_gravity,
)

Values = npt.NDArray[np.float64]

# Whoever moves turns by more, and in deg/s read as rad/s that would be 57 times as much.
MIN_TURNING_RADS = 0.2
# What a value is multiplied with to be in g, or in rad/s.
ACCELERATION = {"g": 1.0, "m/s2": 1 / STANDARD_GRAVITY, "mg": 1e-3}
ROTATION = {"rad/s": 1.0, "deg/s": math.pi / 180}
_SPELLINGS = {
    "gs": "g",
    "gn": "g",
    "ms2": "m/s2",
    "m/s/s": "m/s2",
    "ms-2": "m/s2",
    "milli-g": "mg",
    "millig": "mg",
    "rads": "rad/s",
    "rads-1": "rad/s",
    "radians/s": "rad/s",
    "degs": "deg/s",
    "dps": "deg/s",
    "degree/s": "deg/s",
    "degrees/s": "deg/s",
    "°/s": "deg/s",
}


def find_unit(text: str, units: dict[str, float], option: str = "") -> str:
    """The unit of ``units`` that ``text`` (m/s², M/S^2, dps, ...) means.

    Raises:
        InputError: none of them; names ``option`` where the text came from there.
    """
    plain = re.sub(r"[\s^()\[\]*]", "", text.strip().lower()).replace("²", "2")
    plain = plain.replace("second", "s").replace("sec", "s")
    unit = _SPELLINGS.get(plain, plain)
    if unit not in units:
        raise InputError(f"{option or 'unit'} {text!r}: there are {', '.join(units)}")
    return unit


@dataclass(frozen=True)
class Stated:
    """Units that a file (or else the user) names, "" where neither does."""

    acceleration: str = ""
    rotation: str = ""


def to_samples(
    stretches: Sequence[Values], rate_hz: float, stated: Stated, where: str
) -> tuple[list[Samples], list[str]]:
    """Stretches (n, 6) of one recording in the file's units -> in g and rad/s, and what its owner
    should know. A unit that is not stated is the only one that physics allows.

    Raises:
        InputError: what is stated cannot be right, or what is not stated cannot be found out; the
            message has the option to state it.
    """
    doubts = []
    acceleration, rotation = stated.acceleration, stated.rotation
    if not acceleration:
        acceleration = _only(
            [unit for unit in ACCELERATION if _gravity_fits(stretches, rate_hz, unit)],
            f"{where}: the unit of acceleration is not stated, and the values allow several",
            "--accel-unit g, m/s2 or mg",
        )
        doubts.append(f"acceleration is taken for {acceleration}, as gravity says")
    if not rotation:
        rotation = _only(
            [
                unit
                for unit in ROTATION
                if _rotation_fits(_scaled(stretches, acceleration, unit), rate_hz)
            ],
            f"{where}: the unit of the gyroscope is not stated, and the values allow several",
            "--gyro-unit rad/s or deg/s",
        )
        doubts.append(f"angular rate is taken for {rotation}, as the turning of gravity says")
    found = _scaled(stretches, acceleration, rotation)
    if stated.rotation and not _rotation_fits(found, rate_hz):
        other = next(unit for unit in ROTATION if unit != rotation)
        if _rotation_fits(_scaled(stretches, acceleration, other), rate_hz):
            doubts.append(
                f"in {rotation}, as it is stated, it hardly turns; it would fit if the gyroscope "
                f"was in {other}"
            )
    whole = np.concatenate(found)
    borders = np.cumsum([len(stretch) for stretch in found])[:-1].tolist()
    return found, [*doubts, *check_samples(whole, rate_hz, borders, where)]


def _scaled(stretches: Sequence[Values], acceleration: str, rotation: str) -> list[Samples]:
    factors = [ACCELERATION[acceleration]] * 3 + [ROTATION[rotation]] * 3
    return [(stretch * factors).astype(np.float32) for stretch in stretches]


def _only(possible: list[str], problem: str, option: str) -> str:
    if len(possible) == 1:
        return possible[0]
    raise InputError(f"{problem}; give {option}")


def _gravity_fits(stretches: Sequence[Values], rate_hz: float, unit: str) -> bool:
    try:
        check_gravity([(each, rate_hz) for each in _scaled(stretches, unit, "rad/s")], "")
    except InputError:
        return False
    return True


def _rotation_fits(stretches: Sequence[Samples], rate_hz: float) -> bool:
    """Whether nothing contradicts the unit; a gyroscope in deg/s that is read as rad/s turns too
    fast, one in rad/s that is read as deg/s hardly at all."""
    pairs = [(stretch, rate_hz) for stretch in stretches]
    found = turning_gravity(pairs)
    if found.informative:
        return found.may_be(1.0)
    try:
        check_rotation(np.concatenate(stretches), rate_hz, "")
    except InputError:
        return False
    return bool(np.quantile(np.abs(np.concatenate(stretches)[:, 3:]), 0.99) > MIN_TURNING_RADS)

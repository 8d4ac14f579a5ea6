"""Are these numbers what they claim to be? Physics that catches wrong units."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError

STANDARD_GRAVITY = 9.80665  # m/s2
GRAVITY_RANGE_G = (0.7, 1.3)
STILLEST_FRACTION = 0.1
MAX_ROTATION_RADS = 35.0  # the gyroscopes' full scale, 2000 deg/s, is 34.9 rad/s


def resting_acceleration(samples: npt.NDArray[np.float32], rate_hz: float) -> float:
    """Median |a| over the stillest tenth of the seconds (at least one): about 1 g on Earth.

    ``samples`` is (n, 6), n >= 1; the answer is in the unit of its first three columns.
    """
    size = np.linalg.norm(samples[:, :3].astype(np.float64), axis=1)
    second = max(1, min(len(size), round(rate_hz)))
    seconds = size[: len(size) // second * second].reshape(-1, second)
    order = np.argsort(seconds.std(axis=1), kind="stable")
    stillest = order[: max(1, round(len(order) * STILLEST_FRACTION))]
    return float(np.median(seconds[stillest]))


def check_gravity(samples: npt.NDArray[np.float32], rate_hz: float, where: str) -> None:
    """Raises InputError unless the acceleration at rest is about 1 g, with the likely reason."""
    low, high = GRAVITY_RANGE_G
    rest = resting_acceleration(samples, rate_hz)
    if low <= rest <= high:
        return
    if low <= rest / STANDARD_GRAVITY <= high:
        advice = f"it looks like m/s2: divide by {STANDARD_GRAVITY}"
    elif low <= rest / 1000 <= high:
        advice = "it looks like milli-g: divide by 1000"
    elif rest < 0.3:
        advice = "it looks like gravity was taken out: record the total acceleration"
    else:
        advice = "give acceleration in g with gravity included"
    raise InputError(f"{where}: |a| at rest is {rest:.3g}, not about 1 g; {advice}")


def check_rotation(samples: npt.NDArray[np.float32], where: str) -> None:
    """Raises InputError if the angular rate is beyond any gyroscope in rad/s."""
    size = np.linalg.norm(samples[:, 3:].astype(np.float64), axis=1)
    worst = int(np.argmax(size))
    if size[worst] > MAX_ROTATION_RADS:
        raise InputError(
            f"{where}: |w| is {size[worst]:.3g} at sample {worst}, above {MAX_ROTATION_RADS:g} "
            "rad/s; it looks like deg/s: multiply by pi/180"
        )

"""Are these numbers what they claim to be? Physics that catches wrong units or a wrong rate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError

Samples = npt.NDArray[np.float32]

STANDARD_GRAVITY = 9.80665  # m/s2
GRAVITY_RANGE_G = (0.7, 1.3)
# One subject may only have run, so that even the stillest second shakes: a wide range, that still
# excludes a wrong unit.
PERSON_GRAVITY_RANGE_G = (0.5, 1.8)
STILLEST_FRACTION = 0.1
MAX_ROTATION_RADS = 35.0  # the gyroscopes' full scale, 2000 deg/s, is 34.9 rad/s
# A second is still where the acceleration, as a vector, varies by less. A body then turns by 0.01
# to 0.03 rad/s, which a gyroscope in deg/s shows as 0.5 to 2.
STILL_G = 0.01
MAX_STILL_ROTATION_RADS = 0.4
STILL_SECONDS = 5

# Gravity seen from a turning sensor: da/dt = -w x a, where nothing else accelerates it.
SMOOTHING_S = 1.0
QUIET_G = 0.1
QUIET_SECONDS = 20.0
INFORMATIVE_CORRELATION = 0.5
DECISIVE_CORRELATION = 0.7
FACTOR_RANGE = (0.77, 1.3)
DEGREE = math.pi / 180


@dataclass(frozen=True)
class TurningGravity:
    """How the turning of gravity and the gyroscope agree over the quiet stretches.

    ``factor`` is the least-squares slope of da/dt on -w x a, ``upper_factor`` that of the inverse
    regression: noise on either side bends them apart, and the truth, which is 1, lies between.
    ``seconds`` is how much was quiet; both factors are nan where nothing was.
    """

    factor: float
    upper_factor: float
    correlation: float
    seconds: float

    @property
    def informative(self) -> bool:
        """Whether enough was quiet, and turned enough, for the factors to mean something."""
        return self.seconds >= QUIET_SECONDS and self.correlation >= INFORMATIVE_CORRELATION

    def may_be(self, factor: float) -> bool:
        """Whether ``factor`` lies between the two regressions, with some room."""
        low, high = FACTOR_RANGE
        return self.factor <= factor * high and self.upper_factor >= factor * low


def check_gravity(
    recordings: Sequence[tuple[Samples, float]], where: str, *, one_person: bool = False
) -> float:
    """Return the acceleration at rest over several (samples (n, 6), n >= 1, rate in Hz): the median
    of |a| over the stillest tenth of all seconds (at least one), about 1 g on Earth.

    Raises:
        InputError: it is not about 1 g; the message has the likely reason.
    """
    spreads = np.concatenate([_by_second(s, rate_hz, np.std) for s, rate_hz in recordings])
    levels = np.concatenate([_by_second(s, rate_hz, np.median) for s, rate_hz in recordings])
    order = np.argsort(spreads, kind="stable")
    rest = float(np.median(levels[order[: max(1, round(len(order) * STILLEST_FRACTION))]]))
    _check_rest(rest, PERSON_GRAVITY_RANGE_G if one_person else GRAVITY_RANGE_G, where)
    return rest


def check_rotation(samples: Samples, rate_hz: float, where: str) -> None:
    """Raises InputError if the angular rate cannot be rad/s.

    Two signs: an axis beyond any gyroscope's full scale; turning while the accelerometer says that
    nothing moves.
    """
    size = np.abs(samples[:, 3:]).max(axis=1)
    worst = int(np.argmax(size))
    if size[worst] > MAX_ROTATION_RADS:
        raise InputError(
            f"{where}: |w| is {size[worst]:.3g} at sample {worst}, above {MAX_ROTATION_RADS:g} "
            "rad/s; it looks like deg/s: multiply by pi/180"
        )
    second = max(1, min(len(samples), round(rate_hz)))
    vectors = samples[: len(samples) // second * second, :3].reshape(-1, second, 3)
    spread = np.sqrt(vectors.astype(np.float64).var(axis=1).sum(axis=1))
    still = _by_second(samples[:, 3:], rate_hz)[spread < STILL_G]
    if len(still) >= STILL_SECONDS and float(np.median(still)) > MAX_STILL_ROTATION_RADS:
        raise InputError(
            f"{where}: |w| is {np.median(still):.2g} over {len(still)} s in which nothing moves; "
            "it looks like deg/s: multiply by pi/180 (if it is rad/s, take the gyroscope's offset "
            "off first)"
        )


def turning_gravity(recordings: Iterable[tuple[Samples, float]]) -> TurningGravity:
    """Compares the two sensors over (samples (n, 6), rate in Hz), pooled.

    Quiet is where |a| stays within 0.1 g of 1 g for a second; both sides are averaged over that
    second. On HAPT's training subjects the factor is 0.99 at a
    correlation of 0.92 (by recording 0.83 to 1.07); axes, signs, unit and rate must all be right
    for that.
    """
    cross = change = turn = seconds = 0.0
    for samples, rate_hz in recordings:
        m = max(1, round(rate_hz * SMOOTHING_S))
        if len(samples) < m + 2:
            continue
        a = samples[:, :3].astype(np.float64)
        moving = np.abs(np.linalg.norm(a, axis=1, keepdims=True) - 1.0) > QUIET_G
        smooth = _mean(a, m)  # (n - m + 1, 3)
        predicted = _mean(-np.cross(samples[:, 3:].astype(np.float64), a), m)[1:-1]
        measured = (smooth[2:] - smooth[:-2]) * (rate_hz / 2)
        quiet = _mean(moving.astype(np.float64), m)[1:-1, 0] < 0.5 / m
        measured, predicted = measured[quiet], predicted[quiet]
        cross += float((measured * predicted).sum())
        change += float((measured**2).sum())
        turn += float((predicted**2).sum())
        seconds += len(measured) / rate_hz
    if cross == 0.0 or change == 0.0 or turn == 0.0:
        return TurningGravity(math.nan, math.nan, 0.0, seconds)
    return TurningGravity(cross / turn, change / cross, cross / math.sqrt(change * turn), seconds)


def check_turning_gravity(
    recordings: Iterable[tuple[Samples, float]], where: str, *, strict: bool = False
) -> tuple[TurningGravity, list[str]]:
    """Raises InputError where the two sensors clearly say deg/s; returns further warnings.

    ``strict`` refuses every other factor too where the comparison is decisive. Silent where too
    little was quiet: the comparison then says nothing.
    """
    found = turning_gravity(recordings)
    if found.informative and not found.may_be(1.0):
        if found.may_be(DEGREE):
            raise InputError(
                f"{where}: gravity turns {found.factor:.2g} times as fast as the gyroscope says; "
                "it looks like deg/s: multiply by pi/180"
            )
        doubt = (
            f"gravity turns {found.factor:.2g} times as fast as the gyroscope says (1 is right): "
            "the rate or the gyroscope's unit is wrong"
        )
        if strict and found.correlation >= DECISIVE_CORRELATION:
            raise InputError(f"{where}: {doubt}")
        return found, [doubt]
    if found.seconds >= QUIET_SECONDS and found.correlation <= -INFORMATIVE_CORRELATION:
        return found, [
            "gravity turns against the gyroscope: its axes or signs are not the accelerometer's"
        ]
    return found, []


def _check_rest(rest: float, limits: tuple[float, float], where: str) -> None:
    low, high = limits
    if low <= rest <= high:
        return
    if low <= rest / STANDARD_GRAVITY <= high:
        advice = f"it looks like m/s2: divide by {STANDARD_GRAVITY}"
    elif low <= rest * STANDARD_GRAVITY <= high:
        advice = f"it looks like g divided by {STANDARD_GRAVITY}: it was in g already"
    elif low <= rest / 1000 <= high:
        advice = "it looks like milli-g: divide by 1000"
    elif rest < 0.3:
        advice = "it looks like gravity was taken out: record the total acceleration"
    else:
        advice = "give acceleration in g with gravity included"
    raise InputError(f"{where}: |a| at rest is {rest:.3g}, not about 1 g; {advice}")


def _by_second(
    samples: Samples, rate_hz: float, figure: object = np.mean
) -> npt.NDArray[np.float64]:
    """``figure`` of the length of the first three columns, second by second (at least one)."""
    size = np.linalg.norm(samples[:, :3].astype(np.float64), axis=1)
    second = max(1, min(len(size), round(rate_hz)))
    seconds = size[: len(size) // second * second].reshape(-1, second)
    result: npt.NDArray[np.float64] = figure(seconds, axis=1)  # type: ignore[operator]
    return result


def _mean(values: npt.NDArray[np.float64], m: int) -> npt.NDArray[np.float64]:
    """Moving average of m rows: (n, k) -> (n - m + 1, k)."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    mean: npt.NDArray[np.float64] = (sums[m:] - sums[:-m]) / m
    return mean

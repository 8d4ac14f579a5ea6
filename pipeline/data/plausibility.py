"""Are these numbers what they claim to be? Physics that catches wrong units or a wrong rate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.recording import CHANNELS

Samples = npt.NDArray[np.float32]

STANDARD_GRAVITY = 9.80665  # m/s2
GRAVITY_RANGE_G = (0.7, 1.3)
# A swung arm turns with gravity and adds its own centripetal acceleration: where the sensor turns
# so much half of the time, the range is wide (0.63 to 1.9 g in Watch, at 2.6 to 7 rad/s).
SWUNG_RADS = 2.0
SWUNG_RANGE_G = (0.45, 2.0)
# Whoever jumps falls freely half of the time, but over some seconds the mean acceleration, as a
# vector, is gravity again: what was gained in speed was lost.
MEAN_SECONDS = 4.0
MEAN_QUANTILE = 0.75
MIN_MEAN_G = 0.3
# Of a 16-bit accelerometer with a range of 2, 4, 8 and 16 g.
RAW_COUNTS = (16384, 8192, 4096, 2048)
STILLEST_FRACTION = 0.1
# An axis that never changes is stuck where another one of its sensor does by this much, g or rad/s.
MOVED = 0.2
# An axis that moves by this much and has so many samples at its very extreme was cut off.
CUT_OFF_MOVED = 0.5
CUT_OFF_SHARE = 0.02
MAX_ACCELERATION_G = 64.0  # four times the widest range of what is worn
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
# What another choice of axes must leave unexplained of what the gyroscope's own leave.
BETTER_FIT = 0.5
FACTOR_RANGE = (0.77, 1.3)
DEGREE = math.pi / 180


@dataclass(frozen=True)
class TurningGravity:
    """How the turning of gravity and the gyroscope agree over the quiet stretches.

    ``factor`` is the least-squares slope of da/dt on -w x a, ``upper_factor`` that of the inverse
    regression: noise on either side bends them apart, and the truth, which is 1, lies between.
    ``seconds`` is how much was quiet; both factors are nan where nothing was. ``axes`` are those of
    the gyroscope that fit the accelerometer's x, y and z clearly better than its own, if any do,
    with the correlation ``best``.
    """

    factor: float
    upper_factor: float
    correlation: float
    seconds: float
    best: float = 0.0
    axes: tuple[str, ...] = ("gx", "gy", "gz")

    @property
    def informative(self) -> bool:
        """Whether enough was quiet, and turned enough, for the factors to mean something."""
        return self.seconds >= QUIET_SECONDS and self.correlation >= INFORMATIVE_CORRELATION

    def may_be(self, factor: float) -> bool:
        """Whether ``factor`` lies between the two regressions, with some room."""
        low, high = FACTOR_RANGE
        return self.factor <= factor * high and self.upper_factor >= factor * low


def check_samples(samples: Samples, rate_hz: float, gaps: Sequence[int], where: str) -> list[str]:
    """Every check of one recording, (n, 6); ``gaps`` are the samples that follow one. Returns what
    its owner should know.

    Raises:
        InputError: it cannot be g and rad/s.
    """
    stretches = [(stretch, rate_hz) for stretch in np.split(samples, list(gaps))]
    check_gravity(stretches, where)
    size = np.abs(samples[:, :3]).max(axis=1)
    worst = int(np.argmax(size))
    if size[worst] > MAX_ACCELERATION_G:
        raise InputError(
            f"{where}: |a| is {size[worst]:.3g} at sample {worst}, above {MAX_ACCELERATION_G:g} g, "
            "which no sensor that is worn says; cut that stretch out"
        )
    doubts = check_axes(samples, rate_hz)
    if not any("gyroscope" in doubt for doubt in doubts):
        check_rotation(samples, rate_hz, where)
        doubts += check_turning_gravity(stretches, where)[1]
    return doubts


def check_gravity(recordings: Sequence[tuple[Samples, float]], where: str) -> float:
    """Return how much acceleration there is without motion, over several (samples (n, 6), n >= 1,
    rate in Hz): about 1 g on Earth.

    That is the length of the mean vector over 4 s, of which three quarters of the time are below;
    where the sensor tumbles, so that means say little, the median of |a| over the stillest tenth
    of all seconds.

    Raises:
        InputError: it is not about 1 g; the message has the likely reason.
    """
    means = np.concatenate([_mean_lengths(samples, rate_hz) for samples, rate_hz in recordings])
    mean = float(np.quantile(means, MEAN_QUANTILE))
    spreads = np.concatenate([_by_second(s, rate_hz, np.std) for s, rate_hz in recordings])
    levels = np.concatenate([_by_second(s, rate_hz, np.median) for s, rate_hz in recordings])
    order = np.argsort(spreads, kind="stable")
    rest = float(np.median(levels[order[: max(1, round(len(order) * STILLEST_FRACTION))]]))
    turning = np.concatenate([np.linalg.norm(s[:, 3:], axis=1) for s, _ in recordings])
    swung = float(np.median(turning)) > SWUNG_RADS
    low, high = SWUNG_RANGE_G if swung else GRAVITY_RANGE_G
    if low <= mean <= high:
        return mean
    if low <= rest <= high and MIN_MEAN_G <= mean <= SWUNG_RANGE_G[1]:
        return rest
    raise InputError(
        f"{where}: |a| at rest is {rest:.3g} (mean over {MEAN_SECONDS:g} s {mean:.3g}), not about "
        f"1 g; {_gravity_advice(mean, rest, low, high)}"
    )


def check_axes(samples: Samples, rate_hz: float) -> list[str]:
    """What a column that never changes, or long stands still, says of (n, 6) samples."""
    second = max(2, round(rate_hz))
    if len(samples) < second:
        return []
    still = ~(np.diff(samples, axis=0) != 0).any(axis=0)  # (6,)
    doubts = []
    if still[3:].all():
        value = "0" if not samples[0, 3:].any() else "the same"
        doubts.append(f"no gyroscope: gx, gy and gz are {value} in every line")
    if still[:3].all():
        doubts.append("no accelerometer: ax, ay and az are the same in every line")
    moved = np.ptp(samples, axis=0)
    doubts += _frozen(samples, second) + _cut_off(samples, moved)
    for axis in np.flatnonzero(still):
        sensor = slice(0, 3) if axis < 3 else slice(3, 6)
        if moved[sensor].max() > MOVED:
            doubts.append(
                f"{CHANNELS[axis]} is {samples[0, axis]:g} in every line: a stuck axis, or a "
                "column that is something else"
            )
    return doubts


def _frozen(samples: Samples, second: int) -> list[str]:
    """Where all six stand still for a second while they do not elsewhere: noise never does."""
    changes = (np.diff(samples, axis=0) != 0).any(axis=1)
    borders = np.flatnonzero(np.concatenate([[True], changes, [True]]))
    lengths = np.diff(borders)
    longest = int(np.argmax(lengths))
    if lengths[longest] <= second or np.ptp(samples, axis=0).max() <= MOVED:
        return []
    return [
        f"all six values stand still for {lengths[longest]} samples from sample "
        f"{borders[longest]} on: the sensor or the link hung"
    ]


def _cut_off(samples: Samples, moved: npt.NDArray[np.float32]) -> list[str]:
    doubts = []
    for axis in np.flatnonzero(moved > CUT_OFF_MOVED):
        values = samples[:, axis]
        for extreme in (values.max(), values.min()):
            share = float((values == extreme).mean())
            if share > CUT_OFF_SHARE:
                doubts.append(
                    f"{CHANNELS[axis]} is cut off at {extreme:g} in {100 * share:.0f} % of the "
                    "samples: choose a wider range of the sensor"
                )
    return doubts


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
    second. On HAPT's training subjects the factor is 0.99 at a correlation of 0.92 (by recording
    0.83 to 1.07); axes, signs, unit and rate must all be right for that.
    """
    seconds = change = 0.0
    cross, turn = np.zeros((3, 3, 3)), np.zeros((3, 3, 3, 3))
    for samples, rate_hz in recordings:
        m = max(1, round(rate_hz * SMOOTHING_S))
        if len(samples) < m + 2:
            continue
        a, w = np.split(samples.astype(np.float64), 2, axis=1)
        moving = np.abs(np.linalg.norm(a, axis=1, keepdims=True) - 1.0) > QUIET_G
        quiet = _mean(moving.astype(np.float64), m)[1:-1, 0] < 0.5 / m
        smooth = _mean(a, m)  # (n - m + 1, 3)
        measured = ((smooth[2:] - smooth[:-2]) * (rate_hz / 2))[quiet]
        # Every product of a gyroscope's and an accelerometer's axis: da/dt is linear in them.
        products = (w[:, :, None] * a[:, None, :]).reshape(-1, 9)
        products = _mean(products, m)[1:-1][quiet].reshape(-1, 3, 3)
        change += float((measured**2).sum())
        cross += np.einsum("nk,nij->kij", measured, products)
        turn += np.einsum("nij,nkl->ijkl", products, products)
        seconds += len(measured) / rate_hz
    found = {name: _agreement(g, cross, turn, change) for name, g in _gyroscopes().items()}
    same, upper, correlation = found[_AS_IT_IS]
    best = max(found, key=lambda name: found[name][2])
    left, left_best = 1 - correlation * abs(correlation), 1 - found[best][2] ** 2
    better = left_best < BETTER_FIT * left
    return TurningGravity(
        same, upper, correlation, seconds, found[best][2], best if better else _AS_IT_IS
    )


_AS_IT_IS = ("gx", "gy", "gz")


def _gyroscopes() -> dict[tuple[str, ...], npt.NDArray[np.float64]]:
    """The 48 ways to take the gyroscope's axes for one another, with either sign: as (3, 3)."""
    ways = {}
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            way = np.zeros((3, 3))
            way[range(3), order] = signs
            names = tuple(
                f"{'-' if sign < 0 else ''}{['gx', 'gy', 'gz'][axis]}"
                for axis, sign in zip(order, signs, strict=True)
            )
            ways[names] = way
    return ways


def _agreement(
    gyroscope: npt.NDArray[np.float64],
    cross: npt.NDArray[np.float64],
    turn: npt.NDArray[np.float64],
    change: float,
) -> tuple[float, float, float]:
    """Slope of da/dt on -w x a, that of the inverse regression, and the correlation."""
    # (-w x a)_k = -e_kij (G w)_i a_j, as a tensor on the products of w and a.
    tensor = -np.einsum("kij,im->kmj", _LEVI_CIVITA, gyroscope)
    along = float((tensor * cross).sum())
    size = float(np.einsum("kij,ijlm,klm->", tensor, turn, tensor))
    if along == 0.0 or size <= 0.0 or change == 0.0:
        return math.nan, math.nan, 0.0
    return along / size, change / along, along / math.sqrt(change * size)


_LEVI_CIVITA = np.zeros((3, 3, 3))
_LEVI_CIVITA[[0, 1, 2], [1, 2, 0], [2, 0, 1]] = 1.0
_LEVI_CIVITA[[0, 2, 1], [2, 1, 0], [1, 0, 2]] = -1.0


def check_turning_gravity(
    recordings: Iterable[tuple[Samples, float]], where: str, *, strict: bool = False
) -> tuple[TurningGravity, list[str]]:
    """Raises InputError where the two sensors clearly say deg/s; returns further warnings.

    ``strict`` refuses every other factor too where the comparison is decisive. Silent where too
    little was quiet: the comparison then says nothing.
    """
    found = turning_gravity(recordings)
    enough = found.seconds >= QUIET_SECONDS
    if enough and found.axes != _AS_IT_IS and found.best >= DECISIVE_CORRELATION:
        doubt = (
            f"gravity turns as if the gyroscope's axes were {', '.join(found.axes)} (correlation "
            f"{found.best:.2f}, as they are {found.correlation:.2f}): an axis of one of the two "
            "sensors is inverted or swapped"
        )
        return found, [doubt]
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


def _gravity_advice(mean: float, rest: float, low: float, high: float) -> str:
    for unit, size in (("m/s2", STANDARD_GRAVITY), ("milli-g", 1000.0)):
        if low <= mean / size <= high or (low <= rest / size <= high and mean > 0.3 * rest):
            return f"it looks like {unit}: divide by {size:g}"
    if all(low <= each * STANDARD_GRAVITY <= high for each in (mean, rest)):
        return "it looks like g divided by 9.80665: it was in g already"
    for counts in RAW_COUNTS:
        if 0.9 <= mean / counts <= 1.1:
            return f"it looks like raw numbers of the sensor, {counts} a g: divide by {counts}"
    if mean < MIN_MEAN_G:
        return "it looks like gravity was taken out: record the total acceleration"
    return "give acceleration in g with gravity included"


def _mean_lengths(samples: Samples, rate_hz: float) -> npt.NDArray[np.float64]:
    """The length of the mean acceleration over each 4 s (at least one mean)."""
    n = max(1, min(len(samples), round(rate_hz * MEAN_SECONDS)))
    blocks = samples[: len(samples) // n * n, :3].astype(np.float64).reshape(-1, n, 3)
    lengths: npt.NDArray[np.float64] = np.linalg.norm(blocks.mean(axis=1), axis=1)
    return lengths


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

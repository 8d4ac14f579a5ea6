"""What the times of a recording say, and whether they can be right.

Judged before any unit: a wrong sense of time makes every other check mislead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError

MIN_RATE_HZ, MAX_RATE_HZ = 10.0, 2000.0
RATE_TOLERANCE = 0.05
# A step this many times the usual one is a gap; what is before and after it never shares a window.
GAP_PERIODS = 2.5
GAP_PERIODS_COUNTED = 1.5  # where lost samples were counted
# Gaps that leave typical stretches shorter than this are no gaps: the times are of bursts.
MIN_STRETCH_S = 1.0
MIN_BURSTS = 5
FEW_REPEATED = 0.01
MAX_MISSING = 0.01
# A lost sample makes a step of 2 periods; where the long ones are shorter, the steps are uneven.
LOST_PERIODS = 1.8
# Over so many seconds, and so many steps, jitter is gone, and a rate is steady within this factor.
STEADY_S, MIN_STEADY, MAX_UNSTEADY = 5.0, 50, 1.4
TIME_UNITS_S = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}


@dataclass(frozen=True)
class Timeline:
    """``gaps`` are the indices of the samples that follow one; ``doubts`` is what the owner should
    know. ``on_arrival``: of the times only the first and the rate mean anything."""

    rate_hz: float
    gaps: list[int]
    doubts: tuple[str, ...] = ()
    on_arrival: bool = False


def read_timeline(
    times: npt.NDArray[np.float64],
    where: str,
    line_of: Callable[[int], int],
    *,
    stated_hz: float | None = None,
    gap_periods: float = GAP_PERIODS,
    column: str = "time_s",
    unit: str = "seconds",
    remedy: str = "write '# rate_hz: {rate:.5g}' above the header",
) -> Timeline:
    """Rate and gaps of samples at ``times`` (n,), n >= 2, in seconds as the file's ``column`` and
    ``unit`` say. ``line_of`` tells the line of a sample's index; ``stated_hz`` is what file or user
    say; ``remedy`` how to state it.

    Raises:
        InputError: the times go back, repeat, come in bursts, mean no rate at which a body's motion
            is sampled, or contradict what is stated.
    """
    steps = np.diff(times)
    back = np.flatnonzero(steps < 0)
    if len(back):
        at = int(back[0])
        raise InputError(
            f"{where}, line {line_of(at + 1)}: {column} does not increase, it goes back by "
            f"{-steps[at]:g} s; two recordings belong into two files, others sorted by time"
        )
    span = float(times[-1] - times[0])
    if span <= 0:
        raise InputError(f"{where}: {column} is the same in every line; give the rate and no times")
    repeated = np.flatnonzero(steps == 0)
    if 0 < len(repeated) <= FEW_REPEATED * len(times):
        raise InputError(
            f"{where}, line {line_of(int(repeated[0]) + 1)}: {column} does not increase; drop the "
            "repeated line"
        )
    positive = steps[steps > 0]
    usual = float(np.median(positive))
    gaps = (np.flatnonzero(steps > gap_periods * usual) + 1).tolist()
    lengths = np.diff([0, *gaps, len(times)])
    in_bursts = len(gaps) >= MIN_BURSTS and float(np.median(lengths)) * usual < MIN_STRETCH_S
    if len(repeated) or in_bursts:
        starts = np.flatnonzero(steps > 0) + 1 if len(repeated) else np.array(gaps)
        return _of_bursts(times, starts, where, column, unit, stated_hz, remedy)
    single = steps[steps <= GAP_PERIODS_COUNTED * usual]
    double = steps[(steps > GAP_PERIODS_COUNTED * usual) & (steps <= gap_periods * usual)]
    missing = len(double)
    uneven = missing > MAX_MISSING * len(times) and float(np.median(double)) < LOST_PERIODS * usual
    measured = 1.0 / float((steps[steps <= gap_periods * usual] if uneven else single).mean())
    _check_sense(measured, where, column, unit)
    _check_steady(steps, gap_periods * usual, where, line_of, column)
    doubts: tuple[str, ...] = ()
    if uneven:
        doubts = (
            f"{column} is uneven: {missing:,} of {len(steps):,} steps are half as long again as "
            f"the usual one; taken for {_plain(measured):g} Hz, which they are on average",
        )
    elif missing > MAX_MISSING * len(times):
        doubts = (
            f"about {missing:,} single samples of {len(times) + missing:,} are missing; windows go "
            "across them",
        )
    if stated_hz is None:
        return Timeline(_plain(measured), gaps, doubts)
    if abs(measured / stated_hz - 1.0) > RATE_TOLERANCE:
        raise InputError(
            f"{where}: rate_hz says {stated_hz:g} Hz but {column} says {measured:.4g} Hz; correct "
            "rate_hz, or resample the samples to that rate before they are read"
        )
    return Timeline(stated_hz, gaps, doubts)


def _check_steady(
    steps: npt.NDArray[np.float64],
    longest: float,
    where: str,
    line_of: Callable[[int], int],
    column: str,
) -> None:
    """Raises InputError where the rate, some seconds each, is not one and the same."""
    at = np.flatnonzero(steps <= longest)
    each = max(MIN_STEADY, round(STEADY_S / float(steps[at].mean())))
    parts = np.array_split(at, max(1, len(at) // each))
    rates = [1.0 / float(steps[part].mean()) for part in parts]
    fast, slow = int(np.argmax(rates)), int(np.argmin(rates))
    if rates[fast] > MAX_UNSTEADY * rates[slow]:
        lines = {which: line_of(int(parts[which][0])) for which in (fast, slow)}
        raise InputError(
            f"{where}, line {lines[slow]}: {column} means {rates[slow]:.3g} Hz here and "
            f"{rates[fast]:.3g} Hz from line {lines[fast]} on; give each rate a file of its own, "
            "or record at one rate"
        )


def check_rate(rate_hz: float, where: str) -> None:
    """Raises InputError for a rate that samples no motion of a body."""
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise InputError(
            f"{where}: {rate_hz:g} Hz; the motion of a body is sampled at {MIN_RATE_HZ:g} to "
            f"{MAX_RATE_HZ:g} Hz"
        )


def _of_bursts(
    times: npt.NDArray[np.float64],
    starts: npt.NDArray[np.int64],
    where: str,
    column: str,
    unit: str,
    stated_hz: float | None,
    remedy: str,
) -> Timeline:
    """Samples that were stamped together when they arrived, each burst but the first from one of
    ``starts`` on: only their number and the time until the last one say a rate."""
    n, last = len(times), int(starts[-1])
    measured = last / float(times[last] - times[0])
    stamps = len(np.unique(times))
    what = (
        f"{column} was stamped on arrival: {n:,} samples came at {stamps:,} times"
        if stamps < n
        else f"{column} comes in bursts, as when it is stamped on arrival or samples were lost"
    )
    _check_sense(measured, where, column, unit)
    if stated_hz is None:
        raise InputError(
            f"{where}: {what}, {measured:.4g} Hz on average; if none was lost, "
            + remedy.format(rate=_plain(measured))
        )
    if abs(measured / stated_hz - 1.0) > RATE_TOLERANCE:
        raise InputError(
            f"{where}: {what}, {measured:.4g} Hz on average where {stated_hz:g} Hz are stated: "
            "samples were lost, or that rate is wrong; record again with a time for each sample"
        )
    doubt = f"{what}; a sample that was lost would not be noticed"
    return Timeline(stated_hz, [], (doubt,), on_arrival=True)


def _check_sense(measured: float, where: str, column: str, unit: str) -> None:
    if MIN_RATE_HZ <= measured <= MAX_RATE_HZ:
        return
    advice = ""
    for name, size in TIME_UNITS_S.items():
        rate_hz = measured * TIME_UNITS_S[unit] / size
        if name != unit and MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            times = f"divide by {TIME_UNITS_S[unit] / size:g}"
            if size > TIME_UNITS_S[unit]:
                times = f"multiply by {size / TIME_UNITS_S[unit]:g}"
            advice = f"; as {name} it would be {rate_hz:.4g} Hz: if so, {times}"
            break
    raise InputError(
        f"{where}: {column} in {unit} means {measured:.4g} Hz, and the motion of a body is sampled "
        f"at {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz{advice}"
    )


def _plain(rate_hz: float) -> float:
    """Without the digits that rounded times make."""
    for digits in (0, 1, 2):
        plain = round(rate_hz, digits)
        if abs(plain / rate_hz - 1.0) < 0.001:
            return plain
    return float(f"{rate_hz:.5g}")

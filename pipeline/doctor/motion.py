"""What samples of a board that lies on a table, or is turned by hand, say about its sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.data.plausibility import turning_gravity
from pipeline.doctor.check import Check
from pipeline.protocol.messages import SensorState

Array = npt.NDArray[np.float64]

AXES = ("ax", "ay", "az", "gx", "gy", "gz")
RATE_TOLERANCE = 0.05
LOST_SHARE_MAX = 0.01

# A second is still where, over all three axes, the samples scatter by less.
STILL_G = 0.03
STILL_RADS = 0.1
# Of one axis. Both sensors are several times better; a hand on the table is not.
NOISE_G_MAX = 0.01
NOISE_RADS_MAX = 0.02
ZERO_RADS_MAX = 0.02

GRAVITY_TOLERANCE = 0.05
# The LSM9DS1's own zero may be 0.09 g off on each axis (ST's data sheet); beyond that the unit or
# the range is wrong.
GRAVITY_TOLERANCE_MAX = 0.2

# Gravity has to turn in the sensor's eyes before anything can be said of its axes.
TURNED_RAD = math.radians(30.0)
QUIET_SECONDS = 3.0
CORRELATION = 0.7
TURN_ADVICE = "turn the board slowly by hand, over all its sides, while `har doctor` runs"


@dataclass(frozen=True)
class Take:
    """What came of the board's own sensor while it was listened to.

    ``pieces``: runs (n, 6) [g, rad/s] without a gap at ``rate_hz``, the model's rate.
    ``sensor_lost``: samples that the board missed, ``wire_lost``: that did not come through.
    ``measured_hz``: samples by the board's clock, None where that was too short to say.
    """

    pieces: tuple[npt.NDArray[np.float32], ...]
    rate_hz: float
    seconds: float
    sensor_lost: int
    wire_lost: int
    measured_hz: float | None

    @property
    def samples(self) -> int:
        return sum(map(len, self.pieces))

    def blocks(self) -> Array:
        """Whole seconds (m, n, 6)."""
        second = max(2, round(self.rate_hz))
        whole = [p[: len(p) // second * second].reshape(-1, second, 6) for p in self.pieces]
        blocks: Array = np.concatenate([np.zeros((0, second, 6)), *whole])
        return blocks

    def still(self) -> Array:
        """Those of `blocks` in which nothing moved."""
        blocks = self.blocks()
        spread = np.sqrt(blocks.var(axis=1).reshape(-1, 2, 3).sum(axis=2))  # (m, 2)
        kept: Array = blocks[(spread[:, 0] < STILL_G) & (spread[:, 1] < STILL_RADS)]
        return kept


def check_rate(state: SensorState, take: Take | None) -> Check:
    """The sensor's own rate against the one it was set to, and the model's by the board's clock."""
    name = "rate"
    if state.rate_hz is None:
        return Check(name, "yellow", "not measured yet", "run `har doctor` again in some seconds")
    detail = f"{state.rate_hz:.1f} Hz, nominal {state.nominal_hz:g} Hz"
    wrong = abs(state.rate_hz - state.nominal_hz) > RATE_TOLERANCE * state.nominal_hz
    if take is not None and take.measured_hz is not None:
        detail += f"; the model gets {take.measured_hz:.1f} of {take.rate_hz:g} Hz"
        wrong = wrong or abs(take.measured_hz - take.rate_hz) > RATE_TOLERANCE * take.rate_hz
    if wrong:
        return Check(name, "red", detail, "unplug the board for a second; if it stays, `har flash`")
    return Check(name, "green", detail)


def check_zero(state: SensorState, take: Take) -> Check:
    """Does the gyroscope show nothing while nothing turns?"""
    name, advice = "gyroscope zero", "lay the board still for two seconds"
    still = take.still()
    if not state.zero_known:
        return Check(name, "yellow", "not known yet", advice)
    if not len(still):
        return Check(name, "green", "known; it moved, so not tried")
    rest = float(np.linalg.norm(np.median(still[:, :, 3:].mean(axis=1), axis=0)))
    detail = f"{rest:.4f} rad/s at rest"
    if rest > ZERO_RADS_MAX:
        return Check(name, "yellow", detail, f"press the board's button once, then {advice}")
    return Check(name, "green", detail)


def check_noise(take: Take) -> Check:
    """How much each axis scatters while the board lies still."""
    name = "noise"
    whole = np.concatenate(take.pieces) if take.pieces else np.zeros((0, 6), np.float32)
    if len(whole) >= take.rate_hz:
        dead = [
            axis for axis, spread in zip(AXES, np.ptp(whole, axis=0), strict=True) if not spread
        ]
        if dead:
            text = f"never changes: {', '.join(dead)}"
            return Check(
                name,
                "red",
                text,
                "unplug the board for a second; if it stays, the sensor is broken",
            )
    still = take.still()
    if not len(still):
        return Check(
            name, "yellow", "not looked at: the board moved", "lay it still, run `har doctor` again"
        )
    floor = np.median(still.std(axis=1), axis=0)  # (6,)
    detail = (
        f"{_each(floor[:3] * 1e3, 1)} mg, {_each(floor[3:] * 1e3, 1)} mrad/s (x, y, z) "
        f"over {len(still)} s at rest"
    )
    if floor[:3].max() > NOISE_G_MAX or floor[3:].max() > NOISE_RADS_MAX:
        return Check(name, "yellow", detail, "lay the board on something that does not shake")
    return Check(name, "green", detail)


def check_resting_gravity(take: Take) -> Check:
    """Is gravity 1 g, and which axis points up?"""
    name, still = "gravity", take.still()
    if not len(still):
        return Check(
            name, "yellow", "not looked at: the board moved", "lay it still, run `har doctor` again"
        )
    gravity = np.median(still[:, :, :3].mean(axis=1), axis=0)  # (3,)
    size = float(np.linalg.norm(gravity))
    detail = f"{size:.3f} g, {_up(gravity, size)}"
    off = abs(size - 1.0)
    if off > GRAVITY_TOLERANCE_MAX:
        return Check(name, "red", detail, "the unit or the range is wrong: `har flash` again")
    if off > GRAVITY_TOLERANCE:
        return Check(
            name, "yellow", detail, "let it rest, then again; the sensor's offset is large"
        )
    return Check(name, "green", detail)


def check_axes(take: Take) -> Check:
    """Does gravity turn as the gyroscope says? Tells axes and signs that do not belong together."""
    name = "axes"
    found = turning_gravity((piece, take.rate_hz) for piece in take.pieces)
    if found.seconds < QUIET_SECONDS or _turned(take) < TURNED_RAD:
        return Check(name, "yellow", "not looked at: the board was not turned", TURN_ADVICE)
    if found.correlation <= -CORRELATION:
        return Check(
            name, "red", "gravity turns against the gyroscope: axes or signs are wrong", "har flash"
        )
    if found.correlation < CORRELATION:
        return Check(
            name,
            "yellow",
            f"gravity and gyroscope hardly agree (correlation {found.correlation:.2f})",
            f"{TURN_ADVICE}, about one axis after the other",
        )
    detail = f"gravity turns {found.factor:.2f} times as fast as the gyroscope says"
    if not found.may_be(1.0):
        return Check(name, "red", f"{detail}, not 1: its unit or rate is wrong", "har flash")
    return Check(name, "green", f"{detail}, over {found.seconds:.0f} s")


def check_lost(take: Take, before: SensorState, after: SensorState) -> Check:
    """Lost and late samples while it was listened to."""
    name = "samples"
    if not take.samples:
        text = f"none in {take.seconds:.0f} s"
        return Check(name, "red", text, "unplug the board for a second, then again")
    lost = take.sensor_lost + take.wire_lost
    counts = {
        "missed by the board": take.sensor_lost,
        "lost on the way": take.wire_lost,
        "late": _since(before.late, after.late),
        "sensor overruns": _since(before.overruns, after.overruns),
        "bus errors": _since(before.bus_errors, after.bus_errors),
        "beyond the range": _since(before.saturated, after.saturated),
    }
    seen = [f"{count} {what}" for what, count in counts.items() if count]
    detail = f"{take.samples} in {take.seconds:.0f} s, {', '.join(seen) or 'none lost, none late'}"
    if lost > LOST_SHARE_MAX * (take.samples + lost):
        return Check(name, "red", detail, "another cable or USB socket, no hub; then again")
    if seen:
        return Check(name, "yellow", detail, "again; if it stays, another cable or USB socket")
    return Check(name, "green", detail)


def _since(before: int, after: int) -> int:
    """Of counters modulo 2^32."""
    return (after - before) & 0xFFFFFFFF


def _each(values: Any, digits: int) -> str:
    return " ".join(f"{value:.{digits}f}" for value in values)


def _up(gravity: Array, size: float) -> str:
    axis = int(np.argmax(np.abs(gravity)))
    if size == 0 or abs(gravity[axis]) < 0.9 * size:
        return "lying askew"
    lies = {(2, True): ", components up", (2, False): ", components down"}
    up = bool(gravity[axis] > 0)
    return f"{'+' if up else '-'}{'xyz'[axis]} points up{lies.get((axis, up), '')}"


def _turned(take: Take) -> float:
    """The largest angle between gravity in one second and in another, rad."""
    means = take.blocks()[:, :, :3].mean(axis=1)  # (m, 3)
    sizes = np.linalg.norm(means, axis=1)
    means, sizes = means[sizes > 0.5], sizes[sizes > 0.5]
    if not len(means):
        return 0.0
    directions = means / sizes[:, None]
    return float(np.arccos(np.clip(directions @ directions.T, -1.0, 1.0)).max())

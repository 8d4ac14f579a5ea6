"""Seeded augmentation of raw windows: what changes when someone else wears the sensor.

All transforms keep the physics: both sensors turn together, and gravity turns with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Array
from pipeline.data import Recording
from pipeline.data.watch import MIRROR


@dataclass(frozen=True)
class Augmentation:
    """Strengths; angles in degrees, scale and jitter as standard deviations."""

    tilt_degrees: float = 10.0  # small rotation about any axis
    heading_degrees: float = 30.0  # rotation about the vertical, uniform in +-
    scale: float = 0.1  # per window and sensor
    warp: float = 0.1  # slow change of magnitude within a window
    # Less than the sway when standing (0.02 rad/s), which distinguishes it from sitting.
    jitter_g: float = 0.002
    jitter_rad_s: float = 0.002
    offset_rad_s: float = 0.005  # zero-rate offset of the gyroscope, per window and axis
    mirror: bool = False  # half of the windows as the other arm would give them


def augment(x: Array, rng: np.random.Generator, strength: Augmentation) -> Array:
    """Windows (N, T, 6) in g and rad/s -> altered windows (N, T, 6) float32."""
    n, length, _ = x.shape
    if strength.mirror:
        x = np.where(rng.random((n, 1, 1)) < 0.5, x * MIRROR, x)
    accelerometer, gyroscope = x[..., :3].astype(np.float64), x[..., 3:].astype(np.float64)

    vertical = accelerometer.mean(axis=1)
    vertical /= np.maximum(np.linalg.norm(vertical, axis=1, keepdims=True), 1e-6)
    heading = np.deg2rad(rng.uniform(-strength.heading_degrees, strength.heading_degrees, n))
    axis = rng.normal(size=(n, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    tilt = np.deg2rad(rng.normal(0.0, strength.tilt_degrees, n))
    rotation = _rotation(axis, tilt) @ _rotation(vertical, heading)
    accelerometer = accelerometer @ rotation.transpose(0, 2, 1)
    gyroscope = gyroscope @ rotation.transpose(0, 2, 1)

    accelerometer *= _magnitude(n, length, rng, strength)
    gyroscope *= _magnitude(n, length, rng, strength)
    accelerometer += rng.normal(0.0, strength.jitter_g, accelerometer.shape)
    # A gyroscope that is not there (all 0) makes no noise: scaled by its own deviation, next to
    # nothing, that would be all that a network sees in training and never afterwards.
    there = gyroscope.any(axis=(1, 2), keepdims=True)
    gyroscope += there * rng.normal(0.0, strength.jitter_rad_s, gyroscope.shape)
    gyroscope += there * rng.normal(0.0, strength.offset_rad_s, (n, 1, 3))
    return np.concatenate([accelerometer, gyroscope], axis=2).astype(np.float32)


def _magnitude(n: int, length: int, rng: np.random.Generator, strength: Augmentation) -> Array:
    """Factors (n, length, 1): one scale per window times a piecewise-linear curve over it."""
    knots = 1.0 + rng.normal(0.0, strength.warp, (n, 4))
    position = np.linspace(0.0, knots.shape[1] - 1.0, length)
    left = np.minimum(position.astype(int), knots.shape[1] - 2)
    part = position - left
    curve = knots[:, left] * (1.0 - part) + knots[:, left + 1] * part
    scale: Array = np.exp(rng.normal(0.0, strength.scale, (n, 1)))
    factors: Array = (scale * curve)[..., None]
    return factors


def _rotation(axis: Array, angle: Array) -> Array:
    """Rotation matrices (n, 3, 3) about unit axes (n, 3) by angles (n,) in rad (Rodrigues)."""
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    rotation: Array = np.eye(3) + sine * cross + (1.0 - cosine) * (cross @ cross)
    return rotation


# ---- synthetic windows ---------------------------------------------------------------------------

_STRETCH = (0.6, 1.9)  # samples of the recording per sample of the window
_MAGNITUDE = (0.3, 3.0)  # of what remains when gravity is taken off
_STILL = (0.02, 0.3)  # the same for half of the windows: no recording is exercise all the time
_GYROSCOPE = (0.7, 1.4)  # and beyond that of the angular rate
_SWING_SHARE = 0.5
_SWING_HZ = (0.15, 1.5)
_SWING_RAD = (0.1, 1.8)
_SWING_RAD_S = 6.0  # at most
_JITTER = 0.002  # g, rad/s


def varied_windows(
    recordings: Sequence[Recording], length: int, count: int, rng: np.random.Generator
) -> Array:
    """Windows float32 (count, length, 6) in g and rad/s, from random places of the recordings,
    labelled or not: stretched in time, scaled, turned anyhow, mirrored, half of them swung.

    Raises ValueError when no recording is long enough.
    """
    span = int(np.ceil(_STRETCH[1] * length)) + 1
    long_enough = [r.samples for r in recordings if len(r.samples) > span]
    if not long_enough:
        raise ValueError(f"no recording has more than {span} samples")
    room = np.array([len(samples) - span for samples in long_enough])
    chosen = rng.choice(len(long_enough), count, p=room / room.sum())
    starts = (rng.random(count) * room[chosen]).astype(int)
    raw = np.stack(
        [long_enough[r][s : s + span] for r, s in zip(chosen, starts, strict=True)]
    ).astype(np.float64)

    x = _stretch(raw, length, _log_uniform(rng, _STRETCH, count))
    magnitude = np.where(
        rng.random(count) < 0.5,
        _log_uniform(rng, _STILL, count),
        _log_uniform(rng, _MAGNITUDE, count),
    )[:, None, None]
    gravity = x[..., :3].mean(axis=1, keepdims=True)
    x[..., :3] = gravity + magnitude * (x[..., :3] - gravity)
    x[..., 3:] *= magnitude * _log_uniform(rng, _GYROSCOPE, count)[:, None, None]
    x[rng.random(count) < 0.5] *= MIRROR
    x = _turn(x, rotations(np.pi * rng.uniform(-1, 1, (count, 1)) * _directions(rng, count)))
    swung = rng.random(count) < _SWING_SHARE
    rate_hz = recordings[0].rate_hz
    angles = _swing_angles(int(swung.sum()), length, rate_hz, rng)
    x[swung] = swing(x[swung], angles, rate_hz)
    x += rng.normal(0.0, _JITTER, x.shape)
    return x.astype(np.float32)


def swing(x: Array, angles: Array, rate_hz: float) -> Array:
    """Windows (N, T, 6) as a sensor gives them that turns by the rotation vectors ``angles``
    (N, T + 1, 3) in rad against the one that recorded them: a' = R'a, w' = R'w + w_R."""
    turned = rotations(angles)
    inverse = turned[:, :-1].swapaxes(2, 3)
    step = inverse @ turned[:, 1:]  # (N, T, 3, 3), small: its skew part is the angle
    own = (
        0.5
        * rate_hz
        * np.stack(
            [
                step[..., 2, 1] - step[..., 1, 2],
                step[..., 0, 2] - step[..., 2, 0],
                step[..., 1, 0] - step[..., 0, 1],
            ],
            axis=-1,
        )
    )
    accelerometer = (inverse @ x[..., :3, None])[..., 0]
    gyroscope = (inverse @ x[..., 3:, None])[..., 0] + own
    return np.concatenate([accelerometer, gyroscope], axis=2)


def rotations(vectors: Array) -> Array:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3) in rad (Rodrigues)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    cross = cross.reshape(*vectors.shape, 3)
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    sine = np.sinc(angle / np.pi)  # sin(a) / a
    cosine = 0.5 * np.sinc(0.5 * angle / np.pi) ** 2  # (1 - cos(a)) / a^2
    matrices: Array = np.eye(3) + sine * cross + cosine * (cross @ cross)
    return matrices


def _swing_angles(count: int, length: int, rate_hz: float, rng: np.random.Generator) -> Array:
    """Rotation vectors (count, length + 1, 3): there and back about one axis, and a weaker second
    harmonic about another."""
    frequency = _log_uniform(rng, _SWING_HZ, count)[:, None]
    first = _log_uniform(rng, _SWING_RAD, count)[:, None]
    first = np.minimum(first, _SWING_RAD_S / (2 * np.pi * frequency))
    second = first * rng.uniform(0.0, 0.5, (count, 1))
    phase = 2 * np.pi * frequency * np.arange(length + 1) / rate_hz
    phase = phase + rng.uniform(0.0, 2 * np.pi, (count, 1))
    shift = rng.uniform(0.0, 2 * np.pi, (count, 1))
    angles: Array = (first * np.sin(phase))[..., None] * _directions(rng, count)[:, None]
    angles += (second * np.sin(2 * phase + shift))[..., None] * _directions(rng, count)[:, None]
    return angles


def _stretch(x: Array, length: int, step: Array) -> Array:
    """Spans (N, L, 6) -> (N, length, 6), linearly interpolated every ``step`` (N,) samples."""
    position = step[:, None] * np.arange(length)
    left = np.minimum(position.astype(int), x.shape[1] - 2)
    part = (position - left)[..., None]
    row = np.arange(len(x))[:, None]
    stretched: Array = x[row, left] * (1.0 - part) + x[row, left + 1] * part
    return stretched


def _turn(x: Array, rotation: Array) -> Array:
    transposed = rotation.swapaxes(1, 2)
    return np.concatenate([x[..., :3] @ transposed, x[..., 3:] @ transposed], axis=2)


def _directions(rng: np.random.Generator, count: int) -> Array:
    axes = rng.normal(size=(count, 3))
    units: Array = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    return units


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float], count: int) -> Array:
    values: Array = np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]), count))
    return values

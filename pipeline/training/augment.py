"""Seeded augmentation of raw windows: what changes when someone else wears the sensor.

All transforms keep the physics: both sensors turn together, and gravity turns with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Array
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

"""From raw samples to network inputs: compand, centre, scale, per channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Array
from pipeline.head import compand

# Standing subjects turn about the vertical by 0.02 rad/s, sitting ones by 0.007; walking reaches
# 3 rad/s. One int8 scale for both would round the first to nothing.
_GYROSCOPE_KNEE_RAD_S = 0.1


def gyroscope_knee(rad_s: float) -> tuple[float, ...]:
    """Knees of the six channels: the accelerometer linear, the gyroscope at ``rad_s``."""
    return (0.0, 0.0, 0.0, rad_s, rad_s, rad_s)


KNEE = gyroscope_knee(_GYROSCOPE_KNEE_RAD_S)
LINEAR = gyroscope_knee(0.0)


@dataclass(frozen=True)
class InputNormalization:
    """Per channel: ``knee`` in the channel's unit (0: linear), then mean and standard deviation of
    the companded values."""

    knee: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, x: Array) -> Array:
        """Raw windows (N, T, C) -> network inputs float32 (N, T, 1, C)."""
        companded = compand(x, np.asarray(self.knee, np.float32))
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        normalized: Array = (companded - mean) / std
        return normalized[:, :, None, :]


def fit_normalization(x: Array, knee: tuple[float, ...] = KNEE) -> InputNormalization:
    """Statistics of the training subjects' windows (N, T, C)."""
    companded = compand(x, np.asarray(knee, np.float32))
    mean = companded.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    std = companded.std(axis=(0, 1), dtype=np.float64).astype(np.float32)
    return InputNormalization(
        knee, tuple(map(float, mean)), tuple(map(float, np.maximum(std, np.float32(1e-3))))
    )

"""Samples as the wire carries them: int16 in steps of 1/4096 g and 1/800 rad/s."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.core.wire import Cursor, require

__all__ = ["CHANNELS", "SAMPLES_PER_FRAME_MAX", "SampleBlock", "decode_samples", "encode_samples"]

CHANNELS = 6
SAMPLES_PER_FRAME_MAX = 32

_STEPS_PER_UNIT = np.array([4096.0] * 3 + [800.0] * 3)
# As the firmware has them: the quotient rounded to float32, 1/800 = 0x3AA3D70A.
_UNITS_PER_STEP = np.float32(1.0) / _STEPS_PER_UNIT.astype(np.float32)
_MIN, _MAX = -32768, 32767


def encode_samples(samples: npt.ArrayLike) -> tuple[npt.NDArray[np.int16], int]:
    """(n, 6) [ax ay az in g, gx gy gz in rad/s] -> int16 (n, 6), and how many values saturated.

    Rounds to the nearest step, ties to even. Carries +-8 g and +-40.96 rad/s; what lies beyond is
    clipped and counted. Raises InputError for another shape or a value that is not finite.
    """
    values = np.asarray(samples, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != CHANNELS:
        raise InputError(
            f"samples have the shape {values.shape}; give (n, 6) as [ax ay az g, gx gy gz rad/s]"
        )
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise InputError(
            f"sample {int(np.argmin(finite))} is not finite: cut or repair that stretch"
        )
    steps = np.rint(values * _STEPS_PER_UNIT)
    saturated = int(np.count_nonzero((steps < _MIN) | (steps > _MAX)))
    return np.clip(steps, _MIN, _MAX).astype(np.int16), saturated


def decode_samples(wire: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """int16 (n, 6) -> float32 (n, 6) [g, rad/s], bit for bit as the board computes it."""
    return np.multiply(wire.astype(np.float32), _UNITS_PER_STEP, dtype=np.float32)


@dataclass(frozen=True)
class SampleBlock:
    """The field of a message that carries 1 to ``most`` samples (n, 6): count u8, then the values,
    of the little-endian NumPy type ``dtype``."""

    dtype: str
    most: int

    def write(self, value: Array) -> bytes:
        kind = np.dtype(self.dtype)
        if value.dtype != kind or value.ndim != 2 or value.shape[1] != CHANNELS:
            raise ValueError(f"holds samples {kind.name} (n, 6), not {value.dtype} {value.shape}")
        if not 1 <= len(value) <= self.most:
            raise ValueError(f"holds 1 to {self.most} samples, not {len(value)}")
        return bytes([len(value)]) + value.astype(kind).tobytes()

    def read(self, cursor: Cursor) -> Array:
        (count,) = cursor.take(1)
        require(1 <= count <= self.most, f"counts {count} samples")
        kind = np.dtype(self.dtype)
        values = np.frombuffer(cursor.take(count * CHANNELS * kind.itemsize), kind)
        require(bool(np.isfinite(values).all()), "has a sample that is not finite")
        return values.astype(kind.newbyteorder("=")).reshape(count, CHANNELS)

"""The messages about a board's own motion sensor, as docs/PROTOCOL.md lists them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite, isinf, isnan, nan
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from pipeline.protocol.constants import MessageType, Sensor, SensorTrouble
from pipeline.protocol.payload import Reader, pack
from pipeline.protocol.samples import CHANNELS

SENSED_PER_FRAME_MAX = 20


@dataclass(frozen=True)
class SensorState:
    """SENSOR_STATE: the board's own motion sensor, now. Counts since boot, modulo 2^32.

    ``sending``: its samples come as `Sensed` in this session. ``rate_hz``: measured against the
    board's clock, None as long as that takes; ``nominal_hz``: what the sensor was told.
    ``gyro_zero`` [rad/s] is what the gyroscope shows at rest and what all samples are rid of, once
    ``zero_known``. ``celsius``: of the processor. ``overruns``: times that the sensor dropped
    samples; ``bus_errors``: transfers that failed; ``saturated``: samples with an axis beyond its
    range; ``late``: samples that waited too long for the model.
    """

    TYPE: ClassVar = MessageType.SENSOR_STATE
    sensor: Sensor
    trouble: SensorTrouble
    zero_known: bool
    sending: bool
    nominal_hz: float
    rate_hz: float | None
    gyro_zero: tuple[float, float, float]
    celsius: float | None
    overruns: int
    bus_errors: int
    saturated: int
    late: int

    @property
    def works(self) -> bool:
        """There is one, and it gives samples."""
        return self.sensor != Sensor.NONE and self.trouble == SensorTrouble.RIGHT

    def document(self) -> dict[str, Any]:
        """For JSON; the sensor and its trouble by name, in lower case."""
        return {
            **asdict(self),
            "sensor": self.sensor.name.lower(),
            "trouble": self.trouble.name.lower(),
            "gyro_zero": list(self.gyro_zero),
        }

    def encode(self) -> bytes:
        return pack(
            "BBBB6f4I",
            self.sensor,
            self.trouble,
            self.zero_known,
            self.sending,
            self.nominal_hz,
            self.rate_hz or 0.0,
            *self.gyro_zero,
            nan if self.celsius is None else self.celsius,
            self.overruns,
            self.bus_errors,
            self.saturated,
            self.late,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        sensor, trouble = reader.choice(Sensor), reader.choice(SensorTrouble)
        zero_known, sending = reader.flag("zero_known"), reader.flag("sending")
        nominal_hz, rate_hz = reader.f32(), reader.f32()
        for rate in (nominal_hz, rate_hz):
            reader.require(isfinite(rate) and rate >= 0, f"has a rate of {rate} Hz")
        gyro_zero = (reader.f32(), reader.f32(), reader.f32())
        reader.require(all(map(isfinite, gyro_zero)), f"has a gyroscope's zero of {gyro_zero}")
        celsius = reader.f32()
        reader.require(not isinf(celsius), f"has a temperature of {celsius}")
        counts = (reader.u32(), reader.u32(), reader.u32(), reader.u32())
        reader.done()
        return cls(
            sensor,
            trouble,
            zero_known,
            sending,
            nominal_hz,
            rate_hz or None,
            gyro_zero,
            None if isnan(celsius) else celsius,
            *counts,
        )


@dataclass(frozen=True, eq=False)
class Sensed:
    """SENSED: 1 to 20 samples (n, 6) float32 [ax ay az g, gx gy gz rad/s] of the board's own
    sensor, the very ones that its window took.

    ``index`` numbers the first one as `Prediction.end_index` does, ``time_ms`` is its time;
    ``lost``: samples that are missing just before it.
    """

    TYPE: ClassVar = MessageType.SENSED
    index: int
    time_ms: int
    lost: int
    samples: npt.NDArray[np.float32]

    def encode(self) -> bytes:
        shape = self.samples.shape
        if self.samples.dtype != np.float32 or len(shape) != 2 or shape[1] != CHANNELS:
            raise ValueError(f"samples are float32 (n, 6), not {self.samples.dtype} {shape}")
        if not 1 <= len(self.samples) <= SENSED_PER_FRAME_MAX:
            raise ValueError(f"a frame carries 1 to {SENSED_PER_FRAME_MAX} samples, not {shape}")
        head = pack("IIIB", self.index, self.time_ms, self.lost, len(self.samples))
        return head + self.samples.astype("<f4").tobytes()

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        reader = Reader(cls.TYPE.name, payload)
        index, time_ms, lost, count = reader.u32(), reader.u32(), reader.u32(), reader.u8()
        reader.require(1 <= count <= SENSED_PER_FRAME_MAX, f"counts {count} samples")
        data = reader.take(count * CHANNELS * 4)
        reader.done()
        samples = np.frombuffer(data, "<f4").astype(np.float32).reshape(count, CHANNELS)
        reader.require(bool(np.isfinite(samples).all()), "has a sample that is not finite")
        return cls(index, time_ms, lost, samples)

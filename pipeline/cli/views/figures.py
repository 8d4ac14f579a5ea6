"""How a board is doing while it is watched: rate, loss, latency, temperature, its sensor."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from pipeline.board.client import Client
from pipeline.board.recording import rate_is_wrong
from pipeline.board.sensor_text import describe, sensor_name
from pipeline.protocol.messages import (
    Counter,
    Hello,
    Prediction,
    Sensor,
    SensorState,
    SensorTrouble,
    Target,
)
from pipeline.sim.boards import NANO33BLE

RATE_OVER = 8  # predictions
DELAY_MAX_MS = 60_000.0
U32 = 0xFFFFFFFF


@dataclass(frozen=True)
class Figures:
    """What is known about a prediction; None where something cannot be known.

    `predictions_hz` is measured as they arrive, `sensor_hz` by the board, of the sensor itself.
    `samples_lost` counts from the beginning of the session. `count` is what extractor and head took
    for this window in the unit of `counter`; `latency_ms` is the same as time, for cycles at
    64 MHz. `delay_ms` is from the window's last sample to the prediction's arrival here, to within
    a round trip. `celsius` is the processor's.
    """

    predictions_hz: float | None = None
    sensor_hz: float | None = None
    samples_lost: int | None = None
    latency_ms: float | None = None
    count: int | None = None
    counter: str | None = None
    delay_ms: float | None = None
    celsius: float | None = None
    sensor: str | None = None
    trouble: str | None = None

    def document(self) -> dict[str, Any]:
        """For JSON and CSV: in this order, rounded to what is meant."""
        return {
            "predictions_hz": _rounded(self.predictions_hz, 3),
            "sensor_hz": _rounded(self.sensor_hz, 2),
            "samples_lost": self.samples_lost,
            "latency_ms": _rounded(self.latency_ms, 3),
            "count": self.count,
            "counter": self.counter,
            "delay_ms": _rounded(self.delay_ms, 1),
            "celsius": _rounded(self.celsius, 1),
            "sensor": self.sensor,
            "trouble": self.trouble,
        }

    def line(self) -> str:
        """One line of text: only what is known."""
        parts = []
        if self.predictions_hz is not None:
            parts.append(f"{self.predictions_hz:.2f} predictions/s")
        if self.sensor_hz is not None:
            parts.append(f"sensor {self.sensor_hz:.1f} Hz")
        if self.samples_lost is not None:
            parts.append(f"{self.samples_lost} samples lost")
        if self.count is not None and self.counter is not None:
            counted = f"{self.count:,} {self.counter}"
            took = f"{self.latency_ms:.1f} ms ({counted})" if self.latency_ms else counted
            parts.append(took)
        if self.delay_ms is not None:
            parts.append(f"{self.delay_ms:.0f} ms after the window's end")
        if self.celsius is not None:
            parts.append(f"{self.celsius:.0f} °C")
        return ", ".join(parts)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def sensor_line(state: SensorState, board: Hello) -> str:
    """One line: the sensor that there is, or what its trouble is and what to do."""
    if state.trouble == SensorTrouble.ABSENT and board.target != Target.NANO33BLE:
        return "this emulated board plays no recording: `har emulate --sensor NAME` gives it one"
    line = describe(state)
    if state.works and rate_is_wrong(state):
        line += f" instead of {state.nominal_hz:g} Hz"
    if state.works and not state.zero_known and state.sensor != Sensor.PLAYED:
        line += "; lay the board still for two seconds to measure the gyroscope's bias"
    return line


class Gauge:
    """Reads one session's figures. `poll` asks the board; `figures` is free."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._arrivals: deque[float] = deque(maxlen=RATE_OVER)
        self._lost_before: int | None = None
        self._clock = (0.0, 0)  # ours in s, the board's in ms, at the same moment
        self.samples_lost = 0
        self.sensor: SensorState | None = None

    def poll(self) -> SensorState:
        """Asks for the counters, the clock and the sensor. Raises what `Client` raises."""
        asked = time.monotonic()
        status = self._client.status()
        self._clock = ((asked + time.monotonic()) / 2, status.uptime_ms)
        if self._lost_before is None:
            self._lost_before = status.samples_lost
        self.samples_lost = (status.samples_lost - self._lost_before) & U32
        self.sensor = self._client.sensor()
        return self.sensor

    def figures(self, prediction: Prediction) -> Figures:
        """The figures of a prediction that has just arrived."""
        now = time.monotonic()
        self._arrivals.append(now)
        count = (prediction.engine_count + prediction.head_count) & U32
        counter = self._client.board.counter
        state = self.sensor
        if state is None:
            raise RuntimeError("poll() comes first")
        return Figures(
            predictions_hz=rate_of(self._arrivals),
            sensor_hz=state.rate_hz,
            samples_lost=self.samples_lost,
            latency_ms=_milliseconds(count, counter),
            count=count,
            counter=counter.name.lower(),
            delay_ms=None if state.sensor == Sensor.NONE else self._delay_ms(prediction, now),
            celsius=state.celsius,
            sensor=sensor_name(state),
            trouble=state.trouble.name.lower() if state.trouble else None,
        )

    def _delay_ms(self, prediction: Prediction, now: float) -> float | None:
        ours_s, board_ms = self._clock
        passed_ms = (now - ours_s) * 1000
        # Both times are of a clock that wraps.
        ahead_ms = ((board_ms - prediction.time_ms + (1 << 31)) & U32) - (1 << 31)
        delay_ms = passed_ms + ahead_ms
        return max(0.0, delay_ms) if abs(delay_ms) < DELAY_MAX_MS else None


def rate_of(arrivals: deque[float]) -> float | None:
    """How many a second came; None before the second."""
    if len(arrivals) < 2 or arrivals[-1] <= arrivals[0]:
        return None
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


def _milliseconds(count: int, counter: Counter) -> float | None:
    if counter == Counter.CYCLES:
        return count / NANO33BLE.clock_hz * 1e3  # the only board that counts them
    return count / 1e6 if counter == Counter.NANOSECONDS else None

"""The terminal monitor: what the board sees, now.

`watch` yields one `Sighting` per prediction, from a board that speaks frames or only text, and goes
on after the board was unplugged. `lines_view` and `bars_view` show them.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import math
import re
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from pipeline.board.client import Client
from pipeline.board.errors import BoardRefused, NoAnswer, PortLost
from pipeline.board.pace import U32
from pipeline.board.recording import rate_is_wrong
from pipeline.board.sensor_text import describe, sensor_name
from pipeline.board.transport import Transport, open_port, port_of, serial_number
from pipeline.cli.common import note
from pipeline.core.errors import ExternalError
from pipeline.protocol.messages import (
    Counter,
    ErrorCode,
    Hello,
    Prediction,
    Sensor,
    SensorState,
    SensorTrouble,
    Target,
)
from pipeline.sim.boards import NANO33BLE

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

HELLO_TIMEOUT_S = 1.0
HELLO_ATTEMPTS = 3
POLL_S = 3.0  # how often the board is asked for its figures, and so whether it is there
LISTEN_S = 0.1
RETRY_S = 0.3
LINE_BYTES_MAX = 200

TEXT_PREDICTION = re.compile(r"(?P<activity>\S.*?) (?P<probability>[01]\.\d+)")

Tell = Callable[[str], None]
Open = Callable[[str], Transport]

RATE_OVER = 8  # predictions
DELAY_MAX_MS = 60_000.0
_DIGITS = {"predictions_hz": 3, "sensor_hz": 2, "latency_ms": 3, "delay_ms": 1, "celsius": 1}


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
            name: round(value, _DIGITS[name]) if name in _DIGITS and value is not None else value
            for name, value in asdict(self).items()
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


@dataclass(frozen=True)
class Sighting:
    """One prediction, `time_s` seconds after the monitor began.

    `activity` is what the board shows: smoothed, or "unknown", and then `probability` says how
    near to known, 1 at the limit. `probabilities` by activity are the head's, of this window alone;
    in text mode the board sends only what it shows. `end_index` is the number of the window's last
    sample; text mode does not have it.
    """

    time_s: float
    activity: str
    probability: float
    probabilities: dict[str, float]
    end_index: int | None
    figures: Figures = field(default_factory=Figures)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "time_s": round(self.time_s, 3),
            "activity": self.activity,
            "probability": self.probability,
            "probabilities": self.probabilities,
            "end_index": self.end_index,
            **self.figures.document(),
        }


def watch(
    port: str,
    tell: Tell,
    *,
    open_transport: Open = open_port,
    hello_timeout_s: float = HELLO_TIMEOUT_S,
    retry_s: float = RETRY_S,
    poll_s: float = POLL_S,
) -> Generator[Sighting, None, None]:
    """Predictions as they come, for ever; closing the generator says BYE.

    A port that cannot be opened at first raises `ExternalError`; one that vanishes later is waited
    for, under another name too where its USB serial number says that it is the same board.
    Events are reported in single lines.
    """
    began = time.monotonic()
    serial = serial_number(port)
    transport = open_transport(port)
    while True:
        try:
            yield from _watch_once(transport, tell, began, hello_timeout_s, poll_s)
        except (PortLost, NoAnswer) as error:
            tell(f"{error}; waiting for it (Ctrl-C ends)")
        except BoardRefused as error:
            if error.status != ErrorCode.STATE:
                raise
            tell(f"the board on {transport.name} has restarted")
        finally:
            transport.close()
        transport = _open_again(port, serial, open_transport, retry_s)
        tell(f"{transport.name} is back")


def _open_again(port: str, serial: str | None, open_transport: Open, retry_s: float) -> Transport:
    while True:
        time.sleep(retry_s)
        with suppress(ExternalError):
            return open_transport((port_of(serial) if serial else None) or port)


def _watch_once(
    transport: Transport, tell: Tell, began: float, hello_timeout_s: float, poll_s: float
) -> Generator[Sighting, None, None]:
    client = Client(transport, timeout_s=hello_timeout_s)
    try:
        hello = client.hello(attempts=HELLO_ATTEMPTS)
    except NoAnswer:
        tell(f"{transport.name} does not answer HELLO: showing its text")
        yield from _watch_text(transport, tell, began)
        return
    tell(f"{transport.name}: model {hello.model_id.hex()}, {', '.join(hello.activities)}")
    with client:
        gauge = Gauge(client)
        said: tuple[object, ...] = ()
        lost = 0
        polled = -math.inf
        while True:
            if time.monotonic() - polled >= poll_s:
                state = gauge.poll()
                polled = time.monotonic()
                if said != (said := (state.sensor, state.trouble, state.zero_known)):
                    tell(sensor_line(state, hello))
                if gauge.samples_lost != lost:
                    lost = gauge.samples_lost
                    tell(f"{lost} samples lost in this session")
            prediction = client.prediction(LISTEN_S)
            if prediction is None:
                continue
            names = client.board.activities
            shown, share = prediction.shown(names)
            yield Sighting(
                time_s=time.monotonic() - began,
                activity=shown,
                probability=share,
                probabilities=dict(zip(names, prediction.probabilities, strict=True)),
                end_index=prediction.end_index,
                figures=gauge.figures(prediction),
            )


def _watch_text(transport: Transport, tell: Tell, began: float) -> Generator[Sighting, None, None]:
    waiting = b""
    arrivals: deque[float] = deque(maxlen=RATE_OVER)
    while True:
        *lines, waiting = (waiting + transport.read(LISTEN_S)).split(b"\n")
        waiting = waiting[-LINE_BYTES_MAX:]
        for line in lines:
            sighting = parse_text(line, time.monotonic() - began)
            if sighting is not None:
                arrivals.append(time.monotonic())
                yield replace(sighting, figures=Figures(predictions_hz=rate_of(arrivals)))
            elif said := _printable(line):
                tell(f"board: {said}")


def parse_text(line: bytes, time_s: float) -> Sighting | None:
    """`walking 0.97` as a Sighting; None for any other line."""
    match = TEXT_PREDICTION.fullmatch(_printable(line))
    if match is None or float(match["probability"]) > 1.0:
        return None
    activity, probability = match["activity"], float(match["probability"])
    return Sighting(time_s, activity, probability, {activity: probability}, None)


def _printable(line: bytes) -> str:
    text = line.rpartition(b"\x00")[2].decode("utf-8", "replace")
    return "".join(c for c in text if c.isprintable()).strip()[:LINE_BYTES_MAX]


class View(NamedTuple):
    """``show`` takes one more sighting, ``tell`` one line for the user."""

    show: Callable[[Sighting], None]
    tell: Callable[[str], None]


@contextlib.contextmanager
def lines_view(out: TextIO, line: Callable[[Sighting], str], header: str = "") -> Iterator[View]:
    """One `line` in `out` for each sighting, the first one after the `header`; messages on
    stderr."""
    above = iter([header])

    def show(sighting: Sighting) -> None:
        out.write(next(above, "") + line(sighting))
        out.flush()

    yield View(show, lambda message: note(f"har: {message}"))


def text_line(sighting: Sighting) -> str:
    """`   12.3 s  walking 0.97`"""
    return f"{sighting.time_s:8.1f} s  {sighting.activity} {sighting.probability:.2f}\n"


def json_line(sighting: Sighting) -> str:
    """One JSON document."""
    return json.dumps(sighting.document(), allow_nan=False) + "\n"


def csv_line(sighting: Sighting) -> str:
    """The values under `CSV_HEADER`."""
    seen = (sighting.end_index, sighting.activity, f"{sighting.probability:.6g}")
    return _csv(f"{sighting.time_s:.3f}", *seen, *sighting.figures.document().values())


def _csv(*values: Any) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(values)
    return row.getvalue()


CSV_HEADER = _csv("time_s", "end_index", "activity", "probability", *Figures().document())


@contextlib.contextmanager
def bars_view(port: str, console: Console | None = None) -> Iterator[View]:
    """Live bars in a terminal, the activity that the board shows bright."""
    from rich.live import Live
    from rich.text import Text

    seen = itertools.count(1)
    waiting = Text(f"{port}: waiting for a prediction (Ctrl-C ends)", style="dim")
    with Live(waiting, console=console, auto_refresh=False) as live:

        def show(sighting: Sighting) -> None:
            live.update(bars(sighting, f"{port}  {next(seen)} predictions"), refresh=True)

        yield View(show, lambda message: live.console.print(Text(message, style="dim")))


def bars(sighting: Sighting, footer: str) -> RenderableType:
    """The picture of one sighting: a bar for each activity, in the board's order."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, share in sighting.probabilities.items():
        style = "bold green" if name == sighting.activity else "dim"
        bar = ProgressBar(1.0, share, width=40, complete_style=style, finished_style=style)
        table.add_row(Text(name, style=style), bar, Text(f"{share:6.1%}", style=style))
    figures = sighting.figures
    trouble = "" if figures.trouble is None else f"motion sensor: {figures.trouble}"
    parts: list[RenderableType] = [
        Text(f"{sighting.activity} {sighting.probability:.2f}", style="bold"),
        table,
        Text(figures.line(), style="dim"),
        Text(f"{footer}  {sighting.time_s:.1f} s", style="dim"),
        Text(trouble.replace("_", " "), style="bold red"),
    ]
    return Group(*(part for part in parts if part))

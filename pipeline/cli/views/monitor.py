"""The terminal monitor: what the board sees, now.

`watch` yields one `Sighting` per prediction, from a board that speaks frames or only text, and goes
on after the board was unplugged. monitor_views.py shows them.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.board.client import Client
from pipeline.board.errors import BoardRefused, NoAnswer, PortLost
from pipeline.board.transport import Transport, open_port, port_of, serial_number
from pipeline.cli.views.figures import RATE_OVER, Figures, Gauge, rate_of, sensor_line
from pipeline.core.errors import ExternalError
from pipeline.protocol.messages import ErrorCode

HELLO_TIMEOUT_S = 1.0
HELLO_ATTEMPTS = 3
POLL_S = 3.0  # how often the board is asked for its figures, and so whether it is there
LISTEN_S = 0.1
RETRY_S = 0.3
LINE_BYTES_MAX = 200

TEXT_PREDICTION = re.compile(r"(?P<activity>\S.*?) (?P<probability>[01]\.\d+)")

Tell = Callable[[str], None]
Open = Callable[[str], Transport]


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

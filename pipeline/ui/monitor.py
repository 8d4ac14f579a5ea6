"""The terminal monitor: what the board sees, now.

`watch` yields one `Sighting` per prediction, from a board that speaks frames or only text, and goes
on after the board was unplugged. `LinesView`, `JsonView`, `CsvView` and `BarsView` show them.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from pipeline.device.client import Client
from pipeline.device.errors import BoardRefused, NoAnswer, PortLost
from pipeline.device.protocol import ErrorCode
from pipeline.device.transport import Transport, open_port, port_of, serial_number
from pipeline.errors import WorldError

if TYPE_CHECKING:
    from rich.console import RenderableType

HELLO_TIMEOUT_S = 1.0
HELLO_ATTEMPTS = 3
QUIET_S = 5.0  # after so long without a word, ask whether anybody is there
LISTEN_S = 0.1
RETRY_S = 0.3
LINE_BYTES_MAX = 200

TEXT_PREDICTION = re.compile(r"(?P<activity>\S.*?) (?P<probability>[01]\.\d+)")

Tell = Callable[[str], None]
Open = Callable[[str], Transport]


@dataclass(frozen=True)
class Sighting:
    """One prediction, `time_s` seconds after the monitor began.

    `activity` is what the board shows: smoothed, or "unknown", and then `probability` tells how
    near to known, 1 at the limit. `probabilities` by activity are the tail's, of this window alone;
    in text the board tells only what it shows. `end_index` is the number of the window's last
    sample; text does not tell it.
    """

    time_s: float
    activity: str
    probability: float
    probabilities: dict[str, float]
    end_index: int | None

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "time_s": round(self.time_s, 3),
            "activity": self.activity,
            "probability": self.probability,
            "probabilities": self.probabilities,
            "end_index": self.end_index,
        }


def watch(
    port: str,
    tell: Tell,
    *,
    open_transport: Open = open_port,
    hello_timeout_s: float = HELLO_TIMEOUT_S,
    retry_s: float = RETRY_S,
    quiet_s: float = QUIET_S,
) -> Generator[Sighting, None, None]:
    """Predictions as they come, for ever; closing the generator says BYE.

    A port that cannot be opened at first raises `WorldError`; one that vanishes later is waited
    for, under another name too where its USB serial number tells that it is the same board. What
    happens is told in single lines.
    """
    began = time.monotonic()
    serial = serial_number(port)
    transport = open_transport(port)
    while True:
        try:
            yield from _watch_once(transport, tell, began, hello_timeout_s, quiet_s)
        except (PortLost, NoAnswer) as error:
            tell(f"{error}; waiting for it (Ctrl-C ends)")
        except BoardRefused as error:
            if error.status != ErrorCode.STATE:
                raise
            tell(f"the board on {transport.name} has started anew")
        finally:
            transport.close()
        transport = _open_again(port, serial, open_transport, retry_s)
        tell(f"{transport.name} is back")


def _open_again(port: str, serial: str | None, open_transport: Open, retry_s: float) -> Transport:
    while True:
        time.sleep(retry_s)
        with suppress(WorldError):
            return open_transport((port_of(serial) if serial else None) or port)


def _watch_once(
    transport: Transport, tell: Tell, began: float, hello_timeout_s: float, quiet_s: float
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
        heard = time.monotonic()
        while True:
            prediction = client.prediction(LISTEN_S)
            now = time.monotonic()
            if prediction is None:
                if now - heard > quiet_s:
                    client.status()
                    heard = now
                continue
            heard = now
            names = client.board.activities
            shown, share = prediction.shown(names)
            yield Sighting(
                time_s=now - began,
                activity=shown,
                probability=share,
                probabilities=dict(zip(names, prediction.probabilities, strict=True)),
                end_index=prediction.end_index,
            )


def _watch_text(transport: Transport, tell: Tell, began: float) -> Generator[Sighting, None, None]:
    waiting = b""
    while True:
        *lines, waiting = (waiting + transport.read(LISTEN_S)).split(b"\n")
        waiting = waiting[-LINE_BYTES_MAX:]
        for line in lines:
            sighting = parse_text(line, time.monotonic() - began)
            if sighting is not None:
                yield sighting
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


class View(Protocol):
    """Shows sightings; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, sighting: Sighting) -> None:
        """One more."""

    def tell(self, message: str) -> None:
        """One line for the person."""


class _Lines:
    """Writes to `out`, a line at a time, and tells on stderr."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def tell(self, message: str) -> None:
        print(f"har: {message}", file=sys.stderr, flush=True)

    def write(self, line: str) -> None:
        self.out.write(line + "\n")
        self.out.flush()


class LinesView(_Lines):
    """`   12.3 s  walking 0.97`"""

    def show(self, sighting: Sighting) -> None:
        self.write(f"{sighting.time_s:8.1f} s  {sighting.activity} {sighting.probability:.2f}")


class JsonView(_Lines):
    """One JSON document a line."""

    def show(self, sighting: Sighting) -> None:
        self.write(json.dumps(sighting.document(), allow_nan=False))


class CsvView(_Lines):
    """A header, then one row per prediction."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._writer = csv.writer(out, lineterminator="\n")
        self._begun = False

    def show(self, sighting: Sighting) -> None:
        if not self._begun:
            self._writer.writerow(["time_s", "end_index", "activity", "probability"])
            self._begun = True
        end = "" if sighting.end_index is None else sighting.end_index
        probability = f"{sighting.probability:.6g}"
        row = [f"{sighting.time_s:.3f}", end, sighting.activity, probability]
        self._writer.writerow(row)
        self.out.flush()


@dataclass
class BarsView:
    """Live bars in a terminal, the activity that the board shows bright."""

    port: str
    console: Any = None
    _live: Any = field(default=None, init=False)
    _seen: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        from rich.live import Live
        from rich.text import Text

        waiting = Text(f"{self.port}: waiting for a prediction (Ctrl-C ends)", style="dim")
        self._live = Live(waiting, console=self.console, auto_refresh=False)
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, sighting: Sighting) -> None:
        self._seen += 1
        self._live.update(bars(sighting, f"{self.port}  {self._seen} predictions"), refresh=True)

    def tell(self, message: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(message, style="dim"))


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
    shown = Text(f"{sighting.activity} {sighting.probability:.2f}", style="bold")
    line = Text(f"{footer}  {sighting.time_s:.1f} s", style="dim")
    return Group(shown, table, line)

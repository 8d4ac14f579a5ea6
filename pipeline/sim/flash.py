"""The firmware onto the real board, with PlatformIO.

Everything that can be checked before the board is touched is checked first: it is there, it is the
right one, its port opens, the firmware builds and fits. What was uploaded then has to answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.board.client import Client
from pipeline.board.ports import (
    ARDUINO_VENDOR,
    NANO33BLE_PRODUCTS,
    boards,
    find_board,
    wait_for_board,
)
from pipeline.board.transport import open_port
from pipeline.core.errors import CheckFailed, ExternalError, InputError
from pipeline.protocol.messages import Hello, SensorState
from pipeline.sim.pio import (
    AGAIN,
    ENVIRONMENTS,
    check_emitted,
    explain_build,
    explain_upload,
    find_platformio,
    run,
)

LIMIT_S = 1800.0  # the first run downloads a compiler; a later one takes a minute
UPLOAD_LIMIT_S = 300.0  # takes half a minute
BACK_S = 20.0  # until the board is on USB again, as a sketch
ANSWER_S = 10.0  # until it answers: a desktop's modem manager may hold the new port for seconds
RATE_S = 5.0  # until it has measured its sensor's rate
HELLO_TIMEOUT_S = 1.0
PAUSE_S = 0.2


@dataclass(frozen=True)
class Flashed:
    """What was uploaded where, and what answered."""

    environment: str
    engine: str
    port: str
    seconds: float
    hello: Hello
    sensor: SensorState

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {
            "environment": self.environment,
            "engine": self.engine,
            "port": self.port,
            "seconds": round(self.seconds, 1),
            "model_id": self.hello.model_id.hex(),
            "firmware_version": self.hello.firmware_version,
            "sensor": self.sensor.document(),
        }


def flash(
    root: Path,
    *,
    engine: str = "tflm",
    port: str | None = None,
    tell: Callable[[str], None],
    limit_s: float = LIMIT_S,
    platformio: Sequence[str] | None = None,
) -> Flashed:
    """Builds the project at ``root`` for the board, uploads it and waits until it answers.

    ``port`` is a serial port's name; found by USB id when None. ``tell`` takes PlatformIO's lines
    as they come, and what is done in between. Raises InputError when nothing was emitted, several
    boards are plugged in or ``port`` is no Nano 33 BLE Sense; CheckFailed when the image does not
    fit
    or another model answers; ExternalError when the board, PlatformIO, or its registry cannot be
    had,
    it is not done after ``limit_s`` seconds, or no board answers.
    """
    if engine not in ENVIRONMENTS:
        raise InputError(f"no engine {engine!r}; there are: {', '.join(ENVIRONMENTS)}")
    model_id = check_emitted(root / "firmware" / "generated", engine)
    command = list(platformio) if platformio is not None else find_platformio()
    chosen = find_board(port)
    serial = check_board(chosen)
    open_port(chosen).close()
    environment = ENVIRONMENTS[engine]
    build = [*command, "run", "-d", str(root), "-e", environment]
    began = time.monotonic()
    tell(f"building {environment}; {chosen} is left alone until it is built and fits")
    code, lines = run(build, root, tell, limit_s, "is its registry reachable?")
    if code != 0:
        raise explain_build(lines)
    chosen = _port_now(chosen, serial)
    before = {board.device for board in boards()}
    tell(f"uploading to {chosen}")
    # Not with `-t nobuild`: this platform's builder then looks for a .hex file, which a build for
    # this board does not make. What is built already is not built again.
    upload = [*build, "-t", "upload", "--upload-port", chosen]
    code, lines = run(upload, root, tell, min(limit_s, UPLOAD_LIMIT_S), AGAIN)
    if code != 0:
        raise explain_upload(lines, chosen)
    tell("uploaded; waiting for the board to come back")
    back = wait_for_board(serial, BACK_S, before=before)
    hello, sensor = greet(back)
    check_answer(hello, model_id, engine, back)
    return Flashed(environment, engine, back, time.monotonic() - began, hello, sensor)


def check_board(port: str) -> str | None:
    """The USB serial number of the board on ``port``, None when it cannot be known.

    Raises InputError when ``port`` is no USB port or belongs to something else.
    """
    if "://" in port:
        raise InputError(f"{port} is no USB port: only a real board can be flashed")
    from serial.tools import list_ports

    names = {port, os.path.realpath(port)}
    info = next((info for info in list_ports.comports() if info.device in names), None)
    if info is None:
        return None  # not listed, as in some containers; the upload will show
    if info.vid != ARDUINO_VENDOR or info.pid not in NANO33BLE_PRODUCTS:
        usb = "no USB device" if info.vid is None else f"USB id {info.vid:04x}:{info.pid:04x}"
        raise InputError(f"{port} is no Nano 33 BLE Sense ({usb}): give the port of one")
    found: str | None = info.serial_number
    return found


def greet(port: str, limit_s: float | None = None) -> tuple[Hello, SensorState]:
    """Says HELLO until the board answers, then asks for its sensor until the rate is measured.

    ``limit_s``: for the answer, `ANSWER_S` when None. Raises what the last try raised, CheckFailed
    at
    once for firmware of another protocol version.
    """
    deadline = time.monotonic() + (ANSWER_S if limit_s is None else limit_s)
    while True:
        try:
            with Client.open(port, timeout_s=HELLO_TIMEOUT_S) as client:
                hello = client.hello(attempts=1)
                return hello, _sensor(client)
        except ExternalError as error:
            if time.monotonic() >= deadline:
                raise ExternalError(f"uploaded, but {error}; `har doctor` says more") from None
        time.sleep(PAUSE_S)


def check_answer(hello: Hello, model_id: str, engine: str, port: str) -> None:
    """Raises CheckFailed when not what was uploaded answers."""
    found = (hello.model_id.hex(), hello.engine.name.lower())
    if found == (model_id, engine):
        return
    raise CheckFailed(
        f"{port} answers with model {found[0]} and engine {found[1]}, not with {model_id} and "
        f"{engine}, which were uploaded: {AGAIN}"
    )


def _sensor(client: Client) -> SensorState:
    deadline = time.monotonic() + RATE_S
    while True:
        state = client.sensor()
        if not state.works or state.rate_hz is not None or time.monotonic() >= deadline:
            return state
        time.sleep(PAUSE_S)


def _port_now(port: str, serial: str | None) -> str:
    """The port of the same board after the build, which may have taken minutes."""
    if serial is None:
        return find_board(port)
    found = next((board.device for board in boards() if board.serial == serial), None)
    if found is None:
        raise ExternalError(f"the board on {port} was unplugged: plug it in, run `har flash` again")
    return found

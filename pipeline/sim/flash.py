"""The firmware onto the real board, with PlatformIO.

Everything that can be checked before the board is touched is checked first: it is there, it is the
right one, its port opens, the firmware builds and fits. What was uploaded then has to answer.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
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
from pipeline.core.errors import CheckFailed, ExternalError, HarError, InputError
from pipeline.protocol.messages import Hello, SensorState

ENVIRONMENTS = {"tflm": "nano33ble", "compiled": "nano33ble_compiled"}

_GENERATED = {
    "tflm": ("har_model.h", "har_model.c", "har_extractor_tflite.h", "har_extractor_tflite.c"),
    "compiled": ("har_model.h", "har_model.c", "har_net.h", "har_net.c"),
}

_QUIET = {
    "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "No",
    "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
}

_REGISTRY_SIGNS = ("HTTPClientError", "InternetConnectionError", "UnknownPackageError")
_TOO_LARGE_SIGNS = ("check_image:", "greater than maximum allowed")
AGAIN = "press the board's button twice (its orange light breathes), then run `har flash` again"
_MODEL_ID = re.compile(r"_ID (?:!= )?0x([0-9a-f]{16})ull$", re.MULTILINE)
_STREAMS = re.compile(r"^#error .*answers more often", re.MULTILINE)
LIMIT_S = 1800.0  # the first run downloads a compiler; a later one takes a minute
UPLOAD_LIMIT_S = 300.0  # takes half a minute
BACK_S = 20.0  # until the board is on USB again, as a sketch
ANSWER_S = 10.0  # until it answers: a desktop's modem manager may hold the new port for seconds
RATE_S = 5.0  # until it has measured its sensor's rate
HELLO_TIMEOUT_S = 1.0
PAUSE_S = 0.2


def check_emitted(generated: Path, engine: str) -> str:
    """The model id, 16 hex digits, of what ``har emit`` wrote; raises InputError when a file that
    ``engine`` needs is not there."""
    missing = [name for name in _GENERATED[engine] if not (generated / name).is_file()]
    if missing:
        raise InputError(
            f"{generated}: no {', '.join(missing)}; run `make train quantize` or `har emit` first"
        )
    found = set()
    for name in _GENERATED[engine]:
        text = (generated / name).read_text(encoding="utf-8", errors="replace")
        if (names := _MODEL_ID.search(text)) is None:
            raise InputError(f"{generated / name}: names no model; run `har emit` again")
        if engine == "tflm" and _STREAMS.search(text):
            raise InputError(
                f"{generated}: this bundle answers more often than every half window, which only "
                "the compiled engine does: add --engine compiled"
            )
        found.add(names[1])
    if len(found) > 1:
        raise InputError(f"{generated}: files of {len(found)} models; run `har emit` again")
    return found.pop()


def find_platformio() -> list[str]:
    """The command that starts PlatformIO: of this Python, else the one in PATH."""
    if importlib.util.find_spec("platformio") is not None:
        return [sys.executable, "-m", "platformio"]
    for name in ("platformio", "pio"):
        found = shutil.which(name)
        if found:
            return [found]
    raise ExternalError("PlatformIO is not installed: run `make setup`")


def explain_build(lines: Sequence[str]) -> HarError:
    """The one line for what PlatformIO printed before it failed to build."""
    registry = _registry(lines)
    if registry is not None:
        return registry
    too_large = _first(lines, _TOO_LARGE_SIGNS)
    if too_large is not None:
        return CheckFailed(f"the firmware is not right for the board: {too_large.strip()}")
    return ExternalError(f"PlatformIO could not build: {_reason(lines)}; the board was not touched")


def explain_upload(lines: Sequence[str], port: str) -> HarError:
    """The one line for what PlatformIO printed before it failed to upload to ``port``."""
    registry = _registry(lines)
    if registry is not None:
        return registry
    if _first(lines, ("Permission denied",)) is not None:
        return ExternalError(
            f"{port}: no permission; on Linux `sudo usermod -aG dialout $USER`, then log in again"
        )
    if _first(lines, ("Device or resource busy", "could not open port")) is not None:
        return ExternalError(
            f"{port} is gone or busy: close the program that has it open (serial monitor, another "
            "har), then run `har flash` again"
        )
    return ExternalError(f"the upload to {port} failed ({_reason(lines)}): {AGAIN}")


def run(
    command: Sequence[str], root: Path, tell: Callable[[str], None], limit_s: float, advice: str
) -> tuple[int, list[str]]:
    """Runs PlatformIO in ``root``; its exit code and lines, which ``tell`` takes as they come.

    Raises ExternalError with ``advice`` after ``limit_s`` seconds; whatever PlatformIO started is
    ended with it.
    """
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, **_QUIET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(limit_s, stop)
    timer.start()
    lines: list[str] = []
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            tell(lines[-1])
        code = process.wait()
    finally:
        timer.cancel()
        _kill(process)
        process.stdout.close()
    if late.is_set():
        raise ExternalError(
            f"PlatformIO was not done after {limit_s / 60:.0f} minutes and was stopped: {advice}"
        )
    return code, lines


def _registry(lines: Sequence[str]) -> ExternalError | None:
    if _first(lines, _REGISTRY_SIGNS) is None:
        return None
    return ExternalError(
        "PlatformIO's registry cannot be reached, and the board's compiler and libraries are "
        "not on this machine yet: run `har flash` again with a network that reaches it"
    )


def _first(lines: Sequence[str], signs: Sequence[str]) -> str | None:
    return next((line for line in lines if any(sign in line for sign in signs)), None)


def _reason(lines: Sequence[str]) -> str:
    """The most useful line: the compiler's or a tool's, else SCons's."""
    spoken = [line.strip() for line in lines if not line.startswith(("***", "===", "scons"))]
    for sign in ("error:", "undefined reference", "rror", "ailed", "No device found"):
        for line in spoken:
            if sign in line:
                return line
    return next((line.strip() for line in reversed(lines) if "rror" in line), "no reason given")


def _kill(process: subprocess.Popen[str]) -> None:
    """Ends PlatformIO and what it started, if it still runs."""
    if process.poll() is not None:
        return
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


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
    fit or another model answers; ExternalError when the board, PlatformIO, or its registry cannot
    be had, it is not done after ``limit_s`` seconds, or no board answers.
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
    at once for firmware of another protocol version.
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

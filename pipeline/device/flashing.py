"""Building the real board's firmware with PlatformIO and uploading it.

PlatformIO does the work; here is what an owner needs around it: everything that can be told
before it starts is told first, and whatever it says when it fails becomes one line.
"""

from __future__ import annotations

import importlib.util
import os
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

from pipeline.errors import HarError, HonestNo, InputError, WorldError

LIMIT_S = 1800.0  # the first run downloads a compiler; a later one takes a minute

# Arduino's USB ids of the Nano 33 BLE family: vendor, and product as a sketch or as a bootloader.
ARDUINO_VENDOR = 0x2341
NANO33BLE_PRODUCTS = frozenset({0x005A, 0x805A, 0x015A, 0x025A})

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
_UPLOAD_SIGNS = ("No device found", "SAM-BA operation failed", "upload_port", "could not open port")


@dataclass(frozen=True)
class Flashed:
    """What was uploaded where."""

    environment: str
    engine: str
    port: str
    seconds: float

    def document(self) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "engine": self.engine,
            "port": self.port,
            "seconds": round(self.seconds, 1),
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
    """Builds the project at ``root`` for the board and uploads it.

    ``port`` is a serial port's name; found by USB id when None. ``tell`` takes PlatformIO's lines
    as they come. Raises InputError when nothing was emitted or several boards are plugged in,
    HonestNo when the image does not fit, WorldError when the board, PlatformIO, or its registry
    cannot be had, or nothing has come of it after ``limit_s`` seconds.
    """
    if engine not in ENVIRONMENTS:
        raise InputError(f"no engine {engine!r}; there are: {', '.join(ENVIRONMENTS)}")
    check_emitted(root / "firmware" / "generated", engine)
    command = list(platformio) if platformio is not None else find_platformio()
    chosen = find_port(port)
    environment = ENVIRONMENTS[engine]
    arguments = ["run", "-d", str(root), "-e", environment, "-t", "upload"]
    began = time.monotonic()
    code, lines = _run([*command, *arguments, "--upload-port", chosen], root, tell, limit_s)
    if code != 0:
        raise explain(lines, chosen)
    return Flashed(environment, engine, chosen, time.monotonic() - began)


def check_emitted(generated: Path, engine: str) -> None:
    """Raises InputError when a file that ``har emit`` writes is not there."""
    missing = [name for name in _GENERATED[engine] if not (generated / name).is_file()]
    if missing:
        raise InputError(
            f"{generated}: no {', '.join(missing)}; run `make train quantize` or `har emit` first"
        )


def find_platformio() -> list[str]:
    """The command that starts PlatformIO: of this Python, else the one in PATH."""
    if importlib.util.find_spec("platformio") is not None:
        return [sys.executable, "-m", "platformio"]
    for name in ("platformio", "pio"):
        found = shutil.which(name)
        if found:
            return [found]
    raise WorldError("PlatformIO is not installed: run `make setup`")


def find_port(port: str | None) -> str:
    """``port`` if it is there; when None, the one Nano 33 BLE that is plugged in."""
    if port is not None:
        if os.name == "posix" and not Path(port).exists():
            raise WorldError(f"no port {port}: is the board plugged in, with a data cable?")
        return port
    from serial.tools import list_ports

    boards = [
        info.device
        for info in list_ports.comports()
        if info.vid == ARDUINO_VENDOR and info.pid in NANO33BLE_PRODUCTS
    ]
    if not boards:
        raise WorldError(
            "no Nano 33 BLE Sense found on USB: plug it in with a data cable, "
            "or name its port with --port"
        )
    if len(boards) > 1:
        raise InputError(f"several boards: {', '.join(sorted(boards))}; choose one with --port")
    return str(boards[0])


def explain(lines: Sequence[str], port: str) -> HarError:
    """The one line for what PlatformIO printed before it failed."""

    def first(signs: Sequence[str]) -> str | None:
        return next((line for line in lines if any(sign in line for sign in signs)), None)

    if first(_REGISTRY_SIGNS) is not None:
        return WorldError(
            "PlatformIO's registry cannot be reached, and the board's compiler and libraries are "
            "not on this machine yet: run `har flash` again with a network that reaches it"
        )
    too_large = first(_TOO_LARGE_SIGNS)
    if too_large is not None:
        return HonestNo(f"the firmware is not right for the board: {too_large.strip()}")
    if first(("Permission denied",)) is not None:
        return WorldError(
            f"{port}: no permission; on Linux `sudo usermod -aG dialout $USER`, then log in again"
        )
    if first(_UPLOAD_SIGNS) is not None:
        return WorldError(
            f"the upload to {port} failed: press the board's button twice (its orange light "
            "breathes), then run `har flash` again"
        )
    last = next((line.strip() for line in reversed(lines) if "rror" in line), "no reason given")
    return WorldError(f"PlatformIO failed: {last}")


def _run(
    command: Sequence[str], root: Path, tell: Callable[[str], None], limit_s: float
) -> tuple[int, list[str]]:
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
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            tell(lines[-1])
        code = process.wait()
    finally:
        timer.cancel()
        _kill(process)
    if late.is_set():
        raise WorldError(
            f"PlatformIO was not done after {limit_s / 60:.0f} minutes and was stopped: "
            "is its registry reachable?"
        )
    return code, lines


def _kill(process: subprocess.Popen[str]) -> None:
    """Ends PlatformIO and what it started, if it still runs."""
    if process.poll() is not None:
        return
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()

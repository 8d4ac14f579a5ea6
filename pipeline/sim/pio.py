"""PlatformIO, run for the real board: the command, what it needs, and its failures as one line."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.core.errors import CheckFailed, ExternalError, HarError, InputError

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

"""The C programs of tests/firmware/CMakeLists.txt, built on demand and kept between runs."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "firmware"
BUILD = ROOT / "build" / "tests" / "host"
SUFFIXES = {
    "gyro_zero": ".so",
    "halver": ".so",
    "window": ".so",
    "kernels_o2": ".a",
    "kernels_sanitized": ".a",
}


@cache
def c_program(name: str) -> Path:
    """The path of a target, up to date with its sources. Another worker that builds meanwhile is
    waited for. Raises AssertionError with the compiler's words when it does not build."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (BUILD / "CMakeCache.txt").exists():
            generator = ["-G", "Ninja"] if shutil.which("ninja") else []
            _run("cmake", "-S", str(SOURCE), "-B", str(BUILD), *generator)
        _run("cmake", "--build", str(BUILD), "--target", name, "--parallel", "2")
    suffix = SUFFIXES.get(name, "")
    return BUILD / f"{'lib' if suffix == '.a' else ''}{name}{suffix}"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

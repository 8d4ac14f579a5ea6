"""Builds firmware/boards/nano33ble for this machine, over a fake of its hardware, and runs it."""

from __future__ import annotations

import math
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support.harness import FIRMWARE, ROOT, SUPPORT, Harness

BOARD = FIRMWARE / "boards" / "nano33ble"
STUBS = ROOT / "tests" / "stubs"
# As the core for this board compiles.
CORE = ["-funsigned-char", "-ffp-contract=off"]
STRICT = ["-O2", "-Wall", "-Wextra", "-Werror", "-Wshadow"]
INCLUDES = [
    f"-I{FIRMWARE}",
    f"-I{SUPPORT}",
    f"-I{STUBS / 'arduino'}",
    f"-I{STUBS / 'tflm'}",
]
ERASED = "ffffffff"
G = 4 / 32768
MODEL_HZ = 50
RAD_S = {1: 0.070 * math.pi / 180, 2: 2000 / 32768 * math.pi / 180}
NOMINAL_HZ = {1: 119.0, 2: 100.0}


def compile_source(source: Path, output: Path, prefix: str, *flags: str) -> None:
    c = ["gcc", "-std=gnu11"]
    cpp = ["g++", "-std=gnu++14", "-fno-exceptions", "-fno-rtti"]
    compiler, *language = c if source.suffix == ".c" else cpp
    command = [prefix + compiler, *language, *CORE, *STRICT, *INCLUDES, *flags]
    done = subprocess.run(
        [*command, "-c", str(source), "-o", str(output)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def arm_compiler() -> bool:
    return shutil.which("arm-none-eabi-g++") is not None


@dataclass(frozen=True)
class Samples:
    time_ms: np.ndarray  # (n,)
    lost: np.ndarray  # (n,)
    values: np.ndarray  # (n, 6) [g, rad/s]

    def __len__(self) -> int:
        return len(self.time_ms)


def joined(*parts: Samples) -> Samples:
    return Samples(
        np.concatenate([part.time_ms for part in parts]),
        np.concatenate([part.lost for part in parts]),
        np.concatenate([part.values for part in parts]),
    )


def assert_whole(samples: Samples, lost_per_gap: list[float], within: float = 1.0) -> None:
    """Time goes on evenly but where samples are said to be lost, and there by just as many."""
    gaps = samples.lost[samples.lost > 0]
    assert len(gaps) == len(lost_per_gap)
    assert gaps == pytest.approx(lost_per_gap, abs=within)
    step_ms = np.diff(samples.time_ms) % 2**32
    assert np.all(step_ms > 0)
    due_ms = (samples.lost[1:] + 1) * 1000 / MODEL_HZ
    assert step_ms == pytest.approx(due_ms, abs=11)


@dataclass(frozen=True)
class State:
    sensor: int
    trouble: int
    zero_known: bool
    nominal_hz: float
    rate_hz: float
    gyro_zero: list[float]
    celsius: float
    overruns: int
    bus_errors: int
    saturated: int
    late: int


class Board:
    def __init__(self, harness: Harness) -> None:
        self.ask = harness.ask

    def tell(self, *words: object) -> None:
        assert self.ask(*words) == ["ok"]

    def boot(
        self,
        revision: int,
        rate_hz: float = 0.0,
        clock_us: int = 0,
        uicr: str = ERASED,
        rom_end: str = "60000",
    ) -> None:
        self.tell(
            "boot", revision, rate_hz or NOMINAL_HZ.get(revision, 1.0), clock_us, uicr, rom_end
        )

    def poll(self, ms: int) -> Samples:
        """What came within `ms` milliseconds, asked each millisecond."""
        table = np.array([float(word) for word in self.ask("poll", ms)[:-1]]).reshape(-1, 8)
        return Samples(table[:, 0], table[:, 1], table[:, 2:])

    def state(self) -> State:
        words = self.ask("state")
        return State(
            *(int(word) for word in words[:2]),
            words[2] == "1",
            *(float(word) for word in words[3:5]),
            [float(word) for word in words[5:8]],
            float(words[8]),
            *(int(word) for word in words[9:]),
        )

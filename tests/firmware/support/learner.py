"""A script for the learner's C, what NumPy says of it, and how to build and run it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.errors import InputError
from pipeline.learn import Learning, Tail, exp32

ROOT = Path(__file__).resolve().parents[3]
SUPPORT = Path(__file__).resolve().parent
LIB = ROOT / "firmware" / "lib"
SOURCES = [
    SUPPORT / "learner_script.c",
    LIB / "base" / "har_crc32.c",
    *sorted((LIB / "learn").glob("*.c")),
]
SMOOTHER_SOURCES = [
    SUPPORT / "smoother_script.c",
    LIB / "app" / "har_smoother.c",
    LIB / "learn" / "har_novelty.c",
]
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
INCLUDES = [f"-I{LIB / part}" for part in ("base", "learn", "store", "app")] + [f"-I{SUPPORT}"]


@dataclass(frozen=True)
class Script:
    """Inputs of the exponential, a shipped tail, and labelled activations in order."""

    exponents: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    learning: Learning
    x: np.ndarray  # (n, F) float32
    labels: np.ndarray  # (n,)


def random_script(
    seed: int, features: int, activities: int, learning: Learning, updates: int = 320
) -> Script:
    """Activations as they are behind a ReLU: many zeros, some large. Two updates are wrong on
    purpose: an unknown label and an activation that is not finite."""
    rng = np.random.default_rng(seed)
    x = np.abs(rng.normal(0, 2, (updates, features))) * (rng.random((updates, features)) < 0.6)
    x[rng.random(x.shape) < 0.01] *= -30
    labels = rng.integers(0, activities, updates)
    labels[50] = activities
    x[60, features // 2] = np.nan
    exponents = np.concatenate([-np.geomspace(1e-20, 90, 4000), np.linspace(-88, 0, 16000)])
    return Script(
        exponents=exponents.astype(np.float32),
        weights=rng.normal(0, 0.3, (activities, features)).astype(np.float32),
        bias=rng.normal(0, 0.1, activities).astype(np.float32),
        learning=learning,
        x=x.astype(np.float32),
        labels=labels,
    )


SCRIPTS = {
    "as shipped": random_script(1, 96, 6, Learning(0.05, 0.01, 3)),
    "one step, no pull": random_script(2, 64, 7, Learning(0.5, 0.0, 1)),
    "full pull": random_script(3, 17, 2, Learning(0.1, 10.0, 8)),
    "overconfident": random_script(4, 33, 12, Learning(4.0, 0.001, 2)),
}


def _near_the_limit() -> Script:
    """Every size of tail and activation, so that accepted and refused lie side by side."""
    script = random_script(5, 10, 3, Learning(0.25, 1.0, 2))
    rng = np.random.default_rng(6)
    sizes = np.ldexp(1.0, rng.integers(10, 22, len(script.x)))[:, None]
    spread = (rng.uniform(-1, 1, script.x.shape) * sizes).astype(np.float32)
    weights = rng.uniform(-1e6, 1e6, script.weights.shape).astype(np.float32)
    return replace(script, x=spread, weights=weights)


ALL_SCRIPTS = {**SCRIPTS, "near the limit": _near_the_limit()}


def encode(script: Script) -> bytes:
    """As learner_script.h tells it."""
    activities, features = script.weights.shape
    learning = script.learning
    parts = [
        np.uint32(len(script.exponents)),
        script.exponents,
        np.uint32([features, activities]),
        np.float32([learning.rate, learning.anchor]),
        np.uint32(learning.steps),
        script.weights,
        script.bias,
        np.uint32(len(script.labels)),
    ]
    for label, x in zip(script.labels, script.x, strict=True):
        parts += [np.uint32(label), x]
    return b"".join(part.tobytes() for part in parts)


def expected_trace(script: Script) -> bytes:
    """What NumPy computes, in the trace's layout."""
    tail = Tail(script.weights, script.bias)
    parts = [exp32(script.exponents)]
    for label, x in zip(script.labels, script.x, strict=True):
        status = 0
        with np.errstate(invalid="ignore"):
            probabilities = tail.predict(x)
        try:
            tail.update(x, int(label), script.learning)
        except InputError:
            status = 1 if label >= tail.activities else 7
            probabilities = np.zeros(tail.activities, np.float32)
        parts += [probabilities, np.uint32([status, tail.crc()]), tail.weights, tail.bias]
    return b"".join(part.tobytes() for part in parts)


def build_host(program: Path, *flags: str, sources: list[Path] = SOURCES) -> Path:
    sources = [*sources, SUPPORT / "learner_host.c"]
    command = ["gcc", *FLAGS, *flags, *INCLUDES, *map(str, sources), "-o", str(program)]
    subprocess.run([*command, "-lm"], check=True)
    return program


def build_mps2(program: Path, *flags: str, sources: list[Path] = SOURCES) -> Path:
    board = ROOT / "firmware" / "board" / "mps2"
    sources = [*sources, SUPPORT / "learner_mps2.c"]
    sources += [board / name for name in ("board.c", "flash.c", "startup.S")]
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", *flags, "-O2", *FLAGS]
    command += ["-std=gnu11", *INCLUDES, f"-I{board}", *map(str, sources), "-lm"]
    command += ["-nostartfiles", f"-L{board}", "-Twhole_machine.ld", "--specs=nosys.specs"]
    subprocess.run([*command, "-o", str(program)], check=True)
    return program

"""A script for the learner's C, what NumPy says of it, and how to build and run it."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from pathlib import Path

import numpy as np

from pipeline.core.errors import InputError
from pipeline.head import CutScales, Head, HeadShape, Learner, Learning, Replay
from pipeline.head.mathematics import exp32

ROOT = Path(__file__).resolve().parents[3]
SUPPORT = Path(__file__).resolve().parent
FIRMWARE = ROOT / "firmware"
LIB = FIRMWARE / "lib"
LEARN = [LIB / "base" / "har_crc32.c", *sorted((LIB / "head").glob("*.c"))]
SOURCES = [SUPPORT / "learner_script.c", SUPPORT / "learner_room.c", *LEARN]
SMOOTHER_SOURCES = [
    SUPPORT / "smoother_script.c",
    LIB / "head" / "har_smoother.c",
    LIB / "head" / "har_novelty.c",
]
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
INCLUDES = [f"-I{FIRMWARE}", f"-I{SUPPORT}"]

OK, ARGUMENT, STATE, NOT_FINITE = 0, 1, 6, 7
HEAD_WORDS = 16
EXPLODES = 1e30
"""a rate that leads beyond every limit"""


class Do(IntEnum):
    """What a line of a script does (enum learner_line)."""

    LABEL = 0
    UNDO = 1
    ADD = 2
    TAKE = 3
    RESET = 4


@dataclass(frozen=True)
class Line:
    """One line; ``payload`` is a window int8 (B,) or parameters float32 (P,)."""

    do: Do
    activity: int = 0
    rate: float = 0.0
    payload: np.ndarray | None = None


@dataclass(frozen=True)
class Script:
    """What ships, and what is done with it."""

    shape: HeadShape
    scales: CutScales
    anchor: np.ndarray
    shipped: int
    capacity: int
    exemplars: np.ndarray  # int8 (E, B)
    exemplars_of: np.ndarray  # uint8 (E,)
    learning: Learning
    lines: tuple[Line, ...]
    exponents: np.ndarray
    """inputs of the exponential"""

    def learner(self) -> Learner:
        head = Head(self.shape, self.scales, self.anchor, self.shipped)
        sizes = self.shape.window_bytes, self.capacity, self.shape.rows
        return Learner(head, Replay(*sizes, self.exemplars, self.exemplars_of), self.learning)


NONE = np.zeros(0, np.float32)
EXPONENTS = np.concatenate(
    [-np.geomspace(1e-20, 90, 4000), np.linspace(-88, 0, 16000), [np.nan, -np.inf]]
).astype(np.float32)


def random_script(
    seed: int,
    shape: HeadShape,
    shipped: int,
    learning: Learning,
    *,
    capacity: int = 12,
    exemplars: int = 2,
    labels: int = 330,
    windows_of: str = "nobody",
    exponents: np.ndarray = NONE,
) -> Script:
    """Windows of ``nobody``: random, of random amplitudes, and so are the labels. Of ``people``:
    near one point for each activity, all moved a little, as a new person is; one label in ten is
    wrong. In between it is undone, activities are added, and nonsense comes from outside."""
    rng = np.random.default_rng(seed)
    size, rows = shape.window_bytes, shape.rows
    centers = rng.integers(-90, 90, (rows, size))
    person = rng.normal(0, 25, size)

    def window(activity: int) -> np.ndarray:
        if windows_of == "nobody":
            return (rng.integers(-128, 128, size) * rng.uniform(0, 1)).astype(np.int8)
        near = centers[activity] + person + rng.normal(0, 20, size)
        return np.clip(np.round(near), -128, 127).astype(np.int8)

    anchor = _shipped_head(rng, shape, shipped)
    exemplars_of = np.tile(np.arange(shipped, dtype=np.uint8), exemplars)
    shown = np.array([window(k) for k in exemplars_of], np.int8).reshape(-1, size)
    scales = CutScales(
        rng.uniform(0.005, 0.02, shape.features).astype(np.float32),
        rng.normal(0, 0.3, shape.features).astype(np.float32),
        0.0123,
        -128 if windows_of == "people" else 3,
    )

    lines = [Line(Do.UNDO)]
    used = shipped
    extras: dict[int, Callable[[], list[Line]]] = {
        20: lambda: [Line(Do.ADD)],
        70: lambda: [Line(Do.ADD)] * 3,
        90: lambda: [Line(Do.LABEL, used, learning.rate, window(0))],
        # The first may be one to hold back, which is not learned; not both are.
        100: lambda: [Line(Do.LABEL, 0, EXPLODES, window(1))] * 2,
        110: lambda: [Line(Do.UNDO), Line(Do.LABEL, 1, 0.0, window(1))],
        140: lambda: _from_outside(rng, anchor),
        labels - 30: lambda: [Line(Do.RESET)],
    }
    for i in range(labels):
        truth = int(rng.integers(used))
        wrong = windows_of == "nobody" or rng.random() < 0.1
        label = int(rng.integers(used)) if wrong else truth
        lines.append(Line(Do.LABEL, label, learning.rate, window(truth)))
        if rng.random() < 0.06:
            lines += [Line(Do.UNDO)] * int(rng.integers(1, 3))
        for extra in extras.get(i, list)():
            lines.append(extra)
            if extra.do is Do.ADD:
                used = min(used + 1, rows)
            elif extra.do is Do.RESET:
                used = shipped
    sizes = shape, scales, anchor, shipped, capacity
    return Script(*sizes, shown, exemplars_of, learning, tuple(lines), exponents)


def _shipped_head(rng: np.random.Generator, shape: HeadShape, shipped: int) -> np.ndarray:
    """Small weights; the spare rows are 0."""
    anchor = rng.normal(0, 0.2, shape.parameters).astype(np.float32)
    rows, features = shape.rows, shape.features
    dense = anchor[-rows * (features + 1) :]
    dense[shipped * features : rows * features] = 0
    dense[rows * features + shipped :] = 0
    return anchor


def _from_outside(rng: np.random.Generator, anchor: np.ndarray) -> list[Line]:
    """Parameters that no board takes, and last some that it does."""
    lines = []
    for bad in (np.nan, np.inf, -np.inf, 2.0**20 * 1.0001, -(2.0**21), 1e-39, -1e-45):
        values = anchor.copy()
        values[rng.integers(len(values))] = bad
        lines.append(Line(Do.TAKE, payload=values))
    values = anchor + rng.normal(0, 0.05, anchor.shape).astype(np.float32)
    values[:3] = 0.0, -0.0, np.finfo(np.float32).tiny
    return [*lines, Line(Do.TAKE, payload=values)]


# Sizes that leave every remainder of the blocks in har_head_kernels.c.
FC = HeadShape(features=37, rows=7, frozen=37)
FXC1 = HeadShape(features=21, rows=8, frozen=13, map_length=7, channels=9, filters=8)
FXC2 = HeadShape(21, 6, frozen=8, map_length=15, channels=8, filters=13, kernel=5, stride=2)
FXC1_BARE = HeadShape(features=6, rows=8, frozen=0, map_length=5, channels=6, filters=6)

ROUGH = Learning(0.1, 0.02, 0.995, steps=6, replay_every=4, hold_every=4, evidence=3)
CAREFUL = Learning(0.01, 0.002, 0.99, steps=8, replay_every=3, hold_every=5, evidence=2)

SCRIPTS = {
    "fc, nobody": random_script(1, FC, 5, ROUGH, exponents=EXPONENTS),
    "fc, people": random_script(2, FC, 5, CAREFUL, windows_of="people"),
    "fxc1, nobody": random_script(3, FXC1, 6, ROUGH),
    "fxc1, people": random_script(4, FXC1, 6, CAREFUL, windows_of="people"),
    "fxc2, nobody": random_script(5, FXC2, 4, ROUGH),
    "fxc2, people": random_script(6, FXC2, 4, CAREFUL, windows_of="people"),
}
EDGES = {
    "one entry": random_script(
        7, HeadShape(5, 3, 5), 2, replace(ROUGH, hold_every=2), capacity=1, labels=160
    ),
    "127 activities": random_script(
        8,
        HeadShape(3, 127, 3),
        127,
        replace(ROUGH, hold_every=2),
        capacity=60,
        exemplars=1,
        labels=160,
    ),
    "no exemplars, none held back, no evidence": random_script(
        9,
        FXC1_BARE,
        7,
        replace(ROUGH, hold_every=0, evidence=0, keep=0.0, steps=1),
        exemplars=0,
        labels=160,
    ),
    "all held back": random_script(
        10, HeadShape(4, 4, 4), 3, replace(ROUGH, hold_every=1, replay_every=0), labels=160
    ),
    "far beyond": random_script(11, FC, 5, replace(ROUGH, rate=2e5), labels=160),
    "denormal steps from nothing": replace(
        random_script(12, FC, 5, replace(ROUGH, rate=3e-38), labels=160),
        anchor=np.zeros(FC.parameters, np.float32),
    ),
}
ALL_SCRIPTS = {**SCRIPTS, **EDGES}


def encode(script: Script) -> bytes:
    """As learner_script.h tells it."""
    shape, learning = script.shape, script.learning
    sizes = shape.features, shape.rows, shape.frozen, shape.map_length, shape.channels
    parts = [
        np.uint32(len(script.exponents)),
        script.exponents,
        np.uint32([*sizes, shape.filters, shape.kernel, shape.stride, script.shipped]),
        np.float32(script.scales.map_scale),
        np.int32(script.scales.map_zero_point),
        script.scales.scale,
        script.scales.offset,
        script.anchor,
        np.uint32([script.capacity, len(script.exemplars)]),
        _padded(script.exemplars),
        _padded(script.exemplars_of),
        np.float32([learning.rate, learning.rate_convolution, learning.keep]),
        np.uint32([learning.steps, learning.replay_every, learning.hold_every, learning.evidence]),
        np.uint32(len(script.lines)),
    ]
    for line in script.lines:
        parts.append(np.uint32(line.do))
        if line.do is Do.LABEL:
            parts += [np.uint32(line.activity), np.float32(line.rate)]
        if line.payload is not None:
            parts.append(_padded(line.payload))
    return b"".join(part.tobytes() for part in parts)


def _padded(values: np.ndarray) -> np.ndarray:
    data = values.tobytes()
    return np.frombuffer(data + b"\0" * (-len(data) % 4), np.uint8)


@cache
def expected_trace(name: str) -> bytes:
    """What NumPy computes of a script of ALL_SCRIPTS, in the trace's layout."""
    script = ALL_SCRIPTS[name]
    learner = script.learner()
    window = np.zeros(script.shape.window_bytes, np.int8)
    parts = [exp32(script.exponents)]
    for line in script.lines:
        if line.do is Do.LABEL and line.payload is not None:
            window = line.payload
        status, outcome = _do(learner, script, line)
        parts += _all(learner, window, status, outcome)
    return b"".join(part.tobytes() for part in parts)


def _do(learner: Learner, script: Script, line: Line) -> tuple[int, int]:
    """Status and outcome."""
    outcome = 0
    try:
        if line.do is Do.LABEL:
            if line.rate == 0.0:  # not even a `Learning`
                return ARGUMENT, 0
            learner.learning = replace(script.learning, rate=line.rate)
            outcome = learner.label(line.payload, line.activity)
        elif line.do is Do.UNDO:
            learner.undo()
        elif line.do is Do.ADD:
            learner.add()
        elif line.do is Do.TAKE:
            learner.head.load(line.payload, learner.head.activities)
            learner.taken()
        else:
            learner.reset()
    except InputError as error:
        refusals = {"label:": ARGUMENT, "undo:": STATE, "all": STATE}
        return refusals.get(str(error).split()[0], NOT_FINITE), 0
    finally:
        learner.learning = script.learning
    return OK, int(outcome)


def _all(learner: Learner, window: np.ndarray, status: int, outcome: int) -> list[np.ndarray]:
    head, replay, guard = learner.head, learner.replay, learner.guard
    held = learner.holdout()
    first = [
        *(status, outcome, head.crc(), head.activities),
        *(learner.updates, learner.exemplars, replay.random),
        *(guard.judged, guard.shipped_right, guard.learned_right, guard.undone),
        *(learner.learned_active, learner.can_undo, *held),
        zlib.crc32(replay.windows.tobytes()),
    ]
    whole = np.uint32(
        [*first, *learner.labels, *replay.seen, *replay.labels, *replay.sample_weight]
    )
    probabilities = np.zeros((3, head.shape.rows), np.float32)
    used = slice(0, head.activities)
    probabilities[0, used] = learner.predict(window)
    probabilities[1, used] = head.predict(window)
    probabilities[2, used] = head.predict(window, factory=True)
    return [whole, np.uint32(zlib.crc32(head.features(window).tobytes())), probabilities]


def rows_of(script: Script, trace: bytes) -> np.ndarray:
    """A trace behind the exponentials, a row of words for each line of the script."""
    words = np.frombuffer(trace, np.uint32)[len(script.exponents) :]
    width = HEAD_WORDS + 5 * script.shape.rows + 2 * script.capacity + 1
    return words.reshape(-1, width)


def build_mps2(program: Path, *flags: str, sources: list[Path] = SOURCES) -> Path:
    board = FIRMWARE / "boards" / "mps2"
    sources = [*sources, SUPPORT / "learner_mps2.c"]
    sources += [board / name for name in ("board.c", "flash.c", "startup.S")]
    sources.append(board.parent / "played" / "played.c")
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", *flags, "-O2", *FLAGS]
    command += [
        "-std=gnu11",
        *INCLUDES,
        *map(str, sources),
        "-lm",
    ]
    command += ["-nostartfiles", f"-L{board}", "-Twhole_machine.ld", "--specs=nosys.specs"]
    subprocess.run([*command, "-o", str(program)], check=True)
    return program

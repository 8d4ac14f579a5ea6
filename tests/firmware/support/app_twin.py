"""The models of har_model.h and app_model.c in NumPy, and the board that runs them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.head import (
    BoardTwin,
    CutScales,
    Head,
    HeadShape,
    Learner,
    Learning,
    Limits,
    Novelty,
    Outcome,
    Replay,
    SampleQuantization,
    Smoother,
)
from tests.support.window_reference import WindowReference

T, HOP = 8, 4
KNEE = np.float32([0.0, 0.0, 0.0, 0.1, 0.25, 0.0])
MEAN = np.float32([0.1, -0.2, 0.9, 0.0, 0.05, -0.1])
GAIN = np.float32([40.0, 35.5, 50.25, 20.0, 18.0, 25.0])
UNITS = np.float32(1) / np.float32([4096] * 3 + [800] * 3)
LIMIT, WIDEN = 0.3, 1.25
LEARNING = Learning(0.05, 0.02, 0.99, steps=6, replay_every=3, hold_every=4, evidence=3)
EXEMPLARS = 6


@dataclass(frozen=True)
class Model:
    """`flags` choose it in har_model.h."""

    names: tuple[str, ...]
    outputs: tuple[int, ...]
    shape: HeadShape
    scales: CutScales
    anchor: np.ndarray
    exemplars: np.ndarray
    exemplar_of: tuple[int, ...]
    novelty: Novelty
    capacity: int = 7
    flags: tuple[str, ...] = ()

    @property
    def shipped(self) -> int:
        return len(self.names)

    def head(self) -> Head:
        return Head(self.shape, self.scales, self.anchor, self.shipped)

    def learner(self) -> Learner:
        head = self.head()
        replay = Replay(
            self.shape.window_bytes,
            self.capacity,
            self.shape.rows,
            self.exemplars,
            np.array(self.exemplar_of, np.uint8),
        )
        return Learner(head, replay, LEARNING)

    def engine(self, window: np.ndarray) -> np.ndarray:
        """The engine of app_model.c: int8 (T, 6) -> int8 (B,), output after output."""
        flat = window.ravel().astype(np.int64)
        size = self.shape.window_bytes
        f, i = np.arange(size)[:, None], np.arange(flat.size)
        sums = (flat * ((i * 7 + f * 13) % 5 - 2)).sum(axis=1)
        values = np.clip(np.trunc(sums / 4), -128, 127).astype(np.int8)
        stops = size - np.cumsum([0, *self.outputs])
        return np.concatenate([values[stop:start] for start, stop in pairwise(stops)])


def _anchor(
    shape: HeadShape, rows: np.ndarray, bias: list[float], front: list[float]
) -> np.ndarray:
    """`front`: the parameters before the dense layer, whose first rows and biases follow."""
    dense = np.zeros((shape.rows, shape.features), np.float32)
    dense[: len(rows)] = rows
    spare = [0.0] * (shape.rows - len(bias))
    return np.concatenate([np.float32(front), dense.ravel(), np.float32([*bias, *spare])])


def _exemplars(size: int, rows: dict[int, list[int]]) -> np.ndarray:
    exemplars = np.zeros((EXEMPLARS, size), np.int8)
    for row, values in rows.items():
        exemplars[row, : len(values)] = values
    return exemplars


_NAMES = ("walking", "sitting", "läuft")
_BIAS = [0.1, -0.1, 0.05]
_ROWS = np.float32(
    [
        [0.1, -0.2, 0.3, 0.05, 0.0, -0.15, 0.25, 0.12, -0.3, 0.2, -0.05, 0.4],
        [-0.2, 0.1, 0.15, -0.1, 0.35, 0.2, -0.1, 0.0, 0.25, -0.3, 0.1, -0.2],
        [0.05, 0.3, -0.4, 0.2, -0.1, 0.1, 0.15, -0.2, 0.125, 0.1, 0.2, -0.1],
    ]
)
_FIRST = [20, -30, 40, 5, 60, -70, 80, -90, 100, -110, 120, -128]
_SECOND = [-5, 15, 25, 35, 45, 55, 65, 75, 85, 95, -105, 115]
_LAST = [99, -99, 33]
_NOVELTY = Novelty(
    np.float32(
        [[3.0, 2.5, 3.5, 3.0, 2.0], [2.5, 3.0, 3.0, 2.75, 4.0], [3.5, 3.0, 2.0, 3.25, 3.0]],
    ),
    np.float32(
        [[0.5, 0.4, 0.6, 0.5, 0.3], [0.45, 0.5, 0.55, 0.5, 0.6], [0.7, 0.5, 0.4, 0.5, 0.35]],
    ),
)
_FC = HeadShape(features=12, rows=5, frozen=12)
_MAP = HeadShape(features=10, rows=5, frozen=7, map_length=2, channels=2, filters=3)
_LARGE = HeadShape(features=416, rows=8, frozen=416)


def _scales(*values: float) -> np.ndarray:
    return np.repeat(np.float32(values), [5, 2, 5])


SMALL = Model(
    names=_NAMES,
    outputs=(5, 2, 5),
    shape=_FC,
    scales=CutScales(_scales(0.03, 0.011, 0.07), _scales(3.0, -0.187, 8.96)),
    anchor=_anchor(_FC, _ROWS, _BIAS, []),
    exemplars=_exemplars(12, {0: _FIRST, 1: _SECOND, 5: _LAST}),
    exemplar_of=(0, 1, 2, 0, 1, 2),
    novelty=_NOVELTY,
)
MAP = Model(
    names=_NAMES,
    outputs=(5, 2, 4),
    shape=_MAP,
    scales=CutScales(
        np.float32([*[0.03] * 5, *[0.011] * 2, 0.2, 0.3, 0.25]),
        np.float32([*[3.0] * 5, *[-0.187] * 2, -1.0, -2.0, -1.5]),
        np.float32(0.07),
        -128,
    ),
    anchor=_anchor(_MAP, _ROWS[:, :10], _BIAS, [0.5, -0.25, 0.3, 0.4, -0.2, 0.6, 0.1, 0.0, -0.05]),
    exemplars=_exemplars(11, {0: _FIRST[:11], 1: _SECOND[:11], 5: _LAST}),
    exemplar_of=(0, 1, 2, 0, 1, 2),
    novelty=_NOVELTY,
    flags=("-DHAR_TEST_MAP",),
)
_CENTER = np.zeros((6, 48), np.float32)
_INVERSE = _CENTER.copy()
_INVERSE[0, 0] = 1.0
LARGE = Model(
    names=("a", "b", "c", "d", "e", "f"),
    outputs=(48, 64, 96, 96, 112),
    shape=_LARGE,
    scales=CutScales(np.full(416, 0.03, np.float32), np.repeat(np.float32([0.5, 0.0]), [48, 368])),
    anchor=_anchor(_LARGE, np.zeros((6, 416), np.float32), [0.1, -0.1, 0.05, 0.0, 0.2, 0.3], []),
    exemplars=_exemplars(416, {0: [1, -2, 3]}),
    exemplar_of=(0, 1, 2, 3, 4, 5),
    novelty=Novelty(_CENTER, _INVERSE),
    capacity=36,
    flags=("-DHAR_TEST_LARGE",),
)


class Twin(BoardTwin):
    """The board as NumPy has it, samples and engine included. `behind` collects (smoothed,
    smoothed_probability, novelty) of each window."""

    def __init__(
        self, model: Model = SMALL, index: int = 0, *, hop: int = HOP, roots: int = 0
    ) -> None:
        limits = Limits(model.shipped, LIMIT, WIDEN, model.shape.rows)
        smoother = Smoother(model.shipped, 0.01, 0.5, roots)
        super().__init__(model.learner(), model.novelty, limits, smoother)
        self.model = model
        self.index = index
        self.head = self.learner.head
        self.window = WindowReference(T, hop, SampleQuantization(KNEE, MEAN, GAIN, -3))
        self.behind: list[tuple[int, float, float]] = []
        self.at_cut: list[np.ndarray] = []

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.model.names, *self.taught)

    def expect(self, raw: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
        """Wire samples (n, 6) -> (end_index, features_crc, probabilities (A,)) per window."""
        predictions = []
        for position, window in self.window.push(raw.astype(np.float32) * UNITS):
            self.at_cut.append(self.model.engine(window))
            (seen,) = self.see(self.at_cut[-1][None])
            predictions.append((self.index + position, seen.features_crc, seen.probabilities))
            self.behind.append((seen.smoothed, seen.smoothed_probability, seen.novelty))
        self.index += len(raw)
        return predictions

    def label_again(self, back: int, activity: int) -> tuple[Outcome, float, float]:
        """Labels the window that was answered so many answers before the last one."""
        last, self._last = self._last, self.at_cut[-1 - back]
        result = self.label(activity)
        self._last = last
        return result

    def restart(self) -> None:
        """A new stream, or a gap."""
        self.window.restart()
        super().restart()


def raw_samples(n: int, seed: int) -> np.ndarray:
    """Like a body: around 1 g, and now and then far out. int16 (n, 6)."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(0, 400, (n, 6)) + np.array([400, -800, 3700, 0, 0, 0])
    raw[rng.random((n, 6)) < 0.02] *= 30
    return np.clip(raw, -32768, 32767).astype(np.int16)

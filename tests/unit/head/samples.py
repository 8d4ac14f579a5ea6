"""Small heads of every cut, and learners with them."""

from __future__ import annotations

import numpy as np

from pipeline.head import CutScales, Head, HeadShape, Learner, Learning, Replay

SHIPPED = 4
SHAPES = {
    "fc": HeadShape(features=13, rows=6, frozen=13),
    "fxc1": HeadShape(features=9, rows=6, frozen=4, map_length=6, channels=3, filters=5),
    "fxc2": HeadShape(9, 6, frozen=4, map_length=9, channels=3, filters=5, kernel=3, stride=2),
}
LEARNING = Learning(0.02, 0.004, 0.99, steps=8, replay_every=3, hold_every=4, evidence=2)


def random_head(shape: HeadShape, seed: int = 1) -> Head:
    rng = np.random.default_rng(seed)
    scales = CutScales(
        rng.uniform(0.005, 0.02, shape.features).astype(np.float32),
        rng.normal(0, 0.3, shape.features).astype(np.float32),
        0.01,
        -20,
    )
    anchor = rng.normal(0, 0.4, shape.parameters).astype(np.float32)
    return Head(shape, scales, anchor, SHIPPED)


def random_windows(shape: HeadShape, *count: int, seed: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(-128, 128, (*count, shape.window_bytes)).astype(np.int8)


def random_learner(
    shape: HeadShape, learning: Learning = LEARNING, capacity: int = 10, exemplars: int = 8
) -> Learner:
    shown = random_windows(shape, exemplars, seed=3)
    activities = np.arange(exemplars, dtype=np.uint8) % SHIPPED
    replay = Replay(shape.window_bytes, capacity, shape.rows, shown, activities)
    return Learner(random_head(shape), replay, learning)


def state_of(learner: Learner) -> tuple[object, ...]:
    """All that a label may change."""
    replay = learner.replay
    arrays = learner.head.parameters, replay.windows, replay.labels, replay.sample_weight
    counts = learner.updates, learner.exemplars, replay.random, learner.guard
    return (
        *(array.tobytes() for array in arrays),
        *map(str, (*counts, replay.seen, learner.labels, learner.head.activities)),
    )

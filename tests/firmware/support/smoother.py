"""Scripts for novelty and smoother in C, and what NumPy says of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.head import Novelty, Smoother, softmax


@dataclass(frozen=True)
class Script:
    """Consecutive windows: their first activations (n, N), the activity that the head named, its
    probabilities (n, K); activity K means a restart instead."""

    novelty: Novelty
    limits: np.ndarray
    change: float
    change_moving: float
    roots: int
    x: np.ndarray
    activities: np.ndarray
    probabilities: np.ndarray


def random_script(
    seed: int, activities: int, features: int, change: float, change_moving: float, roots: int = 0
) -> Script:
    """Logits from flat to so sharp that most probabilities are 0; distances around the limits."""
    rng = np.random.default_rng(seed)
    n = 600
    sharp = np.geomspace(0.1, 300, n)[rng.permutation(n)][:, None]
    probabilities = softmax((rng.normal(size=(n, activities)) * sharp).astype(np.float32))
    named = probabilities.argmax(axis=1)
    named[rng.random(n) < 0.01] = activities
    center = rng.normal(0, 2, (activities, features)).astype(np.float32)
    inverse = (1 / rng.uniform(0.01, 2, center.shape)).astype(np.float32)
    noise = rng.normal(size=(n, features)) * rng.uniform(0.5, 1.3, (n, 1))
    known = named % activities
    x = (center[known] + noise / inverse[known]).astype(np.float32)
    limits = rng.uniform(0.7, 1.2, activities).astype(np.float32)
    return Script(
        Novelty(center, inverse), limits, change, change_moving, roots, x, named, probabilities
    )


SCRIPTS = {
    "as shipped": random_script(1, 6, 48, 0.01, 0.5),
    "switched off": random_script(2, 3, 5, 1.0, 1.0),
    "hardly ever changes": random_script(3, 32, 128, 1e-6, 0.03),
    "two activities": random_script(4, 2, 1, 0.2, 0.9),
    "four windows count as one": random_script(5, 6, 48, 0.01, 0.5, roots=2),
    "64 windows count as one": random_script(6, 5, 8, 0.01, 0.5, roots=6),
}


def encode(script: Script) -> bytes:
    """As smoother_script.c tells it."""
    activities, features = script.novelty.center.shape
    parts = [
        np.uint32([activities, features]),
        np.float32([script.change, script.change_moving]),
        np.uint32(script.roots),
        script.novelty.center,
        script.novelty.inverse_std,
        script.limits,
        np.uint32(len(script.x)),
    ]
    for x, activity, p in zip(script.x, script.activities, script.probabilities, strict=True):
        parts += [x, np.uint32(activity), p]
    return b"".join(part.tobytes() for part in parts)


def expected_rows(script: Script) -> np.ndarray:
    """What NumPy computes: distance, novelty and belief (K,) per window, float32 (m, 2 + K)."""
    activities = len(script.limits)
    smoother = Smoother(activities, script.change, script.change_moving, script.roots)
    rows = []
    for x, activity, p in zip(script.x, script.activities, script.probabilities, strict=True):
        if activity == activities:
            smoother.restart()
            continue
        distance = script.novelty.distance(x, activity)
        novelty = distance / script.limits[activity]
        rows.append([distance, novelty, *smoother.push(p, bool(novelty > 1))])
    return np.array(rows, np.float32)

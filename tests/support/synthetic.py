"""A small made-up data set that nets can learn in seconds: people who shake a sensor."""

from __future__ import annotations

import numpy as np

from pipeline.data import Dataset, Recording, Segment, SubjectSplit
from pipeline.training.task import Task, make_task

ACTIVITIES = ("walking", "running", "resting")
_FREQUENCY_HZ = {"walking": 1.8, "running": 3.2, "resting": 0.0}


def synthetic_task(people: int = 8, seconds: float = 30.0, seed: int = 0) -> Task:
    """Everybody does every activity twice; the last two people test, one before them validates."""
    rng = np.random.default_rng(seed)
    rate_hz = 50.0
    n = int(seconds * rate_hz)
    time_s = np.arange(n) / rate_hz
    recordings = []
    for person in range(people):
        pieces, segments, start = [], [], 0
        own = rng.uniform(0.9, 1.1)
        for activity in ACTIVITIES * 2:
            phase = rng.uniform(0, 2 * np.pi, 6)
            size = np.array([0.4, 0.3, 0.2, 1.0, 0.8, 0.6]) * (activity != "resting")
            signal = size * np.sin(
                2 * np.pi * own * _FREQUENCY_HZ[activity] * time_s[:, None] + phase
            )
            signal += rng.normal(0, 0.03, signal.shape)
            signal[:, 0] += 1.0
            pieces.append(signal)
            segments.append(Segment(start, start + n, activity))
            start += n
        recordings.append(
            Recording(
                samples=np.concatenate(pieces).astype(np.float32),
                rate_hz=rate_hz,
                subject=f"person{person}",
                session="only",
                source="synthetic",
                segments=tuple(segments),
            )
        )
    dataset = Dataset(
        name="synthetic",
        title="People who shake a sensor",
        recordings=tuple(recordings),
        activities=ACTIVITIES,
        rate_hz=rate_hz,
        units={"acceleration": "g", "angular_rate": "rad/s"},
        terms="made up",
        citation="none",
        package="none",
        version="1",
        sha256="0" * 64,
    )
    names = dataset.subjects
    split = SubjectSplit("synthetic", names[:-3], names[:-3], names[-3:-2], names[-2:])
    return make_task(dataset, split)

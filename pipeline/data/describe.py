"""A data set in numbers, as one JSON-able document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.data.recording import Dataset, Recording
from pipeline.data.resampling import resample
from pipeline.data.windowing import make_windows


def describe(dataset: Dataset, *, length: int = 128, hop: int = 64) -> dict[str, Any]:
    """Counts people, minutes and windows of ``length`` samples every ``hop``.

    ``activities`` holds, in the data set's order, ``{name, subjects, minutes, windows}``;
    ``other_activities`` the same without windows for labels outside the classes to learn;
    ``warnings`` what makes it useless in part or in whole; ``notes`` what every report must say.
    """
    windows = make_windows(dataset.recordings, dataset.activities, length, hop)
    seconds: dict[str, float] = dict.fromkeys(dataset.activities, 0.0)
    unlabelled = 0.0
    people: dict[str, set[str]] = {name: set() for name in dataset.activities}
    for recording in dataset.recordings:
        labelled = sum(len(segment) for segment in recording.segments)
        unlabelled += (len(recording.samples) - labelled) / recording.rate_hz
        for segment in recording.segments:
            name = segment.activity
            seconds[name] = seconds.get(name, 0.0) + len(segment) / recording.rate_hz
            people.setdefault(name, set()).add(recording.subject)
    total = sum(recording.duration_s for recording in dataset.recordings)

    def row(name: str) -> dict[str, Any]:
        return {
            "name": name,
            "subjects": len(people[name]),
            "minutes": round(seconds[name] / 60, 2),
        }

    activities = [
        {**row(name), "windows": int((windows.y == index).sum())}
        for index, name in enumerate(dataset.activities)
    ]
    return {
        "name": dataset.name,
        "title": dataset.title,
        "subjects": list(dataset.subjects),
        "sessions": len({recording.session for recording in dataset.recordings}),
        "recordings": len(dataset.recordings),
        "samples": sum(len(recording.samples) for recording in dataset.recordings),
        "placement": dataset.placement,
        "rate_hz": dataset.rate_hz,
        "units": dict(dataset.units),
        "minutes": round(total / 60, 2),
        "unlabelled_minutes": round(unlabelled / 60, 2),
        "window": {"length_samples": length, "hop_samples": hop, "count": len(windows)},
        "activities": activities,
        "other_activities": [row(name) for name in seconds if name not in dataset.activities],
        "terms": dataset.terms,
        "citation": dataset.citation,
        "package": dataset.package,
        "version": dataset.version,
        "sha256": dataset.sha256,
        "notes": list(dataset.notes),
        "warnings": _warnings(activities, seconds, length, dataset.rate_hz),
    }


def swing_kept(dataset: Dataset, rate_hz: float) -> list[dict[str, Any]]:
    """What a model at ``rate_hz`` is given of the motion: by activity, the root mean square of
    acceleration and angular rate about their mean over a second, before and after `resample`, and
    the share of the energy that is left."""
    brought = [resample(recording, rate_hz) for recording in dataset.recordings]
    rows = []
    for name in dataset.activities:
        before, after = (_energy(side, name) for side in (dataset.recordings, brought))
        row: dict[str, Any] = {"name": name}
        for number, sensor in enumerate(("accel_g", "gyro_rad_s")):
            row[f"{sensor}_before"] = round(float(np.sqrt(before[number])), 5)
            row[f"{sensor}_after"] = round(float(np.sqrt(after[number])), 5)
            kept = after[number] / before[number] if before[number] else 1.0
            row[f"{sensor}_kept"] = round(float(kept), 4)
        rows.append(row)
    return rows


def _energy(recordings: Sequence[Recording], activity: str) -> tuple[float, float]:
    """Mean squares of acceleration and of angular rate about their mean over each second."""
    sums, count = np.zeros(2), 0
    for recording in recordings:
        second = round(recording.rate_hz)
        for segment in recording.segments:
            whole = len(segment) // second * second
            if segment.activity != activity or not whole:
                continue
            x = recording.samples[segment.start : segment.start + whole].astype(np.float64)
            x = x.reshape(-1, second, 6)
            squares = np.square(x - x.mean(axis=1, keepdims=True)).sum(axis=(0, 1))
            sums += squares[:3].sum(), squares[3:].sum()
            count += whole
    mean = sums / max(count, 1)
    return float(mean[0]), float(mean[1])


def _warnings(
    activities: list[dict[str, Any]], seconds: dict[str, float], length: int, rate_hz: float
) -> list[str]:
    """A single activity, and activities that were recorded and give no window."""
    single = [f"only one activity, {activities[0]['name']}"] if len(activities) == 1 else []
    empty = [row["name"] for row in activities if not row["windows"] and seconds[row["name"]] > 0]
    if not empty:
        return single
    shortest = f"{length} samples ({length / rate_hz:.3g} s) at a stretch"
    if not any(row["windows"] for row in activities):
        return [*single, f"0 windows: nothing was done for {shortest}; record longer"]
    return [*single, f"0 windows of {', '.join(empty)}: never done for {shortest}"]

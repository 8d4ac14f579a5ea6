"""A data set in numbers, as one JSON-able document."""

from __future__ import annotations

from typing import Any

from pipeline.data.recording import Dataset
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

"""What is wrong with recordings before anything is trained on them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from pipeline.bundle import Bundle
from pipeline.data import Recording, Windows, make_windows, worn_elsewhere
from pipeline.data.imports import read_files
from pipeline.data.resampling import resample

MOST_DOUBTFUL = 10


class CheckedFile(BaseModel):
    """A file that can be read: who, at which rate, how long, its gaps and minutes by activity."""

    file: str
    subjects: list[str]
    rate_hz: float
    samples: int
    minutes: float
    unlabelled_minutes: float
    gaps: int
    activities: dict[str, float]


class DoubtfulWindow(BaseModel):
    """A window that the factory model takes for another activity than its label says."""

    file: str
    subject: str
    start_s: float
    stop_s: float
    label: str
    predicted: str
    probability: float  # of the label


class DataCheck(BaseModel):
    """What `har data check` found. ``errors`` are files that are refused, ``warnings`` what their
    owner should know; ``compared`` windows were held against the factory model."""

    path: str
    files: list[CheckedFile]
    errors: list[str]
    warnings: list[str]
    compared: int
    agreeing: int
    doubtful: list[DoubtfulWindow]

    @property
    def wrong(self) -> bool:
        return bool(self.errors or self.warnings)


def check_recordings(
    path: Path, bundle: Bundle | None
) -> tuple[DataCheck, list[tuple[str, list[Recording]]]]:
    """Reads every file at ``path``, also where one is refused, and holds labelled windows against
    the factory model of ``bundle``, and where they were worn against where its people wore it.

    Returns what was found, and each file's recordings.

    Raises:
        InputError: nothing there.
    """
    reading, errors = read_files(path)
    files = [
        (name, list(pieces))
        for name, pieces in itertools.groupby(reading.recordings, lambda each: each.source)
    ]
    compared, agreeing, doubtful = _doubtful(reading.recordings, bundle) if bundle else (0, 0, [])
    found = DataCheck(
        path=str(path),
        files=[_checked(name, pieces) for name, pieces in files],
        errors=errors,
        warnings=[*reading.warnings, *_elsewhere(path, reading.recordings, bundle)],
        compared=compared,
        agreeing=agreeing,
        doubtful=doubtful,
    )
    return found, files


def _elsewhere(path: Path, recordings: Sequence[Recording], bundle: Bundle | None) -> list[str]:
    """A line where something was worn elsewhere than what the model learned from."""
    if bundle is None or not bundle.placement:
        return []
    line = worn_elsewhere(path, recordings, bundle.provenance.dataset, bundle.placement)
    remedy = "choose the other bundle, or `har train --placement any`"
    return [f"{line}; a model learns one placement: {remedy}"] if line else []


def _checked(name: str, pieces: Sequence[Recording]) -> CheckedFile:
    minutes: dict[str, float] = {}
    for piece in pieces:
        for segment in piece.segments:
            minutes[segment.activity] = minutes.get(segment.activity, 0.0) + len(segment) / (
                60 * piece.rate_hz
            )
    whole = sum(piece.duration_s for piece in pieces) / 60
    return CheckedFile(
        file=name,
        subjects=sorted({piece.subject for piece in pieces}),
        rate_hz=pieces[0].rate_hz,
        samples=sum(len(piece.samples) for piece in pieces),
        minutes=round(whole, 3),
        unlabelled_minutes=round(whole - sum(minutes.values()), 3),
        gaps=len(pieces) - 1,
        activities={activity: round(each, 3) for activity, each in minutes.items()},
    )


def _doubtful(
    recordings: Sequence[Recording], bundle: Bundle
) -> tuple[int, int, list[DoubtfulWindow]]:
    """How many windows of the model's activities there are, how many it takes for what their label
    says, and the others, the least probable label first."""
    rate_hz = bundle.rate_hz
    even = [resample(each, rate_hz) for each in recordings]
    windows = make_windows(even, bundle.activities, bundle.window_samples, bundle.hop_samples)
    if not len(windows):
        return 0, 0, []
    probabilities = bundle.new_head().predict(bundle.at_cut(windows.x))
    predicted = probabilities.argmax(axis=1)
    of_label = probabilities[np.arange(len(windows)), windows.y]
    wrong = np.flatnonzero(predicted != windows.y)
    order = wrong[np.argsort(of_label[wrong], kind="stable")][:MOST_DOUBTFUL]
    begins = _begins(even)
    rows = [
        _row(windows, int(at), begins, even, predicted, float(of_label[at]), bundle) for at in order
    ]
    return len(windows), int((predicted == windows.y).sum()), rows


def _row(
    windows: Windows,
    at: int,
    begins: Sequence[float],
    recordings: Sequence[Recording],
    predicted: Any,
    probability: float,
    bundle: Bundle,
) -> DoubtfulWindow:
    number = int(windows.recording[at])
    start_s = begins[number] + float(windows.start[at]) / bundle.rate_hz
    return DoubtfulWindow(
        file=recordings[number].source,
        subject=recordings[number].subject,
        start_s=round(start_s, 2),
        stop_s=round(start_s + bundle.window_samples / bundle.rate_hz, 2),
        label=windows.activities[int(windows.y[at])],
        predicted=bundle.activities[int(predicted[at])],
        probability=round(probability, 4),
    )


def _begins(recordings: Sequence[Recording]) -> list[float]:
    """When each piece begins in its file, in seconds of samples: gaps take no time."""
    begins, file, at = [], "", 0.0
    for each in recordings:
        if each.source != file:
            file, at = each.source, 0.0
        begins.append(at)
        at += each.duration_s
    return begins

"""Accuracy, macro-F1, confusion and calibration, and the subjects for whom it works least well."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.core.types import Array

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Scores:
    """Figures of one evaluation. ``confusion[i, j]`` counts windows of activity i called j.

    Accuracies and windows by subject, and by session where sessions were given.
    """

    n: int
    accuracy: float
    macro_f1: float
    subject_accuracy: dict[str, float]
    subject_windows: dict[str, int]
    confusion: Array
    session_accuracy: dict[str, float] = field(default_factory=dict)
    session_windows: dict[str, int] = field(default_factory=dict)

    @property
    def worst_subject(self) -> str:
        """The subject with the lowest accuracy; the first by name among equals."""
        return worst_of(self.subject_accuracy)

    @property
    def worst_subject_accuracy(self) -> float:
        """That subject's accuracy."""
        return self.subject_accuracy[self.worst_subject]

    @property
    def worst_quarter_accuracy(self) -> float:
        """Mean of the accuracies of the worst quarter of the subjects, their number rounded up;
        each subject counts once."""
        return worst_quarter(self.subject_accuracy.values())


def mean_by_name(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean over ``values``, e.g. one a seed, of each name."""
    return {name: float(np.mean([each[name] for each in values])) for name in values[0]}


def worst_of(accuracies: Mapping[str, float]) -> str:
    """The name with the lowest accuracy; the first by name among equals."""
    return min(sorted(accuracies), key=lambda name: accuracies[name])


def worst_quarter(accuracies: Iterable[float]) -> float:
    """The mean of the lowest quarter, their number rounded up."""
    ranked = sorted(accuracies)
    return float(np.mean(ranked[: math.ceil(len(ranked) / 4)]))


def score(
    truth: Array,
    predicted: Array,
    subjects: Array,
    activities: int,
    sessions: Array | None = None,
) -> Scores:
    """Scores of predictions (N,) against truth (N,), by subject (N,) and session (N,).

    Macro-F1 is the mean of 2 TP / (2 TP + FP + FN) over the activities that occur in the truth: one
    that no window has cannot be judged, and a window taken for it is a miss of its own activity
    already. Raises ValueError when N is 0.
    """
    if len(truth) == 0:
        raise ValueError("nothing to score")
    confusion = np.zeros((activities, activities), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    hits = np.diag(confusion)
    there = confusion.sum(1) > 0
    f1 = 2.0 * hits[there] / (confusion.sum(0) + confusion.sum(1))[there]
    right = truth == predicted
    subject_accuracy, subject_windows = _by_group(right, subjects)
    session_accuracy, session_windows = _by_group(right, sessions)
    return Scores(
        n=len(truth),
        accuracy=float(right.mean()),
        macro_f1=float(f1.mean()),
        subject_accuracy=subject_accuracy,
        subject_windows=subject_windows,
        confusion=confusion,
        session_accuracy=session_accuracy,
        session_windows=session_windows,
    )


def _by_group(right: Array, groups: Array | None) -> tuple[dict[str, float], dict[str, int]]:
    if groups is None:
        return {}, {}
    names = sorted(set(groups.tolist()))
    return (
        {str(name): float(right[groups == name].mean()) for name in names},
        {str(name): int((groups == name).sum()) for name in names},
    )


def majority_of_errors(confusion: Array, activities: Sequence[str]) -> tuple[str, float] | None:
    """The two activities that are most often taken for each other, either way, as
    ``"sitting/standing"`` in the order of ``activities``, with their share (0 to 1) of all errors;
    the first pair among equals. None when nothing is wrong."""
    either = np.triu(confusion + confusion.T, 1)
    errors = int(either.sum())
    if errors == 0:
        return None
    i, j = divmod(int(either.argmax()), len(either))
    return f"{activities[i]}/{activities[j]}", float(either[i, j]) / errors


@dataclass(frozen=True)
class Reliability:
    """How often the network is right when it is so sure: one entry a bin, equal in width over
    0..1. ``windows`` that fell in, their mean ``confidence`` (the largest probability) and their
    ``accuracy``; both are 0 in an empty bin."""

    windows: list[int]
    confidence: list[float]
    accuracy: list[float]

    @property
    def calibration_error(self) -> float:
        """Expected calibration error (Guo et al. 2017): the mean over windows of the distance
        between accuracy and confidence of their bin."""
        gaps = np.abs(np.subtract(self.accuracy, self.confidence))
        return float((gaps * self.windows).sum() / sum(self.windows))


def reliability(probabilities: Array, truth: Array, bins: int = CALIBRATION_BINS) -> Reliability:
    """Reliability of probabilities (N, K) against truth (N,). A confidence on the border of two
    bins counts in the lower one. Raises ValueError when N is 0."""
    if len(truth) == 0:
        raise ValueError("nothing to score")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == truth
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    windows = np.bincount(place, minlength=bins)
    share = np.maximum(windows, 1)
    return Reliability(
        windows=[int(count) for count in windows],
        confidence=[float(v) for v in np.bincount(place, confidence, bins) / share],
        accuracy=[float(v) for v in np.bincount(place, right, bins) / share],
    )

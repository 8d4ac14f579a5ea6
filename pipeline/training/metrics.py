"""Accuracy, macro-F1, confusion, and the worst subject beside the mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Figures of one evaluation. ``confusion[i, j]`` counts windows of activity i called j."""

    n: int
    accuracy: float
    macro_f1: float
    subject_accuracy: dict[str, float]
    subject_windows: dict[str, int]
    confusion: np.ndarray[Any, Any]

    @property
    def worst_subject(self) -> str:
        """The subject with the lowest accuracy; the first by name among equals."""
        return min(sorted(self.subject_accuracy), key=lambda name: self.subject_accuracy[name])


def score(
    truth: np.ndarray[Any, Any],
    predicted: np.ndarray[Any, Any],
    subjects: np.ndarray[Any, Any],
    activities: int,
) -> Scores:
    """Scores of predictions (N,) against truth (N,), by subject (N,).

    Macro-F1 is the mean over the activities that occur in truth or prediction of
    2 TP / (2 TP + FP + FN). Raises ValueError when N is 0.
    """
    if len(truth) == 0:
        raise ValueError("nothing to score")
    confusion = np.zeros((activities, activities), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    hits = np.diag(confusion)
    occurrences = confusion.sum(0) + confusion.sum(1)
    f1 = 2.0 * hits[occurrences > 0] / occurrences[occurrences > 0]
    right = truth == predicted
    names = sorted(set(subjects.tolist()))
    return Scores(
        n=len(truth),
        accuracy=float(right.mean()),
        macro_f1=float(f1.mean()),
        subject_accuracy={str(name): float(right[subjects == name].mean()) for name in names},
        subject_windows={str(name): int((subjects == name).sum()) for name in names},
        confusion=confusion,
    )

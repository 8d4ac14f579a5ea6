"""Measurements -> the figures of a split, as evaluate.json has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.experiments.evaluate.measure import Measurement, recordings_report
from pipeline.experiments.evaluate.report import (
    ENGINES,
    Figures,
    ReliabilityReport,
    RunReport,
    SeedReport,
    SplitReport,
)
from pipeline.report.fields import SubjectScore
from pipeline.training.metrics import (
    Scores,
    majority_of_errors,
    mean_by_name,
    reliability,
    score,
    worst_of,
)


def split_report(
    scheme: str,
    activities: Sequence[str],
    measured: Sequence[Measurement],
    *,
    hop_s: float,
    unseen: str | None = None,
) -> SplitReport:
    """All folds and seeds of one scheme. Of each seed the folds' windows count as one set; figures
    are then means over seeds. ``hop_s``: from one window to the next, seconds; ``unseen``: the data
    set that the measurements' unseen windows are of."""
    seeds = sorted({each.seed for each in measured})
    scores: dict[str, list[Scores]] = {engine: [] for engine in ENGINES}
    per_seed = []
    for seed in seeds:
        folds = [each for each in measured if each.seed == seed]
        truth = np.concatenate([each.truth for each in folds])
        subjects = np.concatenate([each.subjects for each in folds])
        sessions = np.concatenate([each.sessions for each in folds])
        said = {
            engine: np.concatenate([each.probabilities[engine] for each in folds])
            for engine in ENGINES
        }
        figures = {}
        for engine in ENGINES:
            found = score(truth, said[engine].argmax(axis=1), subjects, len(activities), sessions)
            scores[engine].append(found)
            figures[engine] = _figures([found])
        per_seed.append(
            SeedReport(
                seed=seed,
                n_test=len(truth),
                calibration_error=_rounded(reliability(said["int8"], truth).calibration_error),
                **figures,
            )
        )
    confusion = np.sum([each.confusion for each in scores["int8"]], axis=0)
    errors = majority_of_errors(confusion, activities)
    together = reliability(
        np.concatenate([each.probabilities["int8"] for each in measured]),
        np.concatenate([each.truth for each in measured]),
    )
    return SplitReport(
        name=scheme,
        seeds=seeds,
        n_test=per_seed[0].n_test,
        calibration_error=_rounded(np.mean([each.calibration_error for each in per_seed])),
        majority_of_errors=errors[0] if errors else None,
        majority_of_errors_share=_rounded(errors[1] if errors else 0.0),
        compiled_mismatches=sum(each.mismatches for each in measured),
        per_seed=per_seed,
        per_subject=_groups(
            [each.subject_accuracy for each in scores["int8"]], scores["int8"][0].subject_windows
        ),
        per_session=_groups(
            [each.session_accuracy for each in scores["int8"]], scores["int8"][0].session_windows
        ),
        confusion=confusion.tolist(),
        reliability=ReliabilityReport(
            windows=together.windows,
            confidence=[_rounded(value) for value in together.confidence],
            accuracy=[_rounded(value) for value in together.accuracy],
        ),
        recordings=recordings_report([each.followed for each in measured], hop_s, unseen),
        runs=[
            RunReport(
                split=each.split.name,
                seed=each.seed,
                model_id=each.model_id,
                weights=each.weights,
                pretrain_subjects=list(each.split.pretrain),
                train_subjects=list(each.split.train),
                validation_subjects=list(each.split.validation),
                test_subjects=list(each.split.test),
            )
            for each in measured
        ],
        **{engine: _figures(scores[engine]) for engine in ENGINES},
    )


def _figures(scores: Sequence[Scores]) -> Figures:
    """Means over seeds. The worst subject is the one of the mean over seeds."""
    means = mean_by_name([each.subject_accuracy for each in scores])
    return Figures(
        accuracy=_rounded(np.mean([each.accuracy for each in scores])),
        macro_f1=_rounded(np.mean([each.macro_f1 for each in scores])),
        worst_subject=_rounded(np.mean([each.worst_subject_accuracy for each in scores])),
        worst_subject_name=worst_of(means),
        worst_quarter=_rounded(np.mean([each.worst_quarter_accuracy for each in scores])),
    )


def _groups(
    accuracies: Sequence[dict[str, float]], windows: dict[str, int]
) -> dict[str, SubjectScore]:
    return {
        name: SubjectScore(accuracy=_rounded(mean), windows=windows[name])
        for name, mean in mean_by_name(accuracies).items()
    }


def _rounded(value: Any) -> float:
    return round(float(value), 6)

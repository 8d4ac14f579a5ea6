from __future__ import annotations

import numpy as np
import pytest

from pipeline.data import SubjectSplit
from pipeline.experiments.evaluate.measure import KNOWN, Followed, Measurement
from pipeline.experiments.evaluate.report import SplitReport
from pipeline.experiments.evaluate.run import split_report as _split_report

ACTIVITIES = ("a", "b", "c")


def split_report(scheme: str, activities: tuple[str, ...], measured: list) -> SplitReport:
    return _split_report(scheme, activities, measured, hop_s=1.28)


def _measurement(
    subjects: list[str], truth: list[int], said: list[int], seed: int, **changes: object
) -> Measurement:
    sure = np.full((len(said), 3), 0.1, np.float32)
    sure[np.arange(len(said)), said] = 0.8
    split = SubjectSplit("5-fold/0", ("t",), ("t",), ("v",), tuple(sorted(set(subjects))))
    fields: dict[str, object] = {
        "split": split,
        "seed": seed,
        "model_id": "0" * 16,
        "weights": "shipped",
        "truth": np.array(truth),
        "subjects": np.array(subjects),
        "sessions": np.array([f"{name}/1" for name in subjects]),
        "probabilities": dict.fromkeys(("float", "int8", "compiled"), sure),
        "mismatches": 0,
        "followed": Followed(
            kind=np.full(len(said), KNOWN),
            truth=np.array(truth),
            said=np.array(said),
            smoothed=np.array(said),
            unknown=np.zeros(len(said), bool),
            session=np.array([f"{name}/1" for name in subjects]),
            place=np.zeros(len(said), int),
            now=np.full(len(said), -1),
            begun=np.full(len(said), -1),
            since=np.full(len(said), np.nan),
        ),
    }
    return Measurement(**{**fields, **changes})  # type: ignore[arg-type]


def test_folds_count_as_one_set_of_windows() -> None:
    one = _measurement(["p"] * 4, [0, 0, 1, 1], [0, 0, 1, 0], 0)
    two = _measurement(["q"] * 2, [2, 2], [2, 1], 0)
    report = split_report("5-fold", ACTIVITIES, [one, two])
    assert (report.name, report.seeds, report.n_test) == ("5-fold", [0], 6)
    assert report.int8.accuracy == pytest.approx(4 / 6, abs=1e-6)
    assert (report.int8.worst_subject, report.int8.worst_subject_name) == (0.5, "q")
    assert report.confusion == [[2, 0, 0], [1, 1, 0], [0, 1, 1]]
    assert report.per_subject["p"].accuracy == 0.75 and report.per_subject["p"].windows == 4
    assert report.per_session["q/1"].windows == 2
    assert [run.test_subjects for run in report.runs] == [["p"], ["q"]]
    assert report.majority_of_errors == "a/b" and report.majority_of_errors_share == 0.5


def test_seeds_are_averaged_and_their_windows_counted_once() -> None:
    right = _measurement(["p", "q"], [0, 1], [0, 1], 0)
    wrong = _measurement(["p", "q"], [0, 1], [0, 2], 1)
    report = split_report("official", ACTIVITIES, [right, wrong])
    assert (report.seeds, report.n_test) == ([0, 1], 2)
    assert report.int8.accuracy == 0.75
    assert report.int8.worst_subject == 0.5 and report.int8.worst_subject_name == "q"
    assert [each.int8.accuracy for each in report.per_seed] == [1.0, 0.5]
    assert report.per_subject["q"].accuracy == 0.5 and report.per_subject["q"].windows == 1
    assert sum(map(sum, report.confusion)) == sum(report.reliability.windows) == 4
    # Sure by 0.8: right always, then half the time.
    assert [each.calibration_error for each in report.per_seed] == pytest.approx([0.2, 0.3])
    assert report.calibration_error == pytest.approx(0.25)


def test_engines_are_kept_apart_and_mismatches_added_up() -> None:
    said = _measurement(["p", "q"], [0, 1], [0, 2], 0)
    other = np.eye(3, dtype=np.float32)[[0, 1]]
    both = [
        _measurement(
            ["p", "q"],
            [0, 1],
            [0, 2],
            seed,
            probabilities={**said.probabilities, "float": other},
            mismatches=2,
        )
        for seed in (0, 1)
    ]
    report = split_report("official", ACTIVITIES, both)
    figures = dict(report.by_name())
    assert figures["float"].accuracy == 1.0
    assert figures["int8"] == figures["compiled"] and figures["int8"].accuracy == 0.5
    assert report.compiled_mismatches == 4


def test_nothing_wrong_has_no_majority_of_errors() -> None:
    report = split_report("official", ACTIVITIES, [_measurement(["p"], [0], [0], 0)])
    assert report.majority_of_errors is None and report.majority_of_errors_share == 0.0

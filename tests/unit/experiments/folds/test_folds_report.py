"""What the folds of a shipped network come to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import InputError
from pipeline.experiments.folds import (
    FoldsReport,
    folds_document,
    folds_tables,
    read_folds,
    write_folds,
)
from pipeline.experiments.folds.report import report_of
from pipeline.experiments.jobs import Finished
from pipeline.training.corpora import WAIST, WRIST

NAMED = ["walking", "sitting", "lying", "running"]
SHIPPED = ["walking", "resting", "running"]


def judged(names: list[str], people: dict[str, int]) -> dict[str, Any]:
    """Ten windows of each activity; of the first, ``people`` says how many are called the last."""
    confusion = {}
    for person, wrong in people.items():
        counts = [
            [10 * (row == column) for column in range(len(names))] for row in range(len(names))
        ]
        counts[0][0] -= wrong
        counts[0][-1] += wrong
        confusion[person] = counts
    return {
        "activities": names,
        "parameters": 40_000,
        "macs": 700_000,
        "float_accuracy": dict.fromkeys(people, 0.9),
        "confusion": confusion,
    }


def label(person: str, k: int, *, taught: bool, recall: dict[str, float]) -> dict[str, Any]:
    return {
        "scene": "same",
        "taught": taught,
        "k": k,
        "subject": person,
        "session": f"{person}/right_arm",
        "windows": 40,
        "before": 0.5,
        "after": 0.8,
        "serves": True,
        "recall": recall,
    }


def wrist_fold(fold: int, seed: int, wrong: int) -> Finished:
    person = f"p{fold + 1}"
    return Finished(
        {"corpus": "wrist", "fold": fold, "seed": seed},
        {
            "judged": {
                "all": judged(NAMED, {person: wrong}),
                "shipped": judged(SHIPPED, {person: 0}),
            },
            "labels": [label(person, 1, taught=True, recall={"3": 0.5, "4": 0.9})],
        },
        60.0,
    )


@pytest.fixture
def wrist() -> FoldsReport:
    folds = [wrist_fold(0, 0, 2), wrist_fold(1, 0, 6), wrist_fold(0, 1, 0)]
    return report_of(WRIST, folds, "har bundles measure wrist")


def test_people_count_once_and_windows_once_each(wrist: FoldsReport) -> None:
    first = wrist.summaries[0]
    assert (first.kind, first.seed, first.people, first.windows) == ("all", 0, 2, 80)
    assert first.accuracy == first.mean_of_people == pytest.approx(0.9)
    assert (first.worst_person, first.worst_accuracy) == ("p2", 0.85)
    assert first.recall["walking"] == pytest.approx(0.6)
    assert first.least_recall["walking"] == pytest.approx(0.4)
    assert [s.accuracy for s in wrist.summaries if s.kind == "all"] == [0.9, 1.0]


def test_a_bundle_s_metrics_are_those_of_seed_0(wrist: FoldsReport) -> None:
    metrics = wrist.metrics("all")
    assert metrics.test_windows == 80 and metrics.int8_accuracy == pytest.approx(0.9)
    assert metrics.subject_accuracy == {"p1": 0.95, "p2": 0.85}
    assert 0.85 < metrics.int8_macro_f1 < 0.9
    assert wrist.metrics("shipped").int8_accuracy == 1.0


def test_taught_rows_have_the_names_that_were_merged(wrist: FoldsReport) -> None:
    assert wrist.labels[0].recall == {"lying": 0.5, "sitting": 0.9}
    assert wrist.labels[0].users == 3


def test_claims_hold_exactly_where_their_bound_is_reached(wrist: FoldsReport) -> None:
    claims = {each["claim"]: each["holds"] for each in folds_document(wrist)["claims"]}
    assert claims == {
        "4 activities of dsads-arms, all folds": False,  # 90 % of seed 0, at least 90.5
        "4 activities of dsads-arms, worst person": True,  # 85 %, at least 85
        "walking of dsads-arms, mean of people": False,  # 60 %, at least 90
        "running of dsads-arms, mean of people": True,
        "resting, mean of people": True,
        "sitting after one label of each activity": False,  # 90 %, at least 93
    }


def test_windows_called_what_their_data_set_has_not_are_counted() -> None:
    names = [*WAIST.parts[0].activities, "running"]
    found = {"all": judged(names, {"hapt/subject02": 1, "dsads-torso/p1": 0})}
    finished = Finished(
        {"corpus": "waist", "fold": 0, "seed": 0}, {"judged": found, "labels": []}, 1
    )
    report = report_of(WAIST, [finished], "har bundles measure waist")
    hapt, chest = report.summaries
    assert hapt.called_foreign == pytest.approx(11 / 70)  # running itself is none of HAPT's
    assert chest.called_foreign == pytest.approx(5 / 7, abs=0.01)
    claims = {each["claim"]: each["holds"] for each in folds_document(report)["claims"]}
    assert claims["windows of hapt called what it has not"] is False


def test_the_file_comes_back_as_it_was_written(wrist: FoldsReport, tmp_path: Path) -> None:
    path = write_folds(wrist, tmp_path / "wrist")
    assert read_folds(tmp_path / "wrist") == wrist
    assert [table.title for table in folds_tables(wrist)] == [
        "The recipe of wrist, accuracy in %",
        "A new person's labels, accuracy in %",
    ]
    document = json.loads(path.read_text())
    del document["rows"]
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="har bundles measure"):
        read_folds(tmp_path / "wrist")
    with pytest.raises(InputError, match="no such file; run `har bundles measure nobody`"):
        read_folds(tmp_path / "nobody")

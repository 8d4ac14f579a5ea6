"""What is refused before anything is trained, what the jobs are, and what the report is made of."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.experiments.fxcy import domains, run
from pipeline.experiments.fxcy.domains import Domain, Examples
from pipeline.experiments.fxcy.jobs import Options
from pipeline.experiments.fxcy.learn import cases_of
from pipeline.experiments.fxcy.rows import FxcyReport
from pipeline.experiments.fxcy.run import Plan, Request, fxcy, make_plan
from pipeline.experiments.fxcy.settings import (
    DEFAULT_BACKBONES,
    cases_by_depth,
    default_cases,
    preset,
)
from pipeline.experiments.jobs import Workers
from pipeline.training import shipped


def _domain(name: str, people: str, rate_hz: float = 50.0) -> Domain:
    subjects = np.array([f"{people}{number}" for number in range(6)])
    sides = [
        Examples(np.zeros((3, 128, 6), np.float32), np.array([0, 1, 0]), subjects[at])
        for at in (slice(0, 3), slice(3, 6))
    ]
    return Domain(name, "sensor", ("walking", "running"), rate_hz, "official", *sides)


DOMAINS = {
    "hapt": _domain("hapt", "subject"),
    "watch": _domain("watch", "wearer"),
    "slow": _domain("slow", "walker", 25.0),
}


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "load_domain", lambda name, **_: DOMAINS[name])
    monkeypatch.setattr(domains, "domain_kind", lambda n: "image" if "digits" in n else "sensor")
    monkeypatch.setattr(run, "check_case", lambda *_: None)


def _request(tmp_path: Path, **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "options": Options(tmp_path, quick=True),
    }
    return Request(**(fields | changes))


def test_the_quick_jobs_are_few_and_their_sources_come_first(tmp_path: Path) -> None:
    plan = make_plan(_request(tmp_path))
    kinds = [job["kind"] for job in plan.jobs]
    assert kinds[:2] == ["source", "source"] and "source" not in kinds[2:]
    assert kinds.count("case") == 2 * 3 * 2
    devices = [job for job in plan.jobs if job["kind"] == "device"]
    assert {(job["backbone"], job["case"]) for job in devices} == {
        ("dscnn", "fc"),
        ("dscnn", "fxc1"),
    }
    assert 10 < plan.seconds(1) < 600


def test_the_full_run_is_reckoned_to_end_within_three_hours_on_two_cores(tmp_path: Path) -> None:
    plan = make_plan(_request(tmp_path, options=Options(tmp_path)))
    assert len(plan.pairs) == 2 and plan.seeds == 3
    assert 3600 < plan.seconds(2) < 3 * 3600


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pairs": (("hapt", "hapt"),)}, "source and target are the same"),
        ({"pairs": (("hapt", "slow"),)}, "50 Hz and 25 Hz"),
        ({"backbones": ("nonsense",)}, "nonsense"),
        ({"backbones": ("dscnn", "dscnn")}, "named twice"),
        ({"cases": ("fc", "fc")}, "named twice"),
        ({"pairs": (("hapt", "watch"), ("hapt", "watch"))}, "named twice"),
    ],
)
def test_a_bad_request_gets_one_line(tmp_path: Path, changes: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as refused:
        make_plan(_request(tmp_path, **changes))
    assert "\n" not in str(refused.value)


def test_what_the_names_alone_refuse_is_refused_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`har fxcy --pair hapt:hapt` once downloaded HAPT to say that."""
    monkeypatch.setattr("pipeline.experiments.fxcy.run.load_domain", lambda name: pytest.fail(name))
    for changes in (
        {"pairs": (("hapt", "hapt"),)},
        {"pairs": (("hapt", "digits_low"),)},
        {"pairs": (("digits_low", "digits_high"),)},
    ):
        with pytest.raises(InputError):
            make_plan(_request(tmp_path, **changes))


def test_people_of_the_source_who_test_in_the_target_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domains, "identities", lambda *_: {"the same person"})
    with pytest.raises(InputError, match="the same person"):
        make_plan(_request(tmp_path))


def _result(job: dict[str, Any]) -> dict[str, Any]:
    """As a job gives it, but made up: a deeper case is better, and sooner."""
    if job["kind"] == "source":
        return {"accuracy": 0.9, "weights": "made up"}
    depth = ("fc", "fxc1", "whole").index(job["case"])
    accuracy = 0.6 + 0.1 * depth + 0.01 * job["seed"]
    people = {"wearer3": accuracy, "wearer4": accuracy - 0.1}
    if job["kind"] == "device":
        found = {"accuracy": accuracy, "macro_f1": accuracy, "subject_accuracy": people}
        return {**found, "tensorflow": found, "kept_windows": 3, "kept_bytes": 5000}
    return {
        "accuracy": accuracy,
        "loss": 1.0,
        "macro_f1": accuracy,
        "subjects": people,
        "accuracy_curve": [accuracy - 0.15, accuracy - 0.05, accuracy],
        "loss_curve": [2.0, 1.5, 1.0],
        "energy_nj": 1.0 + depth,
        "training_energy_nj": 10.0 + depth,
        "trained_layers": 3 * depth,
        "trainable_parameters": 100,
        "device_bytes": 1000,
        "board_learns": depth < 2,
        "train_windows": 3,
        "test_windows": 3,
    }


def _report(plan: Plan) -> FxcyReport:
    with Workers(None) as workers:
        return fxcy(plan, workers)


def _made_up(_: Options, job: dict[str, Any]) -> dict[str, Any]:
    return _result(job)


def test_the_report_has_a_row_for_each_case_in_the_order_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "run_job", _made_up)
    report = _report(make_plan(_request(tmp_path, command="har fxcy --quick")))
    assert [(row.backbone, row.case) for row in report.rows] == [
        (name, case) for name in ("smallcnn", "dscnn") for case in ("fc", "fxc1", "whole")
    ]
    fc, fxc1, whole = report.rows[:3]
    assert (
        fc.accuracies == [0.6, 0.61]
        and fc.accuracy == 0.605
        and fc.sd == pytest.approx(0.00707, abs=1e-5)
    )
    assert (fc.faster_percent, fc.epochs_to_fc) == (0.0, 3.0)
    assert fxc1.faster_percent == pytest.approx(100 / 3, abs=1e-3)
    assert whole.faster_percent == pytest.approx(200 / 3, abs=1e-3)
    assert whole.worst_subject == "wearer4"
    assert [row.case for row in report.device_rows] == ["fc", "fxc1"]
    assert report.pairs[0].source_accuracy == {"smallcnn": 0.9, "dscnn": 0.9}
    assert report.pairs[0].test_people == 3


def test_a_second_run_does_nothing_again_and_other_settings_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "run_job", _made_up)
    first = _report(make_plan(_request(tmp_path)))

    def fail(*_: Any) -> dict[str, Any]:
        raise AssertionError("done before")

    monkeypatch.setattr(run, "run_job", fail)
    assert _report(make_plan(_request(tmp_path))).rows == first.rows
    with pytest.raises(ExternalError, match="done before"):
        _report(make_plan(_request(tmp_path, options=Options(tmp_path, quick=True, epochs=9))))
    monkeypatch.setitem(shipped._IMAGE_TRAINING, "smallcnn", (8, 64, 1e-3, 0.3))
    with pytest.raises(ExternalError, match="done before"):
        _report(make_plan(_request(tmp_path)))


def test_data_imported_anew_under_the_same_name_are_learned_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "run_job", _made_up)
    first = _report(make_plan(_request(tmp_path)))
    monkeypatch.setitem(DOMAINS, "watch", replace(DOMAINS["watch"], sha256="5" * 64))
    seen: list[dict[str, Any]] = []

    def other(_: Options, job: dict[str, Any]) -> dict[str, Any]:
        seen.append(job)
        return _result(job) | {"accuracy": 0.25}

    monkeypatch.setattr(run, "run_job", other)
    again = _report(make_plan(_request(tmp_path)))
    assert {job["kind"] for job in seen} == {"case", "device"}, "the source is as it was"
    assert {row.accuracy for row in again.rows} == {0.25}
    assert first.rows[0].accuracy != 0.25


def test_a_case_whose_loss_is_no_number_has_no_row_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverges(_: Options, job: dict[str, Any]) -> dict[str, Any]:
        gone = (job["backbone"], job.get("case"), job.get("seed")) == ("dscnn", "fc", 1)
        return {"refused": "no finite number"} if gone and job["kind"] == "case" else _result(job)

    monkeypatch.setattr(run, "run_job", diverges)
    report = _report(make_plan(_request(tmp_path)))
    assert ("dscnn", "fc") not in [(row.backbone, row.case) for row in report.rows]
    assert [row.epochs_to_fc for row in report.rows if row.backbone == "dscnn"] == [None, None]
    assert "hapt -> watch, dscnn, fc has no row: seed 1: no finite number" in report.notes
    assert [row.case for row in report.device_rows] == ["fc", "fxc1"]


def test_the_time_is_that_of_all_jobs_whenever_they_were_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_: Options, job: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.01)
        return _result(job)

    monkeypatch.setattr(run, "run_job", slow)
    first = _report(make_plan(_request(tmp_path)))
    assert _report(make_plan(_request(tmp_path))).seconds == first.seconds >= 0.1


def test_default_cases_of_a_shape_of_one_s_own_end_with_its_convolutions() -> None:
    assert cases_of("dscnn:k5:8s4-12s2-12s2") == (
        *("fc", "fxc1", "fxc2", "fxc4", "whole", "scratch"),
    )
    assert preset("dscnn_small") == preset("dscnn")


def test_every_default_network_has_settings_and_cases() -> None:
    for name in DEFAULT_BACKBONES:
        cases = default_cases(name)
        assert cases is not None and cases[-2:] == ("whole", "scratch") and "fxc1" in cases
        assert preset(name).learning.epochs >= 5
    assert default_cases("MobileNetV2:0.5@96") == default_cases("mobilenetv2")
    assert default_cases("vgg16") is None
    assert cases_by_depth(13) == ("fc", "fxc1", "fxc2", "fxc4", "fxc8", "whole", "scratch")

"""`har personalize`, the whole: which runs, what is kept, and what comes out."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.core.errors import InputError
from pipeline.data import Dataset
from pipeline.experiments.jobs import Cluster, Workers
from pipeline.experiments.networks import Folders
from pipeline.experiments.personalize.measure import Outcome
from pipeline.experiments.personalize.report import (
    PersonalizeReport,
    personalize_claims,
    personalize_tables,
    write_personalize,
)
from pipeline.experiments.personalize.run import (
    Job,
    Measured,
    PersonalizeRequest,
    jobs_of,
    measure_job,
    personalize,
)
from pipeline.report.tables import print_tables
from pipeline.training.pretrain import PretrainSettings
from pipeline.training.shipped import ExtractorName
from tests.support.synthetic import synthetic_task

MODULE = "pipeline.experiments.personalize.run"


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return synthetic_task(people=5, seconds=14.0).dataset


def _request(tmp_path: Path, **changes: Any) -> PersonalizeRequest:
    folders = Folders(tmp_path / "pretrained", tmp_path / "runs", tmp_path / "shipped")
    return PersonalizeRequest(folders, tmp_path, **changes)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> pytest.MonkeyPatch:
    monkeypatch.setattr(f"{MODULE}.load_dataset", lambda _: dataset)
    return monkeypatch


def _job_outcomes(job: Job, _: Path) -> list[Measured]:
    """Everybody gains a tenth with each cut."""
    scene = "teach" if job.taught else "same"
    return [
        Measured(
            job.taught or job.run.dataset,
            cut,
            job.run.seed,
            [
                Outcome(scene, k, f"{job.run.fold}", 40, 0.0 if job.taught else 0.8, 0.9)
                for k in job.ks
            ],
        )
        for cut in job.cuts
    ]


@pytest.fixture
def report(offline: pytest.MonkeyPatch, tmp_path: Path) -> PersonalizeReport:
    offline.setattr(f"{MODULE}.measure_job", _job_outcomes)
    return personalize(_request(tmp_path, teach=True, seeds=2), Workers(None))


@pytest.mark.usefixtures("offline")
def test_every_fold_and_seed_is_a_run_of_all_cuts(tmp_path: Path) -> None:
    jobs = jobs_of(_request(tmp_path, teach=True, seeds=2))
    same = [job for job in jobs if not job.taught]
    assert {(job.run.dataset, job.run.fold, job.run.seed) for job in same} == {
        (name, fold, seed) for name in ("watch", "hapt") for fold in range(5) for seed in range(2)
    }
    assert {job.ks for job in same} == {(1, 2, 5, 10)}
    taught = [job for job in jobs if job.taught]
    assert [(j.run.dataset, j.run.scheme, j.run.seed, j.taught, j.ks) for j in taught] == [
        ("hapt", "official", seed, "watch", (2, 5, 8)) for seed in range(2)
    ]
    assert {job.cuts for job in jobs} == {("fc", "fxc1", "fxc2")}


@pytest.mark.usefixtures("offline")
def test_quick_is_one_fold_one_cut_and_one_teacher(tmp_path: Path) -> None:
    jobs = jobs_of(_request(tmp_path, quick=True))
    assert [(j.run.dataset, j.run.fold, j.run.seed, j.cuts, j.ks, j.users) for j in jobs] == [
        ("watch", 0, 0, ("fc",), (1, 5), None),
        ("hapt", 0, 0, ("fc",), (1, 5), None),
        ("hapt", 0, 0, ("fc",), (5,), 1),
    ]


def test_the_report_has_a_row_for_every_scene_labels_and_cut(report: PersonalizeReport) -> None:
    keys = [(row.scene, row.dataset, row.k, row.cut) for row in report.rows]
    assert len(keys) == len(set(keys)) == 2 * 4 * 4 + 3 * 3
    row = report.rows[1]
    assert (row.cut, row.users, row.seeds) == ("fc", 5, 2)
    assert (row.before, row.after, row.hurt_share) == (0.8, 0.9, 0.0)
    assert any("0 by construction" in note for note in report.notes)
    assert report.seeds == [0, 1]


def test_the_share_done_only_grows(offline: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offline.setattr(f"{MODULE}.measure_job", _job_outcomes)
    shares: list[float] = []
    request = _request(tmp_path, seeds=1)
    personalize(request, Workers(None), lambda _, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_files_say_the_same_in_json_and_csv(report: PersonalizeReport, tmp_path: Path) -> None:
    write_personalize(report, tmp_path / "out")
    text = (tmp_path / "out" / "personalize.json").read_text()
    assert json.loads(text) == report.document()
    assert {**report.model_dump(mode="json"), **json.loads(text)} == json.loads(text)
    picture = (tmp_path / "out" / "personalize.svg").read_text()
    ElementTree.fromstring(picture)
    for word in ("watch: teach", "fxc2", "labelled windows of each activity"):
        assert word in picture
    rows = (tmp_path / "out" / "personalize.csv").read_text().splitlines()
    assert len(rows) == 1 + len(report.rows) and "same,watch,10,fxc2,5,0,2,0.8,0.9," in "".join(
        rows
    )
    assert not list((tmp_path / "out").glob(".*"))


def test_tables_fit_a_terminal_of_eighty_columns(
    report: PersonalizeReport,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_tables(personalize_tables(report))
    shown = capsys.readouterr().out
    assert "…" not in shown and max(map(len, shown.splitlines())) <= 80
    assert re.search(r"10 +fxc2 +80.0 +90.0 +80.0→90.0", shown)


def test_claims_are_of_cut_fc_with_the_most_labels(report: PersonalizeReport) -> None:
    claims = {each.claim: each for each in personalize_claims(report)}
    gain = claims["watch, same, k = 10: gain, points"]
    assert (gain.measured, gain.n, gain.holds) == ("+10.0", 10, True)
    assert claims["hapt, same, k = 10: users losing > 1 point"].holds
    assert sum("teach, k = 8" in name for name in claims) == 3


def test_an_error_in_a_worker_is_the_users_line(
    offline: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two processes; each fails before any work, and the first says why."""
    folders = Folders(tmp_path / "pretrained", tmp_path / "runs")
    jobs = [Job(ExtractorName("no-such-data"), ("fc",), (1,), folders) for _ in range(2)]
    offline.setattr(f"{MODULE}.jobs_of", lambda _: jobs)
    with (
        pytest.raises(InputError, match="no-such-data"),
        Workers(Cluster(workers=2)) as workers,
    ):
        personalize(_request(tmp_path), workers)


def test_the_command_writes_its_report_and_prints_one_document(
    report: PersonalizeReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.cli.main import app

    asked: list[PersonalizeRequest] = []

    def answer(request: PersonalizeRequest, *_: object) -> PersonalizeReport:
        asked.append(request)
        return report

    monkeypatch.setattr(f"{MODULE}.personalize", answer)
    folder = tmp_path / "here"
    result = CliRunner().invoke(
        app,
        ["personalize", "--dataset", "watch", "--seeds", "1", "--folder", str(folder), "--json"],
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == report.document()
    assert (asked[0].datasets, asked[0].seeds, asked[0].teach) == (("watch",), 1, False)
    assert {path.name for path in folder.iterdir()} == {
        "personalize.json",
        "personalize.csv",
        "personalize.svg",
    }
    assert CliRunner().invoke(app, ["personalize", "--dataset", "other"]).exit_code == 2


@pytest.mark.slow("pretrains and trains")
def test_a_job_from_pretraining_to_outcomes_is_done_once(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real chain on a network of seconds: pretrain, train, quantize, emit, compile, learn."""
    runs = "pipeline.experiments.personalize.run"
    monkeypatch.setattr(f"{runs}.load_dataset", lambda _: dataset)
    monkeypatch.setattr(
        "pipeline.experiments.networks.recipe",
        lambda _, backbone: PretrainSettings(backbone=backbone, epochs=1, batch=16),
    )
    folders = Folders(tmp_path / "pretrained", tmp_path / "runs", tmp_path / "shipped")
    run = ExtractorName("synthetic", "dscnn:k5:8s2-8s2-8s2", "5-fold", 1, 0)
    job = Job(run, ("fc",), (1, 2), folders)
    (first,) = measure_job(job, tmp_path / "worker")
    assert (first.dataset, first.cut, first.seed) == ("synthetic", "fc", 0)
    assert [(each.scene, each.k) for each in first.outcomes] == [("same", 1), ("same", 2)]
    for each in first.outcomes:
        assert 0 <= each.before <= 1
        assert 0 <= each.after <= 1
        assert each.windows >= 20

    def never(*_: object, **__: object) -> None:
        raise AssertionError("this was done before")

    for name in ("LearnerProgram", "build_learner"):
        monkeypatch.setattr(f"{runs}.{name}", never)
    monkeypatch.setattr("pipeline.bundle.quantize.quantize", never)
    monkeypatch.setattr("pipeline.training.train", never)
    assert measure_job(job, tmp_path / "worker")[0] == first
    with pytest.raises(AssertionError, match="done before"):
        measure_job(Job(run, ("fc",), (1, 3), folders), tmp_path / "worker")

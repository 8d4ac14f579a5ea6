from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.data import Dataset, Windows, split_subjects
from pipeline.experiments.evaluate.measure import KNOWN, Followed, Measurement
from pipeline.experiments.evaluate.run import Request, default_bundle, evaluate
from pipeline.experiments.networks import Folders, Prepared
from pipeline.training.shipped import ExtractorName
from pipeline.training.task import Task
from tests.support.synthetic import synthetic_task

MODULE = "pipeline.experiments.evaluate.run"


class Bench:
    """Stands in for everything slow and notes what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dataset: Dataset) -> None:
        self.folders = Folders(tmp_path / "pretrained", tmp_path / "runs", tmp_path / "shipped")
        self.made: list[ExtractorName] = []
        self.measured: list[tuple[Path, str, int]] = []
        self.shown: list[tuple[str, float]] = []
        self.bundle = _bundle(dataset, "5-fold/1", 0)
        monkeypatch.setattr(f"{MODULE}.load_dataset", lambda name: replace(dataset, name=name))
        monkeypatch.setattr(f"{MODULE}.load_bundle", lambda _: self.bundle)
        monkeypatch.setattr(f"{MODULE}.prepare", self._prepare)
        monkeypatch.setattr(f"{MODULE}.measure", self._measure)

    def _prepare(self, run: ExtractorName, _: Task, folders: Folders, __: object) -> Prepared:
        assert folders == self.folders
        self.made.append(run)
        return Prepared(run.path(folders.runs), "trained here")

    def _measure(
        self, directory: Path, task: Task, weights: str, unseen: Windows | None
    ) -> Measurement:
        self.unseen = unseen
        self.measured.append((directory, task.split.name, len(self.measured)))
        test = task.windows.for_subjects(task.split.test)
        said = np.eye(3, dtype=np.float32)[test.y]
        return Measurement(
            split=task.split,
            seed=(self.made[-1].seed if weights == "trained here" else self.bundle.provenance.seed),
            model_id="0" * 16,
            weights=weights,
            truth=test.y,
            subjects=test.subjects,
            sessions=test.sessions,
            probabilities=dict.fromkeys(("float", "int8", "compiled"), said),
            mismatches=0,
            followed=Followed(
                kind=np.full(len(test), KNOWN),
                truth=test.y,
                said=test.y,
                smoothed=test.y,
                unknown=np.zeros(len(test), bool),
                session=test.sessions,
                place=test.recording,
                now=np.full(len(test), -1),
                begun=np.full(len(test), -1),
                since=np.full(len(test), np.nan),
            ),
        )

    def evaluate(self, **changes: object):
        request = Request(folders=self.folders, **changes)  # type: ignore[arg-type]
        return evaluate(request, lambda text, share: self.shown.append((text, share)))


def _bundle(dataset: Dataset, split: str, seed: int, **people: list[str]) -> SimpleNamespace:
    made = {
        "train_subjects": ["person0"],
        "validation_subjects": ["person1"],
        "test_subjects": ["person2"],
        **people,
    }
    return SimpleNamespace(
        model_id="0" * 16,
        parameters=10,
        macs=20,
        activities=list(dataset.activities),
        rate_hz=50.0,
        window_samples=128,
        hop_samples=64,
        answer_every=64,
        provenance=SimpleNamespace(
            bundle="", dataset="watch", backbone="dscnn", split=split, seed=seed, **made
        ),
    )


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path, synthetic_task(people=6, seconds=4.0).dataset)


def test_every_person_of_5_fold_is_tested_once_a_seed(bench: Bench) -> None:
    report = bench.evaluate(dataset="watch", seeds=2)
    assert [split.name for split in report.splits] == ["5-fold"]
    split = report.splits[0]
    assert split.seeds == [0, 1] and len(split.per_subject) == 6
    for seed in (0, 1):
        tested = [person for run in split.runs if run.seed == seed for person in run.test_subjects]
        assert sorted(tested) == [f"person{n}" for n in range(6)]
    assert {(run.scheme, run.fold, run.seed) for run in bench.made} == {
        ("5-fold", fold, seed) for fold in range(5) for seed in (0, 1)
    }
    assert report.document()["splits"][0]["int8"]["accuracy"] == 1.0


def test_progress_only_grows_and_ends_at_one(bench: Bench) -> None:
    bench.evaluate(dataset="watch", schemes=("5-fold", "leave-one-out"))
    shares = [share for _, share in bench.shown]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0
    assert any("run 11 of 11, leave-one-out" in text for text, _ in bench.shown)


def _own_bundle(fold: int, seed: int, scheme: str = "5-fold") -> SimpleNamespace:
    dataset = replace(synthetic_task(people=6, seconds=4.0).dataset, name="watch")
    own = split_subjects(dataset, scheme, fold=fold, seed=seed)
    return _bundle(
        dataset,
        own.name,
        seed,
        train_subjects=list(own.train),
        validation_subjects=list(own.validation),
        test_subjects=list(own.test),
    )


def test_a_given_bundle_is_measured_for_its_own_split_and_never_made(
    bench: Bench, tmp_path: Path
) -> None:
    bench.bundle = _own_bundle(1, 0)
    report = bench.evaluate(bundle=tmp_path / "bundle")
    assert report.dataset == "watch" and report.bundle == str(tmp_path / "bundle")
    assert [run.fold for run in bench.made] == [0, 2, 3, 4]
    assert (tmp_path / "bundle", "5-fold/1", 1) in bench.measured
    assert [run.weights for run in report.splits[0].runs].count("bundle") == 1


def test_the_given_bundle_s_seed_is_always_among_those_asked_for(bench: Bench) -> None:
    bench.bundle = _own_bundle(1, 7)
    bench.evaluate(bundle=Path("b"), seeds=2)
    assert {run.seed for run in bench.made} == {0, 7}


def test_the_given_bundle_s_split_is_measured_where_none_is_asked_for(bench: Bench) -> None:
    bench.bundle = _own_bundle(2, 0, "leave-one-out")
    report = bench.evaluate(bundle=Path("b"))
    assert [split.name for split in report.splits] == ["5-fold", "leave-one-out"]
    assert [run.weights for run in report.splits[1].runs].count("bundle") == 1


def test_a_bundle_of_other_people_is_refused_before_any_work(bench: Bench) -> None:
    with pytest.raises(InputError, match="its subjects are not those of split 5-fold/1, seed 0"):
        bench.evaluate(bundle=Path("b"))
    assert bench.made == []


def test_a_missing_compiler_is_noticed_before_any_work(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sim.build.missing_packages", lambda _: ["gcc"])
    with pytest.raises(ExternalError, match="apt-get install --no-install-recommends gcc"):
        bench.evaluate(dataset="watch")
    assert bench.made == []


def test_what_does_not_fit_the_bundle_is_refused(bench: Bench) -> None:
    for option in ("dataset", "backbone"):
        with pytest.raises(InputError, match=f"--{option}"):
            bench.evaluate(bundle=Path("b"), **{option: "dscnn_small"})
    bench.bundle.provenance.split = "by luck"
    with pytest.raises(InputError, match="no split"):
        bench.evaluate(bundle=Path("b"))
    assert bench.made == []


def test_a_dataset_with_the_same_activities_is_not_unseen(bench: Bench) -> None:
    with pytest.raises(InputError, match="other is not unseen: it has resting, running, walking"):
        bench.evaluate(dataset="watch", unseen="other")
    assert bench.made == []


def test_windows_of_unseen_activities_reach_the_measuring(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = synthetic_task(people=6, seconds=4.0).dataset
    renamed = {name: f"other {name}" for name in known.activities}
    other = replace(
        known,
        activities=tuple(renamed.values()),
        recordings=tuple(
            replace(r, segments=tuple(replace(s, activity=renamed[s.activity]) for s in r.segments))
            for r in known.recordings
        ),
    )
    monkeypatch.setattr(
        f"{MODULE}.load_dataset",
        lambda name: replace(other if name == "other" else known, name=name),
    )
    bench.evaluate(dataset="watch", unseen="other")
    assert bench.unseen is not None and bench.unseen.activities == other.activities


def test_wrong_names_are_refused_before_any_work(bench: Bench) -> None:
    for wrong in ({"backbone": "resnet"}, {"schemes": ("random",)}, {"schemes": ("official",)}):
        with pytest.raises(InputError):
            bench.evaluate(**{"dataset": "watch", **wrong})
    assert bench.made == []


@pytest.mark.usefixtures("bench")
def test_a_bundle_of_something_else_is_no_default(tmp_path: Path) -> None:
    assert default_bundle(tmp_path, None, None) is None
    (tmp_path / "bundle.json").write_text("{}")
    assert default_bundle(tmp_path, None, None) == tmp_path
    assert default_bundle(tmp_path, "watch", "dscnn") == tmp_path
    assert default_bundle(tmp_path, "hapt", None) is None
    assert default_bundle(tmp_path, None, "dscnn_small") is None

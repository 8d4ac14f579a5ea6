from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle import load_bundle
from pipeline.core.errors import InputError
from pipeline.data import split_subjects
from pipeline.experiments.evaluate.measure import measure
from pipeline.experiments.networks import Folders, describes, prepare
from pipeline.training.pretrain import PretrainSettings
from pipeline.training.shipped import ExtractorName
from pipeline.training.task import Task, make_task
from tests.support.synthetic import synthetic_task

RUN = ExtractorName("synthetic", "dscnn:k5:8s2-8s2-8s2", "5-fold", 2, 1)


@pytest.fixture(scope="module")
def task() -> Task:
    dataset = synthetic_task(people=5, seconds=6.0).dataset
    return make_task(dataset, split_subjects(dataset, RUN.scheme, fold=RUN.fold, seed=RUN.seed))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A recipe of seconds. Returns the one source file that bundles are said to be made by."""
    sources = tmp_path / "pipeline" / "bundle"
    sources.mkdir(parents=True)
    (sources / "quantize.py").write_text("one\n")
    monkeypatch.setattr("pipeline.experiments.networks._PIPELINE", tmp_path / "pipeline")
    monkeypatch.setattr("pipeline.experiments.networks._SOURCES", ("bundle/*.py",))
    monkeypatch.setattr(
        "pipeline.experiments.networks.recipe",
        lambda _, backbone: PretrainSettings(backbone=backbone, epochs=1, batch=16),
    )
    return sources / "quantize.py"


def _never(*_: object, **__: object) -> None:
    raise AssertionError("this was done before")


@pytest.mark.slow("pretrains, trains and quantizes")
def test_a_run_is_made_once_and_never_sees_its_test_people_before_measuring(
    task: Task, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pipeline.training
    import pipeline.training.pretrained

    trained_on = []
    real = {
        "pretrain": pipeline.training.pretrained.pretrain_extractor,
        "train": pipeline.training.train,
    }

    def pretrain_extractor(given: Task, *rest: object) -> object:
        trained_on.append(given.windows)
        assert set(given.dataset.subjects).isdisjoint(task.split.test)
        return real["pretrain"](given, *rest)

    def train(pretrained: object, given: Task, seed: int) -> object:
        trained_on.append(given.windows)
        return real["train"](pretrained, given, seed)

    monkeypatch.setattr(pipeline.training.pretrained, "pretrain_extractor", pretrain_extractor)
    monkeypatch.setattr(pipeline.training, "train", train)
    folders = Folders(tmp_path / "pretrained", tmp_path / "runs", tmp_path / "shipped")
    shown: list[float] = []
    made = prepare(RUN, task, folders, lambda _, share: shown.append(share))
    assert len(trained_on) == 2
    for windows in trained_on:
        assert set(windows.subjects.tolist()).isdisjoint(task.split.test)
    assert shown == sorted(shown)
    assert made.weights == "trained here"
    assert made.directory == tmp_path / "runs/synthetic/dscnn_k5_8s2-8s2-8s2/5-fold-2-seed1/bundle"

    found = measure(made.directory, task, made.weights)
    assert found.mismatches == 0 and found.seed == 1
    assert found.split.test == tuple(sorted(set(found.subjects.tolist())))
    assert np.array_equal(found.probabilities["int8"], found.probabilities["compiled"])
    for said in found.probabilities.values():
        assert said.shape == (len(found.truth), 3)
        np.testing.assert_allclose(said.sum(axis=1), 1.0, atol=1e-5)
    correlation = np.corrcoef(
        found.probabilities["float"].ravel(), found.probabilities["int8"].ravel()
    )[0, 1]
    assert correlation > 0.9
    said = found.probabilities["int8"].argmax(axis=1)
    bundle = load_bundle(made.directory)
    metrics = bundle.metrics
    assert (said == found.truth).mean() == pytest.approx(metrics.int8_accuracy, abs=1e-6)

    # The exchange with the C engine is limited; many windows go through it in parts.
    monkeypatch.setattr("pipeline.sim.parity._most_inputs", lambda *_: 7)
    parts = measure(made.directory, task, made.weights)
    assert parts.mismatches == 0 and len(parts.truth) % 7
    assert np.array_equal(parts.probabilities["compiled"], found.probabilities["compiled"])

    # It is the bundle of this run and of no other people or seed.
    assert describes(RUN, bundle, task)
    assert not describes(replace(RUN, seed=2), bundle, task)
    split = task.split
    others = replace(split, pretrain=split.test, train=split.test, test=split.train)
    assert not describes(RUN, bundle, replace(task, split=others))

    # Stopped and called again: nothing is done twice.
    monkeypatch.setattr(pipeline.training.pretrained, "pretrain_extractor", _never)
    monkeypatch.setattr(pipeline.training, "train", _never)
    assert prepare(RUN, task, folders) == made
    # Other sources behind it: the bundle is made anew, the weights are kept.
    quick.write_text("two\n")
    with pytest.raises(AssertionError, match="done before"):
        prepare(RUN, task, folders)
    quick.write_text("one\n")

    # The same weights count as shipped where they lie, and only for their own split.
    (tmp_path / "pretrained").rename(tmp_path / "shipped")
    assert prepare(RUN, task, folders).weights == "shipped"
    elsewhere = split_subjects(task.dataset, RUN.scheme, fold=0, seed=RUN.seed)
    with pytest.raises(InputError, match="its card names another"):
        prepare(RUN, make_task(task.dataset, elsewhere), folders)


@pytest.mark.usefixtures("quick")
def test_a_damaged_shipped_file_is_refused_and_a_damaged_own_one_is_made_anew(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = Folders(tmp_path / "pretrained", tmp_path / "runs", tmp_path / "shipped")
    shipped, own = RUN.path(folders.shipped), RUN.path(folders.pretrained)
    own.parent.mkdir(parents=True)
    own.write_bytes(b"half a file")

    class Begins(Exception):
        pass

    def begin(*_: object) -> None:
        raise Begins

    monkeypatch.setattr("pipeline.training.pretrained.pretrain_extractor", begin)
    with pytest.raises(Begins):
        prepare(RUN, task, folders)
    shipped.parent.mkdir(parents=True)
    shipped.write_bytes(b"half a file")
    with pytest.raises(InputError, match=str(shipped.with_suffix(".json").name)):
        prepare(RUN, task, folders)

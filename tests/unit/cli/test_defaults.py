"""In a fresh clone a command takes the shipped model; a folder that is named is never made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.bundle import load_bundle
from pipeline.bundle.material import load_material
from pipeline.cli import defaults
from pipeline.cli.defaults import BUNDLE, TRAINED, bundle_or_default, generated_or_default
from pipeline.training import TrainedModel
from pipeline.training.task import Task
from pipeline.training.train import save_trained


@pytest.fixture
def clone(tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, where the data set is the small synthetic one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.training.task.load_named_task", lambda *_, **__: task)
    monkeypatch.setattr(defaults, "GENERATED", tmp_path / "generated")
    return tmp_path


def test_the_default_model_is_the_shipped_one_made_once_without_any_data(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.data.catalog.load_dataset", None)
    generated = generated_or_default(clone / "generated")
    assert (generated / "har_model.h").exists()
    folder = bundle_or_default(BUNDLE)
    assert load_bundle(folder).model_id == load_material("waist").card.model_id
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "no bundle in build/bundle: taking the waist bundle that ships"
    assert said[1] == f"no C files in {generated}: emitting those of {folder}"
    monkeypatch.setattr("pipeline.bundle.ready.rebuild", None)
    assert bundle_or_default(BUNDLE) == folder == bundle_or_default(Path("waist"))
    assert generated_or_default(generated) == generated


def test_a_folder_goes_before_a_shipped_bundle_of_its_name(clone: Path) -> None:
    (clone / "wrist").mkdir()
    assert bundle_or_default(Path("wrist")) == Path("wrist")


@pytest.mark.usefixtures("clone")
def test_a_trained_model_is_not_trained_again(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_trained(trained, TRAINED)
    monkeypatch.setattr("pipeline.training.train", None)
    quantized: list[TrainedModel] = []
    monkeypatch.setattr(
        "pipeline.bundle.quantize.quantize", lambda model, *_, **__: quantized.append(model)
    )
    bundle_or_default(BUNDLE)
    assert [model.card.weights_sha256 for model in quantized] == [trained.card.weights_sha256]
    assert "quantizing the model in build/train" in capsys.readouterr().err


def test_what_the_user_named_is_left_alone(clone: Path) -> None:
    assert bundle_or_default(Path("mine")) == Path("mine")
    assert generated_or_default(Path("mine")) == Path("mine")
    assert list(clone.iterdir()) == []


def test_the_old_bundle_of_a_killed_run_is_brought_back(
    clone: Path, bundle_directory: Path
) -> None:
    shutil.copytree(bundle_directory, clone / "build" / ".bundle.old")
    bundle_or_default(BUNDLE)
    assert load_bundle(BUNDLE).model_id == load_bundle(bundle_directory).model_id

"""In a fresh clone a command makes the default model that it needs; a named one is never made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.bundle import load_bundle
from pipeline.cli import defaults
from pipeline.cli.defaults import BUNDLE, TRAINED, bundle_or_default, generated_or_default
from pipeline.core.errors import ExternalError
from pipeline.training import Pretrained, TrainedModel
from pipeline.training.task import Task
from pipeline.training.train import save_trained


@pytest.fixture
def clone(
    tmp_path: Path, task: Task, pretrained: Pretrained, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An empty working folder, where the default data set is the small synthetic one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.training.task.load_task", lambda *_, **__: task)
    monkeypatch.setattr("pipeline.training.task.load_named_task", lambda *_, **__: task)
    monkeypatch.setattr("pipeline.training.load_pretrained", lambda _: pretrained)
    monkeypatch.setattr(defaults, "GENERATED", tmp_path / "generated")
    return tmp_path


def test_the_default_model_is_trained_quantized_and_emitted_once(
    clone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generated = generated_or_default(clone / "generated")
    assert (generated / "har_model.h").exists()
    made = load_bundle(BUNDLE)
    assert capsys.readouterr().err == (
        "no bundle in build/bundle: training and quantizing the default one\n"
        f"no C files in {generated}: emitting those of build/bundle\n"
    )
    assert bundle_or_default(BUNDLE) == BUNDLE and generated_or_default(generated) == generated
    assert load_bundle(BUNDLE).model_id == made.model_id
    assert capsys.readouterr().err == ""


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


def test_without_network_and_cache_it_ends_in_the_line_of_the_download(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> Task:
        raise ExternalError("the download failed 4 times")

    monkeypatch.setattr("pipeline.training.task.load_task", fails)
    with pytest.raises(ExternalError, match="download failed"):
        bundle_or_default(BUNDLE)
    assert not (clone / BUNDLE).exists()


def test_the_old_bundle_of_a_killed_run_is_brought_back(
    clone: Path, bundle_directory: Path
) -> None:
    shutil.copytree(bundle_directory, clone / "build" / ".bundle.old")
    bundle_or_default(BUNDLE)
    assert load_bundle(BUNDLE).model_id == load_bundle(bundle_directory).model_id

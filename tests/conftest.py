"""Settings of every test, and fixtures that are slow to make and shared by many."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.support.shared import Shared, shared_artefacts

if TYPE_CHECKING:
    from pipeline.training import Pretrained, TrainedModel
    from pipeline.training.task import Task

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SEED = 7

# `dev` looks for new failures each time; the others draw the same examples on every machine.
hypothesis.settings.register_profile("dev", deadline=None, max_examples=100)
hypothesis.settings.register_profile("fast", deadline=None, max_examples=30, derandomize=True)
hypothesis.settings.register_profile("full", deadline=None, max_examples=300, derandomize=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    return shared_artefacts(tmp_path_factory)


@pytest.fixture(scope="session")
def task() -> Task:
    from tests.support.synthetic import synthetic_task

    return synthetic_task()


@pytest.fixture(scope="session")
def pretrained() -> Pretrained:
    """The extractor that ships: it knows people who walk and rest, and nobody of the task."""
    from pipeline.training.pretrained import load_pretrained
    from pipeline.training.shipped import shipped

    return load_pretrained(shipped()[0].path())


@pytest.fixture(scope="session")
def trained(task: Task, pretrained: Pretrained, shared: Shared) -> TrainedModel:
    from pipeline.training import train
    from pipeline.training.train import load_trained, save_trained

    def make(folder: Path) -> None:
        folder.mkdir()
        model = train(pretrained, task, SEED)
        save_trained(model, folder)

    return load_trained(shared("trained", make))


@pytest.fixture(scope="session")
def bundle_directory(task: Task, trained: TrainedModel, shared: Shared) -> Path:
    """A sealed bundle of the synthetic task; copy it before you change it."""
    from pipeline.bundle.quantize import quantize

    return shared("bundle-fc", lambda part: quantize(trained, task, part))

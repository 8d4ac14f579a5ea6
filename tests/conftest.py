"""Fixtures that are dear to make and shared by many tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pipeline.training import Pretrained, TrainedModel
    from pipeline.training.task import Task

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SEED = 7


@pytest.fixture(scope="session")
def task() -> Task:
    from tests.support.synthetic import synthetic_task

    return synthetic_task()


@pytest.fixture(scope="session")
def pretrained(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Pretrained:
    """An extractor pretrained for seconds on the synthetic training people."""
    from pipeline.training.pretrain import PretrainSettings
    from pipeline.training.pretrained import load_pretrained, pretrain_extractor

    path = tmp_path_factory.mktemp("pretrained") / "dscnn.npz"
    pretrain_extractor(task, PretrainSettings(epochs=12, batch=16), SEED, path)
    return load_pretrained(path)


@pytest.fixture(scope="session")
def trained(task: Task, pretrained: Pretrained) -> TrainedModel:
    from pipeline.training import train

    return train(
        pretrained,
        task.windows,
        task.split,
        dataset=task.dataset.name,
        rate_hz=task.dataset.rate_hz,
        hop_samples=64,
        seed=SEED,
    )


@pytest.fixture(scope="session")
def bundle_directory(
    task: Task, trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A sealed bundle of the synthetic task; copy it before you change it."""
    from pipeline.bundle.quantize import quantize

    directory = tmp_path_factory.mktemp("bundle") / "bundle"
    quantize(trained, task.windows, task.split, directory)
    return directory

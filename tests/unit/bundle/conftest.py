from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bundle.quantize import quantize
from pipeline.training import TrainedModel
from pipeline.training.task import Task
from tests.support.shared import Shared

CUTS = ("fc", "fxc1", "fxc2")
FULL = ("full.float.tflite", "full.int8.tflite")


@pytest.fixture(scope="session")
def cut_directories(
    task: Task, trained: TrainedModel, bundle_directory: Path, shared: Shared
) -> dict[str, Path]:
    """A sealed bundle of the synthetic task for each cut; copy it before you change it."""
    full = {name: (bundle_directory / name).read_bytes() for name in FULL}

    def of(cut: str) -> Path:
        return shared(
            f"bundle-{cut}",
            lambda part: quantize(trained, task, part, cut=cut, full=full),
        )

    return {"fc": bundle_directory, **{cut: of(cut) for cut in CUTS[1:]}}


@pytest.fixture(params=CUTS)
def cut_directory(request: pytest.FixtureRequest, cut_directories: dict[str, Path]) -> Path:
    """The bundle of every cut in turn."""
    return cut_directories[request.param]

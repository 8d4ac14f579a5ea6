from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.bundle.quantize import quantize
from pipeline.training import TrainedModel
from pipeline.training.task import Task
from tests.support.conversion import remembered_conversions

CUTS = ("fc", "fxc1", "fxc2")


@pytest.fixture(scope="session")
def cut_directories(
    task: Task,
    trained: TrainedModel,
    bundle_directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """A sealed bundle of the synthetic task for each cut; copy it before you change it."""
    made = {"fc": bundle_directory}
    for cut in CUTS[1:]:
        made[cut] = tmp_path_factory.mktemp(cut) / "bundle"
        with remembered_conversions():
            quantize(trained, task.windows, task.split, made[cut], cut=cut)
    return made


@pytest.fixture(params=CUTS)
def cut_directory(request: pytest.FixtureRequest, cut_directories: dict[str, Path]) -> Path:
    """The bundle of every cut in turn."""
    return cut_directories[request.param]

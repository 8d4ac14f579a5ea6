"""Data may name an activity in 64 characters, a board in 31 bytes: `har quantize` noticed when all
was converted and measured, with a traceback. A board says "unknown" of what is no activity, so
none can have that name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bundle.quantize import quantize
from pipeline.core.errors import InputError
from pipeline.training import TrainedModel
from pipeline.training.task import Task


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["walking", "running", "x" * 32], "1 to 31 bytes of printable"),
        (["walking", "running", "unknown"], "'unknown'"),
        (["walking"], "2 to 32"),
        ([f"activity {i}" for i in range(33)], "2 to 32"),
    ],
)
def test_names_are_checked_before_the_work(
    task: Task, trained: TrainedModel, tmp_path: Path, names: list[str], said: str
) -> None:
    named = TrainedModel(trained.card.model_copy(update={"activities": names}), model=None)
    y = task.windows.y % len(names)
    renamed = replace(task, windows=replace(task.windows, y=y, activities=tuple(names)))
    with pytest.raises(InputError, match=said):
        quantize(named, renamed, tmp_path / "bundle")
    assert not list(tmp_path.iterdir())

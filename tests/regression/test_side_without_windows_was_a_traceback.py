"""People whose recordings are all too short for a window may validate or test alone: training or
measuring then ended in "nothing to score"."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.core.errors import InputError
from pipeline.training.task import make_task
from tests.support.synthetic import synthetic_task


@pytest.mark.parametrize("side", ["train", "validation", "test"])
def test_the_side_and_its_people_are_named(side: str) -> None:
    task = synthetic_task(people=5, seconds=4.0)
    people = getattr(task.split, side)
    recordings = tuple(
        replace(r, segments=()) if r.subject in people else r for r in task.dataset.recordings
    )
    expected = rf"the {side} subjects \({people[0]}|the pretrain subjects"
    with pytest.raises(InputError, match=expected):
        make_task(replace(task.dataset, recordings=recordings), task.split)


def test_without_its_test_people_a_task_is_one_still() -> None:
    task = synthetic_task(people=5, seconds=4.0).without_test()
    assert not set(task.windows.subjects) & set(task.split.test)

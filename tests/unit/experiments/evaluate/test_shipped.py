"""A shipped network is judged by the people of its corpus whom it never saw, and by nobody else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.core.errors import InputError
from pipeline.experiments.evaluate import run
from pipeline.experiments.evaluate.run import Request, evaluate
from pipeline.experiments.networks import Folders

FOLDERS = Folders(pretrained=Path("none"), runs=Path("none"))


@pytest.fixture(autouse=True)
def given(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(
        activities=["walking", "running"],
        provenance=SimpleNamespace(bundle="waist", backbone="dscnn:k5:8s2-8s2", seed=0),
    )
    monkeypatch.setattr(run, "load_bundle", lambda _: made)
    monkeypatch.setattr(run, "require_tools", lambda _: None)


@pytest.mark.parametrize(
    "asked",
    [{"dataset": "watch"}, {"schemes": ("5-fold",)}, {"seeds": 3}, {"backbone": "dscnn"}],
    ids=lambda asked: next(iter(asked)),
)
def test_another_split_than_its_judges_is_refused_before_any_work(asked: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="official split of hapt judges; `har bundles measure"):
        evaluate(Request(folders=FOLDERS, bundle=Path("b"), **asked))


def test_its_judges_are_asked_with_its_activities_and_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[list[str], int]] = []

    class Corpus:
        name, judges = "waist", ("hapt",)

        def judging_task(self, activities: list[str], seed: int) -> None:
            asked.append((activities, seed))
            raise InputError("far enough")

    monkeypatch.setattr(run, "find_corpus", lambda _: Corpus())
    with pytest.raises(InputError, match="far enough"):
        evaluate(Request(folders=FOLDERS, bundle=Path("b"), dataset="hapt"))
    assert asked == [(["walking", "running"], 0)]

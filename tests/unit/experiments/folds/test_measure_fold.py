"""One fold from recordings to figures: nobody who judges was trained on, and labels help."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from pipeline.data import WindowShape
from pipeline.experiments.folds import run
from pipeline.training import corpora
from pipeline.training.corpora import Corpus, Part
from pipeline.training.pretrain import PretrainSettings
from tests.support.synthetic import synthetic_task

CORPUS = Corpus(
    name="made-up",
    placement="wrist",
    parts=(Part("synthetic", ("walking", "running", "resting"), (("person0",), ("person1",))),),
    shape=WindowShape(25.0, 64, 32),
    settings=PretrainSettings(backbone="dscnn:k5:8s2-8s2", epochs=3, draws=512),
    merged=MappingProxyType({"walking": "moving", "running": "moving"}),
)


@pytest.mark.slow
def test_a_fold_judges_the_person_whom_it_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = synthetic_task(people=4, seconds=16.0).dataset
    monkeypatch.setattr(corpora, "is_dataset_name", lambda _: True)
    monkeypatch.setattr(corpora, "load_dataset", lambda _: dataset)
    monkeypatch.setattr(run, "find_corpus", lambda _: CORPUS)
    learned: list[set[str]] = []
    real = run.pretrain_extractor

    def pretrain(task, *arguments):
        learned.append(set(task.windows.subjects.tolist()))
        return real(task, *arguments)

    monkeypatch.setattr(run, "pretrain_extractor", pretrain)
    found = run.measure_fold(tmp_path, None, {"corpus": "made-up", "fold": 1, "seed": 0})
    assert learned == [{"person0", "person2", "person3"}]
    named, shipped = found["judged"]["all"], found["judged"]["shipped"]
    assert set(named["confusion"]) == {"person1"} == set(shipped["confusion"])
    assert len(named["activities"]) == 3 and len(shipped["activities"]) == 2
    assert np.sum(named["confusion"]["person1"]) == np.sum(shipped["confusion"]["person1"]) == 66
    rows = {(row["taught"], row["k"]) for row in found["labels"]}
    assert rows == {(taught, k) for taught in (False, True) for k in run.LABELS}
    taught = [row for row in found["labels"] if row["taught"] and row["k"] == 5]
    assert taught[0]["after"] > taught[0]["before"]

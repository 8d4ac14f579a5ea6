"""The shipped extractor on the recordings it was made for. Fetches HAPT (19 MB) once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle import emit
from pipeline.bundle.quantize import quantize
from pipeline.sim.learner_program import LearnerProgram, build_learner
from pipeline.training import TrainedModel, load_pretrained, train
from pipeline.training.shipped import ExtractorName
from pipeline.training.task import Task, load_task

pytestmark = pytest.mark.slow("quantizes three cuts on real recordings")

PRETRAINED = ExtractorName().path()
LABELS = 300


@pytest.fixture(scope="module")
def hapt() -> Task:
    return load_task("hapt", seed=0, progress=False)


@pytest.fixture(scope="module")
def classifier(hapt: Task) -> TrainedModel:
    return train(load_pretrained(PRETRAINED), hapt, 0)


@pytest.mark.parametrize("cut", ["fc", "fxc1", "fxc2"])
def test_people_it_never_saw_are_recognised_and_teach_c_and_numpy_the_same(
    hapt: Task, classifier: TrainedModel, cut: str, tmp_path: Path
) -> None:
    bundle = quantize(classifier, hapt, tmp_path / "bundle", cut=cut)
    metrics = bundle.metrics
    assert metrics.test_windows == 2996
    assert len(metrics.subject_accuracy) == 9
    assert metrics.int8_accuracy >= 0.95
    assert abs(metrics.int8_accuracy - metrics.float_accuracy) <= 0.01

    rng = np.random.default_rng(0)
    test = hapt.windows.for_subjects(hapt.split.test)
    chosen = np.sort(rng.choice(len(test.y), LABELS, replace=False))
    windows = bundle.at_cut(test.x[chosen])
    wrong = rng.random(LABELS) < 0.1
    labels = np.where(wrong, rng.integers(0, len(bundle.activities), LABELS), test.y[chosen])

    emit(bundle, tmp_path / "generated")
    build_learner(tmp_path / "generated", tmp_path / "learner", tmp_path / "build")
    twin = bundle.new_learner()
    with LearnerProgram(tmp_path / "learner") as learner:
        for number, (window, label) in enumerate(zip(windows, labels, strict=True)):
            (outcome,) = learner.label(window[None], [int(label)])
            assert outcome == twin.label(window, int(label)).value, number
            state = learner.state()
            assert state.crc == twin.head.crc(), number
            assert state.guard == twin.guard, number
        assert state.updates >= 200
        predicted = twin.predict(windows).argmax(axis=1)
        assert np.array_equal(learner.predict(windows), predicted)

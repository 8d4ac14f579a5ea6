"""The firmware's learner, built for this machine, learns a target from nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.experiments.fxcy.device_learner import CUTS, drawn, learn_on_device
from pipeline.experiments.fxcy.domains import Domain, Examples
from pipeline.models import backbone
from pipeline.models.weights import model_arrays
from pipeline.training.inputs import fit_normalization
from pipeline.training.pretrain import set_batch_statistics
from pipeline.training.pretrained import Pretrained, PretrainedCard
from pipeline.training.seeds import seed_everything
from tests.support.synthetic import ACTIVITIES, synthetic_task

TINY = "dscnn:k5:8s4-12s2-12s2"
STEPS = 16
OTHERS = ("sitting", "standing")


@pytest.fixture(scope="module")
def target() -> Domain:
    task = synthetic_task(people=6, seconds=12.0)
    sides = (task.windows.for_subjects(who) for who in (task.split.train, task.split.test))
    train, test = (Examples(side.x, side.y, side.subjects) for side in sides)
    return Domain(
        "synthetic", "sensor", ACTIVITIES, 50.0, task.split.name, train.thinned(60), test, task=task
    )


@pytest.fixture(scope="module")
def source(target: Domain) -> Pretrained:
    """A network of random weights that never saw the target's activities."""
    seed_everything(0)
    model = backbone(TINY).build(128, 6, len(OTHERS), 0.0)
    normalize = fit_normalization(target.train.x)
    set_batch_statistics(model, normalize(target.train.x))
    card = PretrainedCard(
        backbone=TINY,
        dataset="elsewhere",
        split="official",
        seed=0,
        epochs=0,
        subjects=["somebody"],
        activities=list(OTHERS),
        rate_hz=50.0,
        window_samples=128,
        knee=list(normalize.knee),
        mean=list(normalize.mean),
        std=list(normalize.std),
        validation_subjects=["somebody else"],
        validation_windows=1,
        validation_accuracy=0.5,
        weights_sha256="0" * 64,
    )
    return Pretrained(card, model_arrays(model))


@pytest.mark.slow("learns three times")
def test_the_case_is_learned_from_the_labelled_windows_alone(
    source: Pretrained, target: Domain, tmp_path: Path
) -> None:
    result = learn_on_device(source, target, "fc", 0, tmp_path, steps=STEPS)
    assert result["accuracy"] > 0.9
    assert set(result["subject_accuracy"]) == set(target.test.people)
    assert (result["labels"], result["updates"], result["kept_windows"]) == (60, 60, 60)
    assert result["kept_bytes"] > 60 * 32

    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = learn_on_device(source, target, "fc", 0, tmp_path, steps=STEPS)
    assert again == result
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "nothing is made twice"

    shuffled = np.random.default_rng(1).permutation(target.train.y)
    wrong = replace(target, train=replace(target.train, y=shuffled))
    misled = learn_on_device(source, wrong, "fc", 0, tmp_path, steps=STEPS)
    assert misled["accuracy"] < 0.7, "what it knows comes from the labels"


@pytest.mark.slow("learns twice")
def test_the_last_convolutions_are_learned_too(
    source: Pretrained, target: Domain, tmp_path: Path
) -> None:
    result = learn_on_device(source, target, "fxc2", 0, tmp_path, steps=STEPS)
    assert result["accuracy"] > 0.9


@pytest.mark.parametrize(
    "cut",
    [CUTS[0], *(pytest.param(cut, marks=pytest.mark.slow("trains twice")) for cut in CUTS[1:])],
)
def test_the_rule_in_tensorflow_learns_what_the_device_learns(
    source: Pretrained, target: Domain, tmp_path: Path, cut: str
) -> None:
    """Same windows, same draws: apart from int8 at the cut and the order of sums nothing differs,
    so neither do more than a few of the test windows."""
    result = learn_on_device(source, target, cut, 3, tmp_path, steps=STEPS)
    also = result["tensorflow"]
    assert abs(result["accuracy"] - also["accuracy"]) <= 0.03
    assert abs(result["macro_f1"] - also["macro_f1"]) <= 0.03
    assert set(also["subject_accuracy"]) == set(target.test.people)


def test_the_steps_are_on_the_windows_that_the_device_s_store_draws() -> None:
    labels = np.array([1, 1, 0, 2, 0])
    chosen = drawn(labels, 3, 40, kept=5)
    assert chosen[:, 0].tolist() == [0, 1, 2, 3, 4], "the new window first"
    for number, steps in enumerate(chosen):
        assert steps.max() <= number, "none before it is labelled"
        assert set(labels[steps]) == set(labels[: number + 1]), "all activities that were"
    assert set(drawn(labels, 3, 200, kept=2)[4, 1:]) < set(range(5)), "what is not kept is gone"


def test_what_a_board_does_not_learn_is_refused(
    source: Pretrained, target: Domain, tmp_path: Path
) -> None:
    assert CUTS == ("fc", "fxc1", "fxc2")
    with pytest.raises(InputError, match="a board learns fc, fxc1, fxc2"):
        learn_on_device(source, target, "whole", 0, tmp_path)
    with pytest.raises(InputError, match="of sensors"):
        learn_on_device(source, replace(target, kind="image", task=None), "fc", 0, tmp_path)

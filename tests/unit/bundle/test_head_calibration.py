"""What the bundle says about everything behind the extractor comes from training and validation
people, and can be switched off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle.bundle import HEAD, Bundle, load_bundle
from pipeline.bundle.factory_head import calibrate_head, evidence_of
from pipeline.core.errors import InputError
from pipeline.core.files import write_npz
from pipeline.head import LIMIT
from pipeline.models import load_weights
from pipeline.training import TrainedModel
from pipeline.training.task import Task


@pytest.fixture(scope="module")
def bundle(bundle_directory: Path) -> Bundle:
    return load_bundle(bundle_directory)


def test_no_more_validation_windows_than_stated_are_unknown(bundle: Bundle, task: Task) -> None:
    validation = task.windows.for_subjects(task.split.validation)
    windows = bundle.at_cut(validation.x)
    head = bundle.new_head()
    activities = head.predict(windows).argmax(axis=1)
    distances = bundle.novelty().distance(head.features(windows), activities)
    unknown = (bundle.limits().novelty(distances, activities) > 1).mean()
    assert unknown == pytest.approx(bundle.unknown.false_reject, abs=1e-6)
    assert unknown <= bundle.unknown.false_reject_target == 0.05
    assert bundle.calibration.validation_windows == len(validation.y)


def choose(bundle: Bundle, trained: TrainedModel, task: Task, **switches: bool):
    windows, split = task.windows, task.split
    people = (windows.for_subjects(split.train), windows.for_subjects(split.validation))
    evidence = evidence_of(trained, "fc", bundle.extractor, bundle, *people)
    return calibrate_head(trained.head("fc"), bundle.rows, bundle.outputs, evidence, **switches)


def test_test_people_choose_nothing(bundle: Bundle, trained: TrainedModel, task: Task) -> None:
    junk = task.windows.x.copy()
    junk[np.isin(task.windows.subjects, task.split.test)] = 7.0
    altered = replace(task, windows=replace(task.windows, x=junk))
    found = choose(bundle, trained, altered)
    assert (found.calibration, found.unknown) == (bundle.calibration, bundle.unknown)
    assert found.smoother == bundle.smoother
    shipped = bundle.novelty()
    assert found.novelty.center.tobytes() == shipped.center.tobytes()
    assert found.novelty.inverse_std.tobytes() == shipped.inverse_std.tobytes()
    assert found.learning == bundle.learning
    assert found.head.crc() == bundle.new_head().crc()


def test_both_can_be_switched_off(bundle: Bundle, trained: TrainedModel, task: Task) -> None:
    off = choose(bundle, trained, task, smoothing=False, rejecting=False)
    assert (off.smoother.change, off.smoother.change_moving) == (1.0, 1.0)
    assert (off.unknown.limit, off.unknown.false_reject) == (float(LIMIT), 0.0)
    # x is at most 255 steps from a center, and a deviation at least one step: no distance is
    # beyond that limit.
    assert LIMIT > 255.0**2
    steps = off.head.scales.scale[: off.novelty.features]
    assert (off.novelty.inverse_std <= 1.0001 / steps).all()
    assert off.calibration == bundle.calibration


@pytest.mark.parametrize("damage", ["missing", "shape", "nan", "huge", "zero"])
def test_centers_that_no_board_could_take_are_refused(
    bundle: Bundle, bundle_directory: Path, tmp_path: Path, damage: str
) -> None:
    arrays = dict(load_weights(bundle_directory / HEAD))
    if damage == "missing":
        del arrays["novelty_center"]
    elif damage == "shape":
        arrays["novelty_center"] = arrays["novelty_center"][:, 1:]
    elif damage == "nan":
        arrays["novelty_center"] = np.full_like(arrays["novelty_center"], np.nan)
    elif damage == "huge":
        arrays["novelty_center"] = np.full_like(arrays["novelty_center"], 2 * LIMIT)
    else:
        arrays["novelty_inverse_std"] = np.zeros_like(arrays["novelty_inverse_std"])
    write_npz(tmp_path / HEAD, arrays)
    with pytest.raises(InputError, match="head"):
        bundle.at(tmp_path).novelty()

"""The windows that ship: of training people, of as many as there are, in an order that goes round
the activities."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.bundle import emit, load_bundle
from pipeline.bundle.bundle import FULL_FLOAT, FULL_INT8
from pipeline.bundle.factory_head import choose_exemplars
from pipeline.bundle.quantize import quantize
from pipeline.sim.build import ROOT
from pipeline.training import TrainedModel
from pipeline.training.task import Task


def test_exemplars_are_training_people_s_windows_as_the_extractor_gives_them(
    cut_directory: Path, task: Task
) -> None:
    bundle = load_bundle(cut_directory)
    exemplars, of = bundle.exemplars()
    assert of.tolist() == [0, 1, 2] * 4
    training = task.windows.for_subjects(task.split.train)
    theirs = bundle.at_cut(training.x)
    for window, activity in zip(exemplars, of, strict=True):
        found = (theirs == window).all(axis=1)
        assert activity in training.y[found]
    assert len(np.unique(exemplars, axis=0)) == len(exemplars)


def test_nobody_gives_a_second_one_before_everybody_gave_one(task: Task) -> None:
    training = task.windows.for_subjects(task.split.train)
    people = len(set(training.subjects.tolist()))
    chosen = choose_exemplars(training.y, training.subjects, people + 2, seed=1)
    assert len(set(chosen.tolist())) == len(chosen) == 3 * (people + 2)
    for activity in range(3):
        mine = chosen[activity::3]
        assert (training.y[mine] == activity).all()
        assert len(set(training.subjects[mine[:people]].tolist())) == people
        assert len(set(training.subjects[mine[people:]].tolist())) == 2


def test_the_seed_draws_them(task: Task) -> None:
    training = task.windows.for_subjects(task.split.train)
    first = choose_exemplars(training.y, training.subjects, 4, seed=1)
    np.testing.assert_array_equal(first, choose_exemplars(training.y, training.subjects, 4, seed=1))
    assert (first != choose_exemplars(training.y, training.subjects, 4, seed=2)).any()


def test_an_activity_with_few_windows_gives_what_it_has(task: Task) -> None:
    training = task.windows.for_subjects(task.split.train)
    keep = np.flatnonzero(training.y != 1)
    keep = np.sort(np.append(keep, np.flatnonzero(training.y == 1)[:2]))
    few = replace(
        training,
        **{
            name: getattr(training, name)[keep]
            for name in ("x", "y", "subjects", "sessions", "recording", "start")
        },
    )
    chosen = choose_exemplars(few.y, few.subjects, 4, seed=0)
    assert few.y[chosen].tolist() == [0, 1, 2, 0, 1, 2, 0, 2, 0, 2]


def test_a_bundle_may_ship_none(
    cut_directories: dict[str, Path], task: Task, trained: TrainedModel, tmp_path: Path
) -> None:
    cut, directory = list(cut_directories)[-1], tmp_path / "bundle"
    full = {name: (cut_directories[cut] / name).read_bytes() for name in (FULL_FLOAT, FULL_INT8)}
    bundle = quantize(trained, task, directory, cut=cut, exemplars=0, full=full)
    exemplars, of = bundle.exemplars()
    assert exemplars.shape == (0, bundle.cut_bytes) and of.shape == (0,)
    assert bundle.new_learner().replay.exemplar(0) is None
    emit(bundle, tmp_path)
    build = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wpedantic", "-c"]
    build.append(f"-I{ROOT / 'firmware'}")
    subprocess.run([*build, "har_model.c"], cwd=tmp_path, check=True)

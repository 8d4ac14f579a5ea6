"""`har train --data` trained on what was worn elsewhere than the data set's people wore it, and
nobody was warned: a model of the waist learned the wrist's walking as its own."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.core.errors import InputError
from pipeline.data import import_dataset
from pipeline.data.importers import Given
from pipeline.training import task as tasks
from pipeline.training.task import Task, add_recordings, load_named_task
from tests.support.foreign_data import motion, write_own
from tests.support.own_forms import edit


@pytest.fixture
def hapt(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """The synthetic people under HAPT's name, who wore it at the waist."""
    dataset = replace(task.dataset, name="hapt", placement="waist")
    monkeypatch.setattr(tasks, "load_dataset", lambda *_, **__: dataset)
    monkeypatch.setattr(tasks, "split_subjects", lambda *_, **__: task.split)
    monkeypatch.setattr(tasks, "find_split", lambda *_: ("official", 0))
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    return replace(task, dataset=dataset)


def worn(path: Path, placement: str, seed: int = 0) -> Path:
    samples = motion(12, 50, seed=seed)
    write_own(path, samples, ["walking"] * len(samples), subject="me")
    if placement:
        edit(path, lambda lines: [*lines[:1], f"{lines[1]},placement", *lines[2:]])
        edit(path, lambda lines: [*lines[:2], *(f"{line},{placement}" for line in lines[2:])])
    return path


def har_train(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, list[Task]]:
    """Exit code, what it says on stderr, and the tasks that came as far as training."""
    trained: list[Task] = []

    def train(_extractor: Any, task: Task, _seed: int) -> None:
        trained.append(task)
        raise InputError("far enough")

    monkeypatch.setattr(sys.modules["pipeline.training.train"], "train", train)
    done = CliRunner().invoke(app, ["train", "--dataset", "hapt", *arguments, "--json"])
    return done.exit_code, done.stderr, trained


@pytest.mark.usefixtures("hapt")
def test_har_train_refuses_them_in_one_line_and_takes_any_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    path = worn(folder / "a.csv", "wrist")
    arguments = ["--data", str(folder), "--output", str(tmp_path / "out")]
    code, said, trained = har_train(monkeypatch, *arguments)
    assert (code, trained) == (2, [])
    assert said == (
        f"har: {path}: worn at the wrist, but hapt is of the waist; a model learns one placement: "
        "take it out, choose the other bundle, or give --placement any\n"
    )
    code, said, (task,) = har_train(monkeypatch, *arguments, "--placement", "any", "--strict")
    assert task.own is not None and task.own.placement == "any"
    assert task.dataset.placement == "waist and wrist"
    mixed = [line for line in said.splitlines() if "placement" in line]
    assert mixed == [
        f"har: {path}: worn at the wrist, but hapt is of the waist; mixed, as --placement any says"
    ]


def test_the_same_placement_and_an_unknown_one_on_either_side_pass(
    hapt: Task, tmp_path: Path
) -> None:
    unknown = replace(hapt, dataset=replace(hapt.dataset, placement=""))
    several = replace(hapt, dataset=replace(hapt.dataset, placement="waist and torso"))
    for task, placement in (
        (hapt, "waist"),
        (hapt, ""),
        (unknown, "wrist"),
        (several, "torso"),
    ):
        path = worn(tmp_path / f"{placement or 'unknown'}.csv", placement)
        own = add_recordings(task, path).own
        assert own is not None and own.placement == "same"
    with pytest.raises(InputError, match=r"wrist\.csv: .* but hapt is of the waist and torso; "):
        add_recordings(several, tmp_path / "wrist.csv")


def test_of_several_files_the_first_is_named_and_the_others_are_counted(
    hapt: Task, tmp_path: Path
) -> None:
    for seed, placement in enumerate(("waist", "wrist", "", "pocket")):
        worn(tmp_path / "in" / f"{seed}.csv", placement, seed)
    with pytest.raises(InputError, match=r"in/1\.csv and 1 more: worn at the wrist, but hapt"):
        add_recordings(hapt, tmp_path / "in")


def test_an_import_of_another_placement_is_refused_too(hapt: Task, tmp_path: Path) -> None:
    path = worn(tmp_path / "in" / "a.csv", "")
    import_dataset("csv", path, name="mine", given=Given(placement="wrist"))
    with pytest.raises(InputError, match=r"^mine: worn at the wrist, but hapt is of the waist; "):
        add_recordings(hapt, Path("mine"))
    worn(path.with_name("b.csv"), "pocket", 1)
    worn(path.with_name("c.csv"), "waist", 2)
    import_dataset("csv", path.parent, name="three")
    with pytest.raises(InputError, match=r"^three, b\.csv: worn at the pocket, but hapt is of"):
        add_recordings(hapt, Path("three"))
    assert add_recordings(hapt, Path("mine"), "any").own is not None


def test_what_was_let_in_is_let_in_again_when_it_is_quantized(hapt: Task, tmp_path: Path) -> None:
    own = add_recordings(hapt, worn(tmp_path / "a.csv", "wrist"), "any").own
    assert own is not None
    kept = type(own).model_validate_json(own.model_dump_json())
    assert load_named_task("hapt", "official", 0, own=kept).own == own
    older = {key: value for key, value in own.model_dump().items() if key != "placement"}
    assert json.loads(type(own).model_validate(older).model_dump_json())["placement"] == "same"

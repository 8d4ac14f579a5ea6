"""Minutes of training or measuring ended in "Not a directory": whether the result can be written
was tried when it was there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from tests.support.synthetic import synthetic_task

COMMANDS = {
    "pretrain": ("--folder", "pipeline.training.pretrained.make_extractor"),
    "train": ("--output", "train"),
    "evaluate": ("--output", "pipeline.experiments.evaluate.run.evaluate"),
    "search": ("--output", "pipeline.experiments.search.run.search"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_begun_that_could_not_be_kept(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    option, work = COMMANDS[command]
    task = synthetic_task(people=6, seconds=4.0)
    begun: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.training.task.load_task", lambda *_, **__: task)
    extractor = SimpleNamespace(card=SimpleNamespace(shape=task.shape))
    monkeypatch.setattr("pipeline.training.pretrained.load_pretrained", lambda _: extractor)
    monkeypatch.setattr("pipeline.data.load_dataset", lambda *_, **__: task.dataset)
    place = [sys.modules["pipeline.training.train"]] if command == "train" else []
    monkeypatch.setattr(*place, work, lambda *_, **__: begun.append(command))
    (tmp_path / "file").write_text("")
    split = [] if command == "evaluate" else ["--split", "5-fold"]
    answer = CliRunner().invoke(app, [command, *split, option, str(tmp_path / "file" / "out")])
    assert answer.exit_code == 3
    assert "cannot be written" in answer.stderr and "Traceback" not in answer.stderr
    assert begun == []

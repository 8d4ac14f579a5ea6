"""`har variants` and `har fxcy` end to end but for the training: files, tables, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from tests.golden.make_reports import FOLDER
from tests.unit.experiments.fxcy.report_samples import sample
from tests.unit.experiments.variants.report_samples import sample_variants


@contextmanager
def _nobody(_: object) -> Iterator[Any]:
    """In place of workers."""
    yield SimpleNamespace(capacity=lambda: 1)


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both commands have their results at once, and draw nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    variants, fxcy = "pipeline.experiments.variants", "pipeline.experiments.fxcy"
    monkeypatch.setattr(f"{variants}.request.VariantsRequest.check", lambda _: None)
    monkeypatch.setattr(f"{variants}.run.run_variants", lambda *_, **__: sample_variants())
    monkeypatch.setattr(f"{variants}.report.variants_picture", lambda _: "<svg/>")
    plan = SimpleNamespace(jobs=(), seconds=lambda _: 0.0)
    monkeypatch.setattr("pipeline.experiments.jobs.Workers", _nobody)
    monkeypatch.setattr(f"{fxcy}.run.make_plan", lambda *_, **__: plan)
    monkeypatch.setattr(f"{fxcy}.run.fxcy", lambda *_, **__: sample())
    for name in ("bars", "curves"):
        monkeypatch.setattr(f"{fxcy}.report.{name}_picture", lambda _: "<svg/>")


def _har(*arguments: str) -> Any:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("command", ["variants", "fxcy"])
def test_the_command_closes_with_the_pinned_tables_and_one_document(command: str) -> None:
    shown = [line.rstrip() for line in _har(command).splitlines() if line.strip()]
    assert shown[:-1] == (FOLDER / f"report-{command}.txt").read_text().splitlines()
    document = json.loads(_har(command, "--json"))
    written = Path("build") / command / f"{command}.json"
    assert document == json.loads(written.read_text())
    assert all(
        claim.keys() == {"claim", "published", "measured", "n", "holds"}
        for claim in document["claims"]
    )

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.experiments.evaluate.report import EvaluationReport
from pipeline.experiments.evaluate.run import Request
from tests.unit.report.samples import evaluation_document


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Request]:
    """Runs in an empty folder; what was asked for is noted and a canned report is the answer."""
    requests: list[Request] = []

    def evaluate(request: Request, show: Any) -> EvaluationReport:
        requests.append(request)
        show("half", 0.5)
        wrong = 4 if request.seeds == 9 else 0
        return EvaluationReport.model_validate(evaluation_document(wrong))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.experiments.evaluate.run.evaluate", evaluate)
    return requests


def _har(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["evaluate", *arguments])


def test_json_is_one_document_and_the_same_as_the_file(asked: list[Request]) -> None:
    answer = _har("--json", "--output", "out")
    assert answer.exit_code == 0
    document = json.loads(answer.stdout)
    assert document == json.loads(Path("out/evaluate.json").read_text())
    assert asked[0].bundle is None and asked[0].schemes == () and asked[0].seeds is None
    assert asked[0].folders.runs == Path("out/runs")


def test_options_reach_the_protocol(asked: list[Request]) -> None:
    answer = _har(
        *("--bundle", "b", "--dataset", "watch", "--backbone", "dscnn_small"),
        *("--split", "leave-one-out", "--seeds", "2", "--unseen", "hapt"),
    )
    assert answer.exit_code == 0 and "compiled" in answer.stdout
    request = asked[0]
    assert (request.bundle, request.dataset, request.backbone) == (
        *(Path("b"), "watch", "dscnn_small"),
    )
    assert (request.schemes, request.seeds, request.unseen) == (("leave-one-out",), 2, "hapt")


def test_an_engine_that_differs_is_an_honest_no_with_every_figure(asked: list[Request]) -> None:
    answer = _har("--json", "--seeds", "9")
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["splits"][0]["compiled_mismatches"] == 4
    assert "differs from TFLite-Micro on 8 windows" in answer.stderr
    assert len(asked) == 1


@pytest.mark.usefixtures("asked")
def test_bad_options_are_bad_usage() -> None:
    for wrong in (["--split", "random"], ["--seeds", "0"], ["--seeds", "many"]):
        assert _har(*wrong).exit_code == 2

"""`har doctor` as a person and as a program read it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.doctor.check import Check, Report
from pipeline.doctor.examine import examine

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    checks = [Check("here", "green", "right"), Check("there", "yellow", "no [board]", "plug it in")]
    monkeypatch.setattr("pipeline.doctor.examine.examine", lambda *_, **__: Report(tuple(checks)))
    return checks


def test_every_line_has_its_state_and_remedy(report: list[Check]) -> None:
    answer = CliRunner().invoke(app, ["doctor"])
    assert answer.exit_code == 0
    for told in ("green", "right", "yellow", "no [board]", "-> plug it in", "0 red"):
        assert told in answer.stdout
    report.append(Check("model", "red", "another", "har flash"))
    answer = CliRunner().invoke(app, ["doctor"])
    assert answer.exit_code == 1
    assert "1 red" in answer.stdout


def test_json_is_one_document(report: list[Check]) -> None:
    answer = CliRunner().invoke(app, ["doctor", "--json"])
    document = json.loads(answer.stdout)
    assert document["ok"] is True
    assert document["checks"][1] == {
        "name": "there",
        "state": "yellow",
        "text": "no [board]",
        "remedy": "plug it in",
    }
    report.append(Check("model", "red", "another", "har flash"))
    answer = CliRunner().invoke(app, ["doctor", "--json"])
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["ok"] is False


def test_without_a_board_the_rest_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from serial.tools import list_ports

    monkeypatch.setattr(list_ports, "comports", list)
    before = set(sys.modules)
    report = examine(ROOT, tmp_path / "no-bundle")
    by_name = {check.name: check for check in report.checks}
    assert by_name["board"].state == "yellow"
    assert by_name["bundle"].state == "yellow"
    assert "firmware" not in by_name
    assert {check.state for check in report.checks} <= {"green", "yellow", "red"}
    assert "tensorflow" not in set(sys.modules) - before


def test_a_wrong_port_is_red(tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        app, ["doctor", "--json", "--port", "/dev/nowhere", "--bundle", str(tmp_path)]
    )
    assert answer.exit_code == 1
    checks = {check["name"]: check for check in json.loads(answer.stdout)["checks"]}
    assert checks["board"]["state"] == "red"

"""What every report about a data set must say was said by `har data info` alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.data.catalog import NO_GYROSCOPE
from pipeline.experiments.evaluate.report import (
    EvaluationReport,
    evaluation_tables,
    write_evaluation,
)
from pipeline.report.tables import print_tables
from tests.unit.report.samples import evaluation_document


def test_table_page_and_json_say_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {**evaluation_document(), "notes": [NO_GYROSCOPE]}
    report = EvaluationReport.model_validate(document)
    monkeypatch.setenv("COLUMNS", "300")
    print_tables(evaluation_tables(report))
    text = capsys.readouterr().out
    page = write_evaluation(report, tmp_path)
    for said in (text, page.read_text(), (tmp_path / "evaluate.json").read_text()):
        assert NO_GYROSCOPE in said

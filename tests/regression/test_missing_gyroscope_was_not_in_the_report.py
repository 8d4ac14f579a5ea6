"""What every report about a data set must say was said by `har data info` alone."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from rich.console import Console

from pipeline.data.imported import NO_GYROSCOPE
from pipeline.experiments.evaluate.report import EvaluationReport, write_evaluation
from pipeline.experiments.evaluate.tables import print_evaluation
from tests.unit.report.samples import evaluation_document


def test_table_page_and_json_say_it(tmp_path: Path) -> None:
    document = {**evaluation_document(), "notes": [NO_GYROSCOPE]}
    report = EvaluationReport.model_validate(document)
    text = StringIO()
    print_evaluation(report, Console(file=text, width=120))
    page = write_evaluation(report, tmp_path)
    for said in (text.getvalue(), page.read_text(), (tmp_path / "evaluate.json").read_text()):
        assert NO_GYROSCOPE in said

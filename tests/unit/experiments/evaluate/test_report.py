from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from pydantic import ValidationError
from rich.console import Console

from pipeline.experiments.evaluate.report import EvaluationReport, write_evaluation
from pipeline.experiments.evaluate.tables import print_evaluation
from tests.unit.report.samples import evaluation_document, evaluation_figures

REQUIRED = {"bundle", "model_id", "parameters", "macs", "splits"}
SPLIT_REQUIRED = {
    *("name", "seeds", "n_test", "float", "int8", "compiled"),
    *("calibration_error", "majority_of_errors"),
}


def test_the_document_keeps_its_promised_keys() -> None:
    report = EvaluationReport.model_validate(evaluation_document())
    document = report.document()
    assert document == evaluation_document()
    assert document.keys() >= REQUIRED
    for split in document["splits"]:
        assert split.keys() >= SPLIT_REQUIRED


def test_a_share_beyond_one_is_no_report() -> None:
    with pytest.raises(ValidationError):
        EvaluationReport.model_validate({**evaluation_document(), "splits": []})
    wrong = evaluation_document()
    wrong["splits"][0]["int8"] = evaluation_figures(1.01)  # type: ignore[index]
    with pytest.raises(ValidationError):
        EvaluationReport.model_validate(wrong)


def test_what_is_written_stands_alone_and_escapes_names(tmp_path: Path) -> None:
    report = EvaluationReport.model_validate(evaluation_document())
    page = write_evaluation(report, tmp_path).read_text()
    assert "<b>subject02" not in page and "&lt;b&gt;subject02" in page
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert page.count("<svg") == 6 and "var(--accent)" in page
    ids = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids))
    assert json.loads((tmp_path / "evaluate.json").read_text()) == report.document()
    assert {path.name for path in tmp_path.iterdir()} == {
        *("report.html", "evaluate.json", "official.svg", "5-fold.svg")
    }
    for name in ("official.svg", "5-fold.svg"):
        picture = (tmp_path / name).read_text()
        assert "var(--" not in picture
        ET.fromstring(picture)


def test_an_engine_that_differs_is_told_on_the_page(tmp_path: Path) -> None:
    said = []
    for mismatches in (0, 3):
        report = EvaluationReport.model_validate(evaluation_document(mismatches))
        assert report.mismatches == 2 * mismatches
        said.append("TFLite-Micro differ on" in write_evaluation(report, tmp_path).read_text())
    assert said == [False, True]


def test_the_terminal_shows_every_engine_and_takes_no_markup_from_names() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    print_evaluation(EvaluationReport.model_validate(evaluation_document()), console)
    text = console.export_text()
    for engine in ("float", "int8", "compiled"):
        assert engine in text
    assert "[red]<b>subject02" in text
    assert "official, 2 seeds" in text and "100.0" in text and "a/b" in text
    assert "80.0\u202f% of 12 windows transition" in text and "1, 3.5" in text
    assert "compiled differs from int8 on 0 windows" in text

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.experiments.evaluate.report import EvaluationReport, evaluation_page, write_evaluation
from tests.unit.report.samples import evaluation_document, evaluation_figures
from tests.unit.report.test_html import Parsed

REQUIRED = {"bundle", "model_id", "parameters", "macs", "splits"}
SPLIT_REQUIRED = {
    *("name", "seeds", "n_test", "float", "int8", "compiled"),
    *("calibration_error", "majority_of_errors"),
}


def _report(mismatches: int = 0) -> EvaluationReport:
    return EvaluationReport.model_validate(evaluation_document(mismatches))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the sample, drawn once."""
    output = tmp_path_factory.mktemp("evaluate")
    assert write_evaluation(_report(), output) == output / "report.html"
    return output


def test_the_document_keeps_its_promised_keys() -> None:
    document = _report().document()
    assert {key: document[key] for key in document if key != "claims"} == evaluation_document()
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


def test_what_is_written_stands_alone_and_escapes_names(folder: Path) -> None:
    page = Parsed((folder / "report.html").read_text())
    assert page.open == [] and page.tags.count("img") == 2
    assert "[red]<b>subject02" in page.text and "b" not in page.tags
    assert json.loads((folder / "evaluate.json").read_text()) == _report().document()
    assert {path.name for path in folder.iterdir()} == {
        *("report.html", "evaluate.json", "official.svg", "5-fold.svg")
    }
    for name in ("official.svg", "5-fold.svg"):
        ET.fromstring((folder / name).read_text())


def test_the_page_has_seeds_networks_and_unknown_windows(folder: Path) -> None:
    text = Parsed((folder / "report.html").read_text()).text
    for part in (
        "0123456789abcdef",
        "subject03",
        "shipped",
        "transition",
        "1, 3.5",
        "a/b",
        "1.26.4",
    ):
        assert part in text


def test_an_engine_that_differs_is_told_on_the_page_and_breaks_the_claim() -> None:
    for mismatches in (0, 3):
        report = _report(mismatches)
        assert report.mismatches == 2 * mismatches
        assert ("TFLite-Micro differ on" in _page(report)) == (mismatches > 0)
        claims = [each for each in report.claims() if "compiled" in each.claim]
        assert [each.holds for each in claims] == [mismatches == 0] * 2
        assert [each.n for each in claims] == [80, 80]


def _page(report: EvaluationReport) -> str:
    from pipeline.report.html import Picture

    return evaluation_page(report, dict.fromkeys(("official", "5-fold"), Picture("", "")))


def test_int8_may_lose_half_a_point() -> None:
    document = evaluation_document()
    assert [each.holds for each in _report().claims() if "int8 loses" in each.claim] == [False] * 2
    for split in document["splits"]:  # type: ignore[attr-defined]
        split["float"] = evaluation_figures(0.945)
    report = EvaluationReport.model_validate(document)
    assert [each.holds for each in report.claims() if "int8 loses" in each.claim] == [True] * 2

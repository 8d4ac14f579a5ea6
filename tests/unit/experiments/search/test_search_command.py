from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.data import Dataset
from pipeline.data.cache import save_recordings
from pipeline.data.catalog import imported_path
from pipeline.experiments.search.report import (
    SearchPoint,
    SearchReport,
    front,
    search_claims,
    search_document,
    search_table,
    write_search_report,
)


def _point(accuracy: float, macs: int, name: str) -> SearchPoint:
    return SearchPoint(
        backbone=name,
        names=[],
        window_samples=128,
        parameters=1,
        macs=macs,
        ram_bytes=1,
        validation_accuracy=accuracy,
        accuracies=[accuracy],
        seconds=1.0,
    )


def test_the_front_holds_what_nothing_beats() -> None:
    points = [
        _point(0.9, 300, "beaten"),
        _point(0.8, 100, "cheapest"),
        _point(0.95, 300, "best"),
        _point(0.9, 200, "middle"),
        _point(0.9, 200, "equal"),
        _point(0.7, 150, "worse"),
    ]
    chosen = [point.backbone for point in front(points, lambda point: point.macs)]
    assert chosen == ["cheapest", "middle", "best"]


def test_the_report_is_written_with_both_pictures(report: SearchReport, tmp_path: Path) -> None:
    write_search_report(report, tmp_path)
    document = json.loads((tmp_path / "search.json").read_text())
    assert document == search_document(report)
    assert document == document | report.model_dump(mode="json")
    assert set(document["front"]) <= {
        f"{point['backbone']}@{point['window_samples']}" for point in document["points"]
    }
    picture = (tmp_path / "search.svg").read_text()
    ElementTree.fromstring(picture)
    assert picture.count("dscnn_small<") == 2
    rows = (tmp_path / "search.csv").read_text().splitlines()
    assert len(rows) == 1 + len(report.points)
    assert {path.name for path in tmp_path.iterdir()} >= {"search.json", "search.csv", "search.svg"}
    assert not list(tmp_path.glob("*.part"))


def test_the_same_report_gives_the_same_bytes(report: SearchReport, tmp_path: Path) -> None:
    for name in "ab":
        write_search_report(report, tmp_path / name)
    for name in ("search.json", "search.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_table_names_the_front_and_the_sizes_with_a_name(report: SearchReport) -> None:
    text = "\n".join(row[0].text for row in search_table(report).cells())
    for key in report.front:
        assert key.split("@")[0] in text
    for name in ("dscnn", "dscnn_small", "S", "M"):
        assert f"({name})" in text


def test_a_named_size_on_the_front_holds_its_claim(report: SearchReport) -> None:
    points = [
        _point(0.9, 100, "cheapest"),
        _point(0.904, 200, "near").model_copy(update={"names": ["near"]}),
        _point(0.896, 300, "level").model_copy(update={"names": ["level"]}),
        _point(0.8, 400, "poor").model_copy(update={"names": ["poor"]}),
    ]
    claims = search_claims(report.model_copy(update={"points": points}))
    assert [(each.measured, each.holds) for each in claims] == [
        *(("0.0", True), ("0.8", False), ("10.4", False))
    ]


@pytest.fixture
def command(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., object]:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))  # that the worker sees, too
    about = {"missing_gyroscope": False, "importer": "synthetic"}
    for name in ("title", "sha256", "rate_hz", "activities", "terms", "citation", "people"):
        about[name] = getattr(dataset, name)
    path = imported_path("synthetic")
    path.parent.mkdir(parents=True)
    save_recordings(path, dataset.recordings, dataset.sha256, about)

    def run(*arguments: str) -> object:
        fixed = ["search", "--dataset", "synthetic", "--split", "5-fold"]
        return CliRunner().invoke(app, [*fixed, "--output", str(tmp_path / "out"), *arguments])

    return run


@pytest.mark.slow("trains in processes")
def test_the_command_trains_prints_one_document_and_goes_on(command, tmp_path: Path) -> None:
    small = ["--epochs", "1", "--max-macs", "150000", "--json"]
    first = command("--trials", "1", *small)
    assert first.exit_code == 0, first.stderr
    document = json.loads(first.stdout)
    assert document == json.loads((tmp_path / "out" / "search.json").read_text())
    assert [point["names"] for point in document["points"]] == [["S"]]
    assert 0.0 <= document["points"][0]["validation_accuracy"] <= 1.0
    assert "(1 of 1 shapes)" in first.stderr
    again = command("--trials", "1", *small)
    assert json.loads(again.stdout) == document
    assert len(list((tmp_path / "out" / "jobs").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials", "0"], "0 trials"),
        (["--workers", "0"], "0 workers"),
        (["--draws", "0"], "0 draws"),
        (["--window", "100"], "128"),
        (["--max-parameters", "10"], "no shape"),
        (["--scheduler", "nonsense"], "tls://HOST:PORT"),
        (["--fold", "9"], "no fold 9"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(command, arguments: list[str], message: str) -> None:
    answer = command(*arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr
    assert answer.stdout == ""
    assert len(answer.stderr.strip().splitlines()) == 1

"""The two files of the demo: their names, their keys, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import ExternalError
from pipeline.demo.report import demo_table, write_demo_report
from pipeline.demo.schema import DemoReport
from tests.unit.report.samples import host_report, sample_details, sample_report

REQUIRED = {
    "dataset": None,
    "split": None,
    "seed": None,
    "train_windows": None,
    "test_windows": None,
    "float_accuracy": None,
    "int8_accuracy": None,
    "int8_macro_f1": None,
    "worst_subject": ["id", "accuracy"],
    "model_id": None,
    "engine": None,
    "target": None,
    "windows_streamed": None,
    "predictions_received": None,
    "samples_lost": None,
    "device_accuracy": None,
    "parity": ["compared", "mismatches"],
    "learning": [
        "subject",
        "labelled_windows",
        "test_windows",
        "accuracy_before",
        "accuracy_after",
        "parity_compared",
        "parity_mismatches",
        "survived_power_cycle",
        "outcomes",
        "serves",
        "everyone",
    ],
    "size": ["flash_bytes", "ram_bytes", "runtime_flash_bytes", "weights_bytes"],
    "instructions": ["inference", "update"],
}


def _write(report: dict[str, Any], output: Path) -> Path:
    return write_demo_report(DemoReport.model_validate(report), sample_details(), output)


def _shape(document: dict[str, Any]) -> dict[str, list[str] | None]:
    return {
        key: list(value) if isinstance(value, dict) else None for key, value in document.items()
    }


def test_the_required_keys_stand_in_report_json_in_order(tmp_path: Path) -> None:
    _write(sample_report(), tmp_path)
    document = json.loads((tmp_path / "report.json").read_text())
    shape = _shape(document)
    assert shape.pop("seconds", "missing") is None
    assert list(shape.items()) == list(REQUIRED.items())
    assert document == sample_report()


def test_an_emulator_that_was_not_used_counts_nothing() -> None:
    shown = {row[0] for row in demo_table(DemoReport.model_validate(host_report())).rows}
    assert "instructions" in shown and "instructions, update" not in shown
    shown = {row[0] for row in demo_table(DemoReport.model_validate(sample_report())).rows}
    assert "instructions" not in shown and "instructions, update" in shown


@pytest.mark.parametrize(
    "change",
    [
        {"int8_accuracy": 1.01},
        {"int8_accuracy": float("nan")},
        {"samples_lost": -1},
        {"model_id": "9f3c"},
        {"target": "esp32"},
        {"engine": "onnx"},
        {"surprise": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_report_out_of_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        DemoReport.model_validate(sample_report(**change))


@pytest.mark.parametrize("key", sorted(REQUIRED))
def test_each_required_key_is_missed(key: str) -> None:
    report = sample_report()
    del report[key]
    with pytest.raises(ValidationError, match=key):
        DemoReport.model_validate(report)


def test_a_second_run_replaces_the_files_and_leaves_no_other(tmp_path: Path) -> None:
    _write(sample_report(), tmp_path)
    page = _write(sample_report(seed=5), tmp_path)
    assert page == tmp_path / "report.html"
    assert json.loads((tmp_path / "report.json").read_text())["seed"] == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "report.html",
        "report.json",
        "report.svg",
    ]


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(sample_report(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.core.files.os.fsync", full)
    with pytest.raises(ExternalError, match="No space"):
        _write(sample_report(seed=5), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

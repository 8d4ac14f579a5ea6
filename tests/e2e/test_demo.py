"""The demo's whole path on a made-up data set: train, quantize, build, boot, stream, learn."""

import json
from pathlib import Path

import pytest

from pipeline.demo.report import write_demo_report
from pipeline.demo.run import DemoSettings, failures, made_of_data, run_demo
from pipeline.training import Pretrained
from pipeline.training.task import Task

EMULATED = [pytest.mark.emulated, pytest.mark.slow("the host's whole path is in the first tier")]


@pytest.mark.parametrize("target", ["host", pytest.param("mps2", marks=EMULATED)])
def test_the_whole_path_agrees_bit_for_bit_and_survives_a_power_cut(
    task: Task, pretrained: Pretrained, tmp_path: Path, target: str
) -> None:
    settings = DemoSettings(
        target=target,
        output=tmp_path,
        seed=7,
        labelled_per_activity=2,
    )
    steps: list[str] = []
    measured, details = run_demo(
        settings, task, made_of_data(pretrained, task, settings.seed), steps.append
    )
    page = write_demo_report(measured, details, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["parity"] == {
        "compared": report["windows_streamed"],
        "mismatches": 0,
    }
    assert (
        report["predictions_received"]
        == report["windows_streamed"]
        == len(task.windows.for_subjects(task.split.test))
    )
    assert report["samples_lost"] == 0
    assert report["learning"]["labelled_windows"] == 6
    assert report["learning"]["parity_mismatches"] == 0
    assert report["learning"]["survived_power_cycle"] is True
    assert sum(report["learning"]["outcomes"].values()) == 6
    everyone = report["learning"]["everyone"]
    assert report["learning"]["serves"] in {each["serves"] for each in everyone}
    assert [each["id"] for each in everyone] == list(task.split.test)
    assert all(each["test_windows"] > 50 for each in everyone)
    assert len(steps) >= 5
    if target == "mps2":
        assert report["instructions"]["inference"] > 285_000  # at least one per MAC
        assert report["size"]["flash_bytes"] > report["size"]["weights_bytes"] > 18_000
    else:
        assert report["instructions"] == {"inference": None, "update": None}
    assert failures(measured) == []
    lost = {"samples_lost": 3, "predictions_received": measured.windows_streamed - 1}
    assert [line.split()[0] for line in failures(measured.model_copy(update=lost))] == ["1", "3"]
    html = page.read_text()
    assert report["model_id"] in html
    assert ("no emulator was used" in html) == (target == "host")

"""`har fxcy` as a user types it, on real recordings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.shared import Shared

pytestmark = pytest.mark.slow("trains on two data sets")

ROOT = Path(__file__).parents[2]
HAR = [sys.executable, "-m", "pipeline.cli.main", "fxcy"]


def _har(*arguments: str, cwd: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HAR, *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="session")
def folder(shared: Shared) -> Path:
    """Where the command ran."""

    def make(folder: Path) -> None:
        folder.mkdir()
        done = _har("--quick", "--json", "--workers", "2", cwd=folder, timeout=900)
        assert done.returncode == 0, done.stderr
        (folder / "stdout.json").write_text(done.stdout)

    return shared("har-fxcy", make)


@pytest.fixture(scope="session")
def report(folder: Path) -> Any:
    return json.loads((folder / "stdout.json").read_text())


def test_every_row_has_the_keys_and_plausible_figures(report: Any) -> None:
    rows = {(row["backbone"], row["case"]): row for row in report["rows"]}
    assert set(rows) == {
        (name, case) for name in ("smallcnn", "dscnn") for case in ("fc", "fxc1", "whole")
    }
    for row in rows.values():
        assert (row["source"], row["target"], row["seeds"]) == ("hapt", "watch", [0, 1])
        assert 1 / 7 < row["accuracy"] <= 1 and row["loss"] > 0
        assert row["worst_subject_accuracy"] <= max(row["accuracies"])
        assert len(row["accuracy_curve"]) == report["epochs"][row["backbone"]]
    for name in ("smallcnn", "dscnn"):
        fc, fxc1, whole = (rows[name, case] for case in ("fc", "fxc1", "whole"))
        for key in ("energy_nj", "training_energy_nj", "trainable_parameters", "device_bytes"):
            assert 0 < fc[key] < fxc1[key] < whole[key]
        assert fc["faster_percent"] == 0
        assert 0 == fc["trained_layers"] < fxc1["trained_layers"]
        assert whole["accuracy"] > 2 / 7
    assert rows["dscnn", "fc"]["energy_nj"] == pytest.approx(416 * 7 * 3.2 / 1000)
    assert [rows["dscnn", case]["board_learns"] for case in ("fc", "fxc1", "whole")] == [1, 1, 0]


def test_the_board_s_learner_learns_what_its_rule_in_tensorflow_learns(report: Any) -> None:
    rows = {row["case"]: row for row in report["device_rows"]}
    assert set(rows) == {"fc", "fxc1"}
    for row in rows.values():
        assert row["backbone"] == "dscnn" and len(row["accuracies"]) == 2
        assert row["accuracy"] > 0.6
        assert row["tensorflow_accuracy"] == pytest.approx(row["accuracy"], abs=0.03)
        assert row["kept_bytes"] > row["kept_windows"] == 192


def test_what_was_made_of_which_source_is_said(report: Any) -> None:
    (pair,) = report["pairs"]
    assert pair["source_accuracy"]["dscnn"] > 0.9
    assert pair["weights"]["dscnn"].startswith("trained on hapt")
    assert pair["test_people"] >= 2 and len(pair["activities"]) == 7
    assert report["command"].startswith("har fxcy --quick")


def test_the_report_is_written_and_a_second_run_only_reads(report: Any, folder: Path) -> None:
    written = folder / "build" / "fxcy"
    assert json.loads((written / "fxcy.json").read_text()) == report
    assert (written / "fxcy.html").stat().st_size > 1000
    again = _har("--quick", "--json", cwd=folder, timeout=120)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["rows"] == report["rows"]

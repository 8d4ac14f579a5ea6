"""`har variants --quick --json`, once, and what its rows say."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.shared import Shared

pytestmark = [pytest.mark.emulated, pytest.mark.slow("trains five variants")]

ROOT = Path(__file__).parents[2]
KEYS = {
    *("backbone", "variant", "bytes", "compressed_bytes", "parameters", "macs", "accuracy"),
    *("macro_f1", "worst_subject", "drop", "arena_bytes", "energy_nj", "fits"),
}

VARIANTS = ("float16", "int8", "int8_qat", "pruned80", "pruned80_int8")


def _har(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli.main", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="session")
def output(shared: Shared) -> Path:
    """What the run wrote."""

    def make(folder: Path) -> None:
        done = _har(
            *("variants", "--quick", "--json", "--backbone", "dscnn", "--workers", "2"),
            *(argument for variant in VARIANTS for argument in ("--variant", variant)),
            *("--output", str(folder)),
        )
        assert done.returncode == 0, done.stderr
        (folder / "stdout.json").write_text(done.stdout)

    return shared("har-variants", make)


@pytest.fixture(scope="session")
def document(output: Path) -> Any:
    return json.loads((output / "stdout.json").read_text())


@pytest.fixture(scope="session")
def rows(document: Any) -> dict[str, Any]:
    return {row["variant"]: row for row in document["rows"]}


def test_every_row_has_every_key(document: Any, rows: dict[str, Any]) -> None:
    assert list(rows) == ["float32", *VARIANTS]
    assert all(row.keys() >= KEYS for row in document["rows"])
    assert document["weights"] == {"dscnn": "watch"}
    assert document["test_people"] == 9


def test_networks_have_learned_and_int8_keeps_it(rows: dict[str, Any]) -> None:
    for row in rows.values():
        assert 0.6 < row["accuracy"] <= 1.0
        assert row["worst_subject_accuracy"] <= row["accuracy"]
        assert row["drop"] == pytest.approx(rows["float32"]["accuracy"] - row["accuracy"], abs=1e-5)
    assert rows["float16"]["drop"] == pytest.approx(0.0, abs=0.005)
    assert rows["int8"]["drop"] < 0.02


def test_sizes_are_those_of_the_precision(rows: dict[str, Any]) -> None:
    assert len({(row["parameters"], row["macs"], row["energy_nj"]) for row in rows.values()}) == 1
    assert rows["float32"]["shrink"] == 1.0
    assert rows["float16"]["shrink"] == pytest.approx(2.0, abs=0.01)
    for name in ("int8", "int8_qat", "pruned80_int8"):
        assert 3.5 < rows[name]["shrink"] < 4.0
    assert rows["pruned80"]["bytes"] == pytest.approx(rows["float32"]["bytes"], rel=0.02)
    for sparse, dense in (("pruned80", "float32"), ("pruned80_int8", "int8")):
        assert rows[sparse]["nonzero_parameters"] < 0.4 * rows[sparse]["parameters"]
        assert rows[sparse]["compressed_bytes"] < 0.75 * rows[dense]["compressed_bytes"]


def test_the_board_has_room_for_int8_in_the_compiled_engine(rows: dict[str, Any]) -> None:
    for row in rows.values():
        if "int8" in row["variant"] or "qat" in row["variant"]:
            assert (row["engine"], row["fits"]) == ("compiled", True)
            assert row["parameters"] < row["engine_flash_bytes"] < 4 * row["parameters"]
            assert row["engine_ram_bytes"] < row["arena_bytes"]
            assert row["instructions"] > row["macs"]


def test_what_a_variant_cannot_do_is_said_in_its_row(rows: dict[str, Any]) -> None:
    said = {name: " ".join(row["limits"]) for name, row in rows.items()}
    assert rows["float16"]["arena_bytes"] is None
    assert "TFLite-Micro does not run it: operator DEQUANTIZE" in said["float16"]
    assert "int8 networks only" in said["float32"]
    assert "of all parameters are 0" in said["pruned80"]
    assert all(limit.endswith(".") for row in rows.values() for limit in row["limits"])


def test_the_files_say_the_same(output: Path, document: Any) -> None:
    written = json.loads((output / "variants.json").read_text())
    assert written == document
    with (output / "variants.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["variant"] for line in lines] == [row["variant"] for row in document["rows"]]
    assert (output / "variants.svg").read_text().lstrip().startswith("<")
    assert "int8_qat" in (output / "variants.html").read_text()


def test_a_second_run_finds_everything_done(output: Path, document: Any, tmp_path: Path) -> None:
    shutil.copytree(output / "jobs", tmp_path / "jobs")
    again = _har(
        *("variants", "--quick", "--json", "--backbone", "dscnn", "--variant", "int8"),
        *("--output", str(tmp_path)),
    )
    assert again.returncode == 0, again.stderr
    assert again.stderr == "2 of 2 variants were done before\n"
    kept = [row for row in document["rows"] if row["variant"] in ("float32", "int8")]
    assert json.loads(again.stdout)["rows"] == kept

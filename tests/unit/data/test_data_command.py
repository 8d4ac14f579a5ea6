from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.data import app
from pipeline.core.errors import ExternalError
from pipeline.data import catalog, fetching, hapt
from tests.unit.data import fakes
from tests.unit.data.test_csv_recording import HEADER, row, rows


@pytest.fixture(autouse=True)
def _small_hapt_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    archive = fakes.hapt_archive(cache / "small.tar.gz", fakes.dump(fakes.hapt_people()))
    monkeypatch.setenv("HAR_CACHE", str(cache))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setitem(catalog.SOURCES, "hapt", fakes.pinned(hapt.SOURCE, archive))

    def down(*_: object) -> None:
        raise ExternalError("no network; plug it in")

    monkeypatch.setattr(fetching, "download", down)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.stdout, result.stderr


def test_list_shows_every_data_set_and_whether_it_is_here() -> None:
    code, out, _ = run("list", "--json")
    rows_ = json.loads(out)
    assert code == 0
    assert [(row_["name"], row_["cached"]) for row_ in rows_] == [("hapt", True), ("watch", False)]
    assert all(len(row_["sha256"]) == 64 and row_["terms"] for row_ in rows_)
    code, out, _ = run("list")
    assert code == 0
    assert "seglearn 1.2.5" in out


def test_fetch_converts_and_tells_the_terms() -> None:
    code, out, err = run("fetch", "hapt", "--json")
    assert (code, json.loads(out)["subjects"]) == (0, 2)
    assert "reading small.tar.gz" in err
    code, out, err = run("fetch", "hapt")
    assert (code, err) == (0, "")
    assert "non-commercial" in out


def test_info_shows_people_minutes_windows_rate_units_and_terms() -> None:
    code, out, _ = run("info", "hapt", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["rate_hz"] == 50.0
    assert document["placement"] == "waist"
    assert document["units"]["acceleration"] == "g, gravity included"
    code, out, _ = run("info", "hapt")
    assert code == 0
    for text in ("walking", "people", "minutes", "windows", "50 Hz", "rad/s", "CC BY 4.0"):
        assert text in out


def test_info_takes_a_csv_file_and_warns_on_stderr(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([HEADER, *rows()]))
    code, out, err = run("info", str(path), "--json")
    assert (code, err) == (0, "")
    assert [row_["windows"] for row_ in json.loads(out)["activities"]] == [1, 1]

    path.write_text("\n".join([HEADER, *(row(i / 50, "[red]walking") for i in range(200))]))
    code, out, err = run("info", str(path))
    assert code == 0
    assert "[red]walking" in out
    assert err.strip().endswith("only one activity, [red]walking")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["info", "nothing"], 2, "there are: hapt, watch"),
        (["fetch", "nothing"], 2, "there are: hapt, watch"),
        (["fetch", "watch"], 3, "no network; plug it in"),
        (["info", "watch", "--json"], 3, "no network; plug it in"),
    ],
)
def test_refusals_are_one_line_and_an_exit_code(
    arguments: list[str], code: int, message: str
) -> None:
    found, out, err = run(*arguments)
    lines = [line for line in err.splitlines() if line.startswith("har: ")]
    document = json.dumps({"error": message, "exit_code": code}, indent=2) + "\n"
    assert (found, len(lines)) == (code, 1)
    assert out == (document if "--json" in arguments else "")
    assert message in lines[0]


def test_a_wrong_csv_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b,c\n")
    code, out, err = run("info", str(path))
    assert (code, out) == (2, "")
    assert "line 1: the header" in err

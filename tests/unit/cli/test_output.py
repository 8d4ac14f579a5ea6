"""What every command prints: one JSON document also on failure, no control character of a name."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import common
from pipeline.cli.common import guarded, note, print_json, say
from pipeline.cli.main import COMMANDS, app
from pipeline.core.console import Console
from pipeline.core.errors import CheckFailed, ExternalError, InputError
from pipeline.core.files import write_npz, write_whole
from pipeline.data.cache import save_recordings
from pipeline.data.catalog import imported_path
from pipeline.data.recording import Recording, Segment

ESCAPE = "\x1b]0;owned\x07\x1b[31m"  # sets a terminal's title and turns its text red


def _commands() -> Iterator[tuple[str, ...]]:
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        for path, each in (
            [((name, sub), leaf) for sub, leaf in inner.items()] if inner else [((name,), command)]
        ):
            assert any("--json" in option.opts for option in each.params), f"{path}: no --json"
            yield path


ALL = sorted(_commands())


def _failure(*arguments: str) -> tuple[int, dict[str, object], str]:
    answer = CliRunner().invoke(app, list(arguments))
    assert "Traceback" not in answer.stderr
    return answer.exit_code, json.loads(answer.stdout), answer.stderr


def test_every_command_is_in_one_panel_of_the_help() -> None:
    group = typer.main.get_command(app)
    context = typer.Context(group)
    assert sorted(group.list_commands(context)) == sorted(group.commands)  # type: ignore[attr-defined]
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "100"}).stdout
    places = [text.index(f" {panel} ") for panel in COMMANDS]
    assert places == sorted(places)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_wrong_usage_is_a_document_with_json_and_none_without(path: tuple[str, ...]) -> None:
    exit_code, document, stderr = _failure(*path, "--json", "--no-such-option")
    assert exit_code == document["exit_code"] == 2
    assert "--no-such-option" in str(document["error"]) and "--no-such-option" in stderr
    answer = CliRunner().invoke(app, [*path, "--no-such-option"])
    assert (answer.exit_code, answer.stdout) == (2, "")


@pytest.mark.parametrize(
    ("raised", "exit_code"),
    [
        (CheckFailed("it does not fit"), 1),
        (InputError("no such file"), 2),
        (ExternalError("disk full"), 3),
        (OSError(28, "No space left on device", "out.csv"), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_failure_is_one_document_and_one_line(
    raised: BaseException, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @guarded
    def fails(as_json: bool, printing: bool = False) -> None:  # noqa: ARG001
        if printing:
            print_json({"port": 1})
        raise raised

    for printing in (False, True):
        common.prepare_output()
        with pytest.raises(typer.Exit) as caught:
            fails(as_json=True, printing=printing)
        assert caught.value.exit_code == exit_code
        out, err = capsys.readouterr()
        document = json.loads(out)  # one document, not two
        if printing:
            assert document == {"port": 1}
        else:
            assert document["exit_code"] == exit_code
            assert err == f"har: {document['error']}\n"
        with pytest.raises(typer.Exit):
            fails(as_json=False)
        assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("parity", "--model", "absent.tflite"),
        ("fit", "--bundle", "absent"),
        ("data", "info", "absent.csv"),
        ("quantize", "--model", "absent"),
        ("head", "show", "--port", "socket://127.0.0.1:9"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_real_failures_are_documents(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exit_code, document, stderr = _failure(*arguments, "--json")
    assert document["exit_code"] == exit_code > 0
    assert str(document["error"]) in stderr


def _clean(text: str) -> None:
    assert "\x1b" not in text and "\x07" not in text
    assert "owned" in text


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a cache of its own."""
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _csv(folder: Path) -> list[str]:
    path = folder / f"{ESCAPE}.csv"
    path.write_text("no recording\n")
    return ["data", "info", str(path)]


def _markup(folder: Path) -> list[str]:
    (folder / "[").mkdir()
    path = folder / "[" / f"bold]{ESCAPE}.csv"  # what rich reads as markup that nothing opened
    path.write_text("no recording\n")
    return ["data", "import", "csv", str(path)]


def _zip(folder: Path) -> list[str]:
    with zipfile.ZipFile(folder / "copy.zip", "w") as archive:
        archive.writestr(f"{ESCAPE}/{ESCAPE}.csv", "no recording\n")
    return ["data", "import", "csv", str(folder / "copy.zip")]


def _json_key(folder: Path) -> list[str]:
    (folder / "train").mkdir()
    write_npz(folder / "train" / "weights.npz", {"x": np.zeros(1)})
    card = {"activities": [ESCAPE], "backbone": ESCAPE, f"extra{ESCAPE}": 1}
    write_whole(folder / "train" / "train.json", json.dumps(card))
    return ["quantize", "--model", str(folder / "train"), "--output", f"{ESCAPE}"]


def _imported(_: Path) -> list[str]:
    recording = Recording(
        samples=np.zeros((300, 6), np.float32),
        rate_hz=50.0,
        subject="one",
        session="one",
        source="test",
        segments=(Segment(0, 300, "walking"),),
    )
    about = {"title": f"[/bold]{ESCAPE}", "importer": "[/csv]", "activities": ["walking"]}
    path = imported_path("mine")
    path.parent.mkdir(parents=True)
    fields = {"sha256": "0", "rate_hz": 50.0, "terms": ESCAPE}
    save_recordings(path, [recording], "0", {**about, **fields})
    return ["data", "list"]


@pytest.mark.parametrize(
    "make", [_csv, _markup, _zip, _imported], ids=lambda make: make.__name__[1:]
)
def test_an_escape_sequence_in_a_name_never_reaches_the_terminal(
    make: Callable[[Path], list[str]], evil: Path
) -> None:
    answer = CliRunner().invoke(app, make(evil), env={"COLUMNS": "200"})
    assert "Traceback" not in answer.stderr
    _clean(answer.stdout + answer.stderr)


def test_an_escape_sequence_in_a_field_of_a_card_never_reaches_the_terminal(evil: Path) -> None:
    answer = CliRunner().invoke(app, _json_key(evil))
    assert answer.exit_code == 2
    assert "\x1b" not in answer.stdout + answer.stderr


def test_lines_tables_and_logged_notes_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    common.prepare_output()
    note(f"{ESCAPE}\ntwo lines")
    say(ESCAPE)
    logging.getLogger("pipeline.test").warning("%s", ESCAPE)
    out, err = capsys.readouterr()
    _clean(out)
    _clean(err)
    assert err.count("\n") == 3
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, color_system=None)
    table = Table("name")
    table.add_row(ESCAPE)
    console.print(table)
    console.print(ESCAPE, markup=False)
    _clean(terminal.getvalue())


def test_an_ascii_terminal_gets_escapes_instead_of_a_traceback() -> None:
    script = (
        "from pipeline.cli.common import prepare_output, say\n"
        "prepare_output()\n"
        "say('5\u202f% Größe \\udc80')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        cwd=Path(common.ROOT),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"5\\u202f% Gr\\xf6\\xdfe \\ufffd\n"

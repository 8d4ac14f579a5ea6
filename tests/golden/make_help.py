"""Writes text/COMMAND.txt, what `--help` of each command prints: `.venv/bin/python -m
tests.golden.make_help`. Run it after a change of wording, and read the difference before you
commit it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer.testing import CliRunner

from pipeline.cli.main import app

FOLDER = Path(__file__).resolve().parent / "text"
COLUMNS = "100"
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command behind `har`: (), ("train",), ("data", "list"), ..."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield words
        for name, each in getattr(command, "commands", {}).items():
            yield from below(each, (*words, name))

    return below(typer.main.get_command(app), ())


def help_text(words: tuple[str, ...]) -> str:
    """What `har WORDS --help` prints in a terminal of 100 columns, without colours."""
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": COLUMNS, "TERM": "xterm"})
    assert result.exit_code == 0, result.output
    lines = _ESCAPES.sub("", result.output).strip().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def documents() -> dict[str, str]:
    """File name -> text."""
    return {"-".join(("har", *words)) + ".txt": help_text(words) for words in commands()}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("har*.txt"):
        path.unlink()
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

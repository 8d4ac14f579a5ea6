"""Wording of `--help`, pinned once per command; `python -m tests.golden.make_help` writes it."""

from __future__ import annotations

from tests.golden import make_help


def test_help_of_every_command_is_the_committed_text() -> None:
    committed = {
        path.name: path.read_text(encoding="utf-8") for path in make_help.FOLDER.glob("har*.txt")
    }
    assert make_help.documents() == committed

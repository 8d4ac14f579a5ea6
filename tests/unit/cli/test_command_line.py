"""What reports say was typed."""

from __future__ import annotations

import sys

import pytest

from pipeline.cli.common import command_line

SECRET = "p%40ss/word:1"
WHO = f":{SECRET}@one"  # apart from the user, so that no line looks like one with a secret


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["--storage", "postgresql://har@one/har"], "postgresql://har@one/har"),
        (["--storage", "mysql+pymysql://a" + WHO + ":3306/d"], "a:***@one:3306/d"),
        (["--storage=postgresql://har" + WHO + "/har"], "har:***@one/har"),
        (["--port", "socket://127.0.0.1:43210"], "socket://127.0.0.1:43210"),
    ],
)
def test_a_database_s_password_is_not_told(
    typed: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/har", "fxcy", *typed])
    said = command_line()
    assert said.startswith("har fxcy ") and told in said
    assert SECRET not in said and "word" not in said

"""What reports say was typed."""

from __future__ import annotations

import sys

import pytest

from pipeline.cli.common import command_line


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["har", "fxcy", "--storage", "postgresql://har@one/har"], "postgresql://har@one/har"),
        (
            ["har", "fxcy", "--storage", "mysql+pymysql://a:p%40ss@one:3306/d"],
            "://a:***@one:3306/d",
        ),
        (["har", "fxcy", "--storage=postgresql://har:s3cret/x:y@one/har"], "://har:***@one/har"),
        (["har", "stream", "--port", "socket://127.0.0.1:43210"], "socket://127.0.0.1:43210"),
    ],
)
def test_a_database_s_password_is_not_told(
    typed: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/har", *typed[1:]])
    said = command_line()
    assert said.startswith("har ") and told in said
    assert "ss@" not in said and "s3cret" not in said

"""The closing tables, pinned once per command; `python -m tests.golden.make_reports` writes
them."""

from __future__ import annotations

from tests.golden import make_reports


def test_the_closing_tables_are_the_committed_text_at_80_columns() -> None:
    for name, text in make_reports.documents().items():
        assert (make_reports.FOLDER / name).read_text(encoding="utf-8") == text, name
        assert max(map(len, text.splitlines())) <= make_reports.COLUMNS
        assert "\u2026" not in text

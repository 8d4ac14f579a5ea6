"""Tables as data, in the terminal; claims; and figures as text."""

from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from pipeline.core.format import kilobytes, percent, points
from pipeline.report.claims import Claim, claims_table, span
from pipeline.report.fields import SubjectScore, flat_csv
from pipeline.report.tables import (
    MISSING,
    Cell,
    Table,
    confusion_table,
    group_table,
    number,
    share,
    terminal,
)
from tests.unit.report.samples import ACTIVITIES, CONFUSION

CLAIMS = [
    Claim(claim="a is above b", published="4 of 4", measured="3 of 8", n=8, holds=False),
    Claim(claim="it is faster", published="", measured="", n=0, holds=None),
    Claim(claim="equal", published="0", measured="0", n=3, holds=True),
]


def _text(table: Table, width: int = 100) -> str:
    written = io.StringIO()
    Console(file=written, width=width).print(terminal(table))
    return written.getvalue()


def test_names_are_no_markup_and_controls_are_shown() -> None:
    names = ("[red]walking[/red]", "a\nb", *ACTIVITIES[2:])
    text = _text(confusion_table(names, CONFUSION), width=300)
    assert "[red]walking[/red]" in text and "a\ufffdb" in text


def test_figures_are_never_cut_and_long_names_fold() -> None:
    rows = [["n" * 60, Cell("1,234,567"), "89.1"]]
    text = _text(Table("t", ("name", "count", "share"), rows), width=40)
    assert "1,234,567" in text and "89.1" in text and "…" not in text
    assert text.count("n") > 60


def test_the_worst_group_stands_first() -> None:
    table = group_table(
        "subject",
        {name: SubjectScore(share, 9) for name, share in (("a", 0.9), ("b", 0.7), ("c", 0.9))},
    )
    assert [row[0] for row in table.rows] == ["b", "a", "c"]


def test_a_table_without_some_columns_keeps_the_others_with_their_cells() -> None:
    table = Table("t", ("a", "b", "c"), [["1", "2", "3"], ["4", "5", "6"]]).without("b", "z")
    assert (table.columns, table.rows) == (["a", "c"], [["1", "3"], ["4", "6"]])


def test_claims_say_yes_no_or_nothing() -> None:
    assert [row[-1] for row in claims_table(CLAIMS).rows] == [
        *(Cell("no", "bad"), Cell(MISSING, "dim"), Cell("yes", "good"))
    ]
    assert max(map(len, _text(claims_table(CLAIMS), 80).splitlines())) <= 80


def test_claims_are_rows_of_a_csv_file() -> None:
    rows = list(csv.DictReader(io.StringIO(flat_csv(Claim, CLAIMS))))
    assert list(rows[0]) == ["claim", "published", "measured", "n", "holds"]
    assert [row["holds"] for row in rows] == ["false", "", "true"]


def test_a_span_is_the_least_and_the_greatest() -> None:
    assert span([2.0, 5.34, -1.25]) == "\u22121.2 to 5.3"
    assert span([2.0, 2.01]) == "2.0" and span([]) == MISSING


def test_numbers_have_a_true_minus_and_no_negative_zero() -> None:
    assert [number(value, 1, sign=True) for value in (7.12, -2.0, -0.01)] == [
        *("+7.1", "\u22122.0", "+0.0")
    ]
    assert (number(None), share(None), share(0.5)) == (MISSING, MISSING, "50.0")


@pytest.mark.parametrize(
    ("share_", "text"), [(1.0, "100.0"), (0.9999, "99.9"), (0.0, "0.0"), (0.0001, "0.1")]
)
def test_only_all_is_100_percent_and_only_none_is_0(share_: float, text: str) -> None:
    assert percent(share_) == f"{text}\u202f%"


def test_units_are_told() -> None:
    assert kilobytes(512) == "512 B"
    assert kilobytes(917504) == "896.0 KB"
    assert points(-0.012) == "\u22121.2 points"

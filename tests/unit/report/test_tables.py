"""The terminal's tables, and the words that numbers are told in."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from pipeline.core.format import kilobytes, percent, points
from pipeline.demo.details import per_activity
from pipeline.demo.report import demo_table
from pipeline.report.tables import confusion_table, subject_table
from tests.unit.report.samples import (
    ACTIVITIES,
    CONFUSION,
    host_report,
    sample_details,
    sample_report,
)


def _text(table: RenderableType, width: int = 100) -> str:
    written = io.StringIO()
    Console(file=written, width=width).print(table)
    return written.getvalue()


def test_the_closing_table_fits_and_says_what_counts() -> None:
    text = _text(demo_table(sample_report()))
    assert max(map(len, text.splitlines())) <= 100
    for part in ("96.3", "person 10", "85.3", "+9.4 points", "612,345", "9f3c2b7a11d04e85", "QEMU"):
        assert part in text


@pytest.mark.parametrize(("serves", "who"), [(True, "learned head"), (False, "shipped head")])
def test_the_closing_table_tells_who_answers(serves: bool, who: str) -> None:
    report = sample_report()
    outcomes = {"learned": 24, "held_back": 5, "undone": 1}
    report["learning"] |= {"serves": serves, "outcomes": outcomes}
    (row,) = [line for line in _text(demo_table(report)).splitlines() if "who answers" in line]
    assert who in row and "24 labels learned, 5 held back, 1 undone" in row


def test_the_closing_table_of_a_host_process_says_so() -> None:
    text = _text(demo_table(host_report()))
    assert text.count("host process: no emulator was used") == 2
    assert "not counted" in text


def test_names_are_no_markup() -> None:
    names = ("[red]walking[/red]", *ACTIVITIES[1:])
    assert "[red]walking[/red]" in _text(confusion_table(names, CONFUSION), width=300)


def test_people_stand_best_first() -> None:
    lines = _text(subject_table(sample_details().per_subject)).splitlines()
    people = [line.split()[0] for line in lines if line.strip()[:1].isdigit()]
    assert (people[0], people[-1]) == ("24", "10")


def test_per_activity_is_the_share_of_each_row() -> None:
    shares = per_activity(ACTIVITIES, CONFUSION)
    assert shares["lying"] == 1.0
    assert shares["walking"] == pytest.approx(486 / 496)
    empty = CONFUSION.copy()
    empty[5] = 0
    assert per_activity(ACTIVITIES, empty)["lying"] is None


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "100.0"), (0.9999, "99.9"), (0.0, "0.0"), (0.0001, "0.1")]
)
def test_only_all_is_100_percent_and_only_none_is_0(share: float, text: str) -> None:
    assert percent(share) == f"{text}\u202f%"


def test_units_are_told() -> None:
    assert kilobytes(512) == "512 B"
    assert kilobytes(917504) == "896.0 KB"
    assert points(-0.012) == "\u22121.2 points"

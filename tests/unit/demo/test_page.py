"""The page and picture of the demo: every figure, nothing hidden."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from pipeline.demo.report import demo_page, demo_picture
from pipeline.demo.schema import DemoReport, per_activity
from pipeline.report.fields import SubjectScore
from pipeline.report.html import Picture
from tests.unit.report.samples import (
    ACTIVITIES,
    CONFUSION,
    host_report,
    sample_details,
    sample_report,
)
from tests.unit.report.test_html import HOSTILE, Parsed


def _render(report: dict[str, object] | None = None, **details: object) -> str:
    """The page with no picture drawn."""
    checked = DemoReport.model_validate(report or sample_report())
    return demo_page(checked, sample_details(**details), Picture("<svg/>", "drawn elsewhere"))


@cache
def _picture() -> Picture:
    return demo_picture(DemoReport.model_validate(sample_report()), sample_details())


def test_the_page_has_every_figure_of_the_report() -> None:
    page = Parsed(_render())
    assert page.open == []
    for part in ("96.3", "subject 10", "85.3", "+9.4 points", "612,345", "8,123", "QEMU"):
        assert part in page.text
    for part in ("9f3c2b7a11d04e85", "76.6 KB of 896.0 KB", "CC BY 4.0.", "486", "7,352"):
        assert part in page.text
    assert page.values("href") == []


def test_hostile_activity_names_stay_text() -> None:
    names = (*HOSTILE, "two\nlines\x00\u202e")
    page = Parsed(_render(activities=names))
    assert page.open == [] and "script" not in page.tags and page.tags.count("img") == 1
    assert all(name in page.text for name in HOSTILE)


def test_the_picture_says_in_words_what_it_shows() -> None:
    assert "85.1" in _picture().alt and "94.5" in _picture().alt
    for word in (*ACTIVITIES, "subject 10", "before", "after", "labelled window"):
        assert f"{word}" in _picture().svg


def test_a_host_process_is_named_on_the_page() -> None:
    note = "host process: no emulator was used"
    page = Parsed(_render(host_report()))
    assert page.text.lower().count(note) >= 3 and "not counted" in page.text
    assert note not in _render()


@pytest.mark.parametrize(("serves", "head"), [(True, "learned"), (False, "factory")])
def test_what_became_of_the_labels_and_the_active_head_are_shown(serves: bool, head: str) -> None:
    report = sample_report()
    report["learning"]["serves"] = report["learning"]["everyone"][0]["serves"] = serves
    text = _render(report)
    assert "24, 5, 1" in text and f">{head}</td>" in text
    assert f">{serves}</td>" in text and ">0.945</td>" in text


def test_mismatches_and_losses_are_shown_as_bad() -> None:
    clean = _render()
    report = sample_report(
        samples_lost=3, parity={"compared": 640, "mismatches": 2}, predictions_received=639
    )
    assert clean.count('class="bad"') == 0
    assert _render(report).count('class="bad"') == 3


def test_an_activity_without_windows_is_no_bar_of_the_picture() -> None:
    scores: dict[str, float | None] = dict.fromkeys(ACTIVITIES, 0.9)
    scores["lying"] = None
    details = sample_details(before=scores, after=scores, label_probabilities=())
    drawn = demo_picture(DemoReport.model_validate(sample_report()), details).svg
    assert _picture().svg.count(">lying<") == 3 and drawn.count(">lying<") == 2


def test_per_activity_is_the_share_of_each_row() -> None:
    shares = per_activity(ACTIVITIES, CONFUSION)
    assert shares["lying"] == 1.0
    assert shares["walking"] == pytest.approx(486 / 496)
    empty = CONFUSION.copy()
    empty[5] = 0
    assert per_activity(ACTIVITIES, empty)["lying"] is None


def test_many_subjects_and_activities_fit() -> None:
    names = tuple(f"activity {at}" for at in range(12))
    people = {f"p{at}": SubjectScore(0.9, 10) for at in range(48)}
    text = _render(activities=names, confusion=np.eye(12, dtype=int) * 5, per_subject=people)
    assert Parsed(text).open == []


def test_details_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="confusion"):
        sample_details(confusion=CONFUSION[:2])
    with pytest.raises(ValueError, match="no subject"):
        sample_details(per_subject={})

"""The page: one file, nothing from outside, nothing believed, nothing hidden."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from pipeline.demo.report import demo_page
from pipeline.demo.schema import DemoReport
from pipeline.report.fields import SubjectScore
from tests.unit.report.samples import CONFUSION, host_report, sample_details, sample_report

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$\\frac{",
    "a & b",
    "-->",
    "two\nlines\x00\u202e",
)


class _Page(HTMLParser):
    """Collects tags, attributes, visible text and open elements."""

    void = frozenset({"meta", "link", "img", "br", "hr", "input", "use", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


def _render(report: dict[str, object] | None = None, **details: object) -> str:
    return demo_page(
        DemoReport.model_validate(report or sample_report()), sample_details(**details)
    )


def test_nothing_is_loaded_from_outside() -> None:
    text = _render()
    page = _Page(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.tags)
    assert page.values("src") == []
    links = [value for value in page.values("href") if not value.startswith("#")]
    assert links == ["https://doi.org/10.1016/j.neucom.2015.07.085"]
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert addresses == set(links)
    assert not re.search(r"@import|url\((?!#)", text)


def test_hostile_activity_names_stay_text() -> None:
    text = _render(activities=HOSTILE)
    page = _Page(text)
    assert page.open == []
    assert not {"script", "img"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    for name in HOSTILE[:5]:
        assert name in page.text
    assert "\x00" not in text


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "//elsewhere"])
def test_only_web_addresses_become_links(link: str) -> None:
    page = _Page(_render(citation_url=link))
    assert [value for value in page.values("href") if not value.startswith("#")] == []


def test_every_picture_says_in_words_what_it_shows() -> None:
    page = _Page(_render())
    pictures = page.tags.count("svg")
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert pictures == len(labels) == 5
    assert all(len(label) > 20 for label in labels)
    assert any("person 10" in label and "85.3" in label for label in labels)


def test_ids_are_unique_and_every_reference_has_its_target() -> None:
    text = _render()
    ids = _Page(text).values("id")
    assert len(ids) == len(set(ids))
    references = re.findall(r"url\(#([^)]+)\)", text) + re.findall(r'href="#([^"]+)"', text)
    assert set(references) <= set(ids)


def test_pictures_follow_the_colours_of_the_page() -> None:
    text = _render()
    pictures = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert "#0a0b" not in pictures
    named = set(re.findall(r"var\((--[a-z-]+)\)", text))
    defined = set(re.findall(r"(--[a-z-]+):", text))
    assert named <= defined


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert _render() == _render()


def test_a_host_process_is_named_everywhere() -> None:
    note = "host process: no emulator was used"
    text = _render(host_report())
    title = re.search(r"<title>(.*?)</title>", text)
    assert title
    assert note in title[1]
    assert _Page(text).text.lower().count(note) >= 5
    assert "not counted" in text
    assert note not in _render()


def test_the_headline_claims_no_more_than_was_measured() -> None:
    def headline(**learning: object) -> str:
        report = sample_report()
        report["learning"] |= learning
        found = re.search(r"<h1>(.*?)</h1>", _render(report))
        assert found
        return found[1]

    assert "remembers after a power cut" in headline()
    assert "forgot after a power cut" in headline(survived_power_cycle=False)
    assert "did not help" in headline(accuracy_after=0.8)
    assert "did not help" in headline(accuracy_after=0.8, serves=True)
    assert "found no reason to change" in headline(accuracy_after=0.851, serves=False)


@pytest.mark.parametrize(("serves", "who"), [(True, "learned"), (False, "shipped")])
def test_what_became_of_the_labels_and_who_answers_is_told(serves: bool, who: str) -> None:
    report = sample_report()
    person = {"id": 10, "labelled_windows": 30, "test_windows": 250, "serves": serves}
    person |= {"accuracy_before": 0.851, "accuracy_after": 0.945}
    outcomes = {"learned": 24, "held_back": 5, "undone": 1}
    report["learning"] |= {"serves": serves, "outcomes": outcomes, "everyone": [person]}
    page = _Page(_render(report)).text
    assert "24, 5, 1" in page
    assert f"the {who} head" in page
    assert page.count("learned one is better") == (not serves)
    assert re.search(rf"\+9\.4 points\s*{who}", page)


def test_mismatches_and_losses_are_shown_as_bad() -> None:
    clean = _render()
    report = sample_report(
        samples_lost=3, parity={"compared": 640, "mismatches": 2}, predictions_received=639
    )
    assert clean.count('class="bad"') == 0
    assert _render(report).count('class="bad"') == 3


def test_an_activity_without_windows_is_said_so() -> None:
    scores: dict[str, float | None] = dict.fromkeys(sample_details().activities, 0.9)
    scores["lying"] = None
    assert "no window of this activity" in _render(before=scores, after=scores)


@pytest.mark.parametrize("k", [2, 12])
def test_few_and_many_activities_fit(k: int) -> None:
    names = tuple(f"activity {i}" for i in range(k))
    confusion = np.eye(k, dtype=int) * 5
    people = {f"p{i}": SubjectScore(0.9, 10) for i in range(4 * k)}
    text = _render(activities=names, confusion=confusion, per_subject=people)
    assert _Page(text).open == []


def test_details_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="confusion"):
        sample_details(confusion=CONFUSION[:2])
    with pytest.raises(ValueError, match="nobody"):
        sample_details(per_subject={})

"""The page: one file, nothing from outside, nothing believed. Every report's page is made by this
template."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from pipeline.report.html import Page, Picture, Section
from pipeline.report.tables import Cell, Table

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "a & b",
    "-->",
)


class Parsed(HTMLParser):
    """Tags, attributes and visible text; what is opened is closed."""

    void = frozenset({"meta", "link", "img", "br", "hr", "input"})

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

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


def _page(name: str = "name") -> str:
    table = Table(name, (name, "n"), [[name, Cell("1", "bad")]], [name])
    return Page(
        command=name,
        title=name,
        lead=name,
        notices=[name],
        sections=[Section(name, name, [Picture("<svg/>", name)], [table], {name: name})],
        footer=name,
    ).html()


def test_nothing_is_loaded_from_outside() -> None:
    text = _page()
    page = Parsed(text)
    assert page.open == []
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert all(value.startswith("data:image/svg+xml;base64,") for value in page.values("src"))
    assert page.values("href") == re.findall(r"https?://", text) == []
    assert not re.search(r"@import|url\(", text)
    assert "default-src 'none'" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text_wherever_they_stand(name: str) -> None:
    page = Parsed(_page(name))
    assert page.open == []
    assert page.tags.count("img") == 1 and "script" not in page.tags
    assert not [each for _, each, _ in page.attributes if each.startswith("on")]
    assert page.text.count(name) >= 11
    assert page.values("alt") == [name]


def test_every_colour_is_defined_in_light_and_dark() -> None:
    text = _page()
    used = set(re.findall(r"var\((--[a-z-]+)\)", text))
    for block in re.findall(r":root \{([^}]*)\}", text):
        assert used <= set(re.findall(r"(--[a-z-]+):", block))

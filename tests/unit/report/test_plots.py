"""Pictures: one file each, the same bytes twice, nothing from outside believed."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from pipeline.report.fields import SubjectScore
from pipeline.report.plots import canvas, draw_confusion, draw_subjects, label, svg


def _drawn(names: tuple[str, ...]) -> str:
    with canvas("test", 8.0, 4.0) as figure:
        left, right = figure.subplots(1, 2)
        draw_confusion(left, names, 5 * np.eye(len(names), dtype=int))
        draw_subjects(right, {name: SubjectScore(0.9, 10) for name in names}, 0.9)
        return svg(figure)


@pytest.mark.parametrize("k", [2, 12])
def test_few_and_many_activities_are_drawn_the_same_twice(k: int) -> None:
    names = tuple(f"activity {at}" for at in range(k))
    drawn = _drawn(names)
    assert drawn == _drawn(names)
    root = ElementTree.fromstring(drawn)
    texts = {"".join(each.itertext()).strip() for each in root.iter() if each.tag.endswith("text")}
    assert {"5", *names} <= texts
    assert "<metadata" not in drawn and drawn.count("\n") == 1


def test_hostile_names_stay_text() -> None:
    names = ("$\\frac{", "</svg><script>alert(1)</script>", "two\nlines\x00\u202e")
    root = ElementTree.fromstring(_drawn(names))
    assert not [each for each in root.iter() if each.tag.endswith("script")]
    texts = ["".join(each.itertext()) for each in root.iter() if each.tag.endswith("text")]
    assert any("$\\frac{" in text for text in texts)


def test_a_long_name_is_cut_and_controls_are_shown() -> None:
    assert label("x" * 30) == "x" * 17 + "…"
    assert label("a\nb") == "a\ufffdb"

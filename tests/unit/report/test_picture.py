import xml.etree.ElementTree as ElementTree

import pytest

from pipeline.report.picture import side_by_side

SQUARE = '<svg viewBox="0 0 100 100" aria-label="a"><rect fill="var(--warn)"/></svg>'


def test_pictures_stand_side_by_side_in_one_file_that_needs_no_page() -> None:
    text = side_by_side({"left": SQUARE, "right": SQUARE})
    root = ElementTree.fromstring(text)
    inner = [child for child in root if child.tag.endswith("svg")]
    assert [child.get("height") for child in inner] == ["300.0", "300.0"]
    left, right = (float(child.get("x") or 0) for child in inner)
    assert right >= left + 300
    assert "var(" not in text


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="left"):
        side_by_side({"left": "<p>"})

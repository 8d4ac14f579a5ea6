"""docs/OPERATORS.md is what the compiler takes."""

from __future__ import annotations

from pathlib import Path

from pipeline.compiler import OPERATORS
from pipeline.compiler.__main__ import operators_page
from pipeline.compiler.operators.concatenation import MAX_CONCATENATED
from pipeline.compiler.operators.softmax import MAX_SOFTMAX_DEPTH

PAGE = Path(__file__).parents[3] / "docs" / "OPERATORS.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == operators_page(), "run `make operators`"


def test_limits_in_the_table_are_those_of_the_compiler() -> None:
    assert f"up to {MAX_CONCATENATED} activations" in OPERATORS["CONCATENATION"].supported
    assert f"up to {MAX_SOFTMAX_DEPTH} classes" in OPERATORS["SOFTMAX"].supported

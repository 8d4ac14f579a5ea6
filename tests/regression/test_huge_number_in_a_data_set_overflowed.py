"""A number beyond float32 overflowed in the cast to samples instead of being one clear line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data.importers import open_tree


@pytest.mark.parametrize("number", ["1e300", "-3.5e38"])
def test_a_number_beyond_float32_is_refused_and_names_its_file(tmp_path: Path, number: str) -> None:
    (tmp_path / "a.txt").write_text(f"1 2\n{number} nan\n")
    with (
        open_tree(tmp_path, re.compile(r"a\.txt$"), "a.txt") as tree,
        pytest.raises(InputError, match=r"a\.txt: a number beyond float32"),
    ):
        tree.table("a.txt", 2)


def test_numbers_that_are_missing_still_pass(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1 nan\n3.4e38 inf\n")
    with open_tree(tmp_path, re.compile(r"a\.txt$"), "a.txt") as tree:
        assert np.isnan(tree.table("a.txt", 2)[0, 1])

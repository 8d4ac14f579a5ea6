"""Digits come straight out of a wheel that is never installed."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data.digits import MEMBER, load_digits, read_digits


def wheel(path: Path, text: str, member: str = MEMBER) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, gzip.compress(text.encode()))
    return path


def line(digit: int, gray: int = 16) -> str:
    """The first row of pixels is black on white."""
    return ",".join(map(str, [gray] * 8 + [0] * 56 + [digit])) + "\n"


def test_pixels_stand_row_by_row_and_reach_from_0_to_1(tmp_path: Path) -> None:
    images, digits = read_digits(wheel(tmp_path / "a.whl", line(3) + line(9, gray=4)))
    assert images.shape == (2, 8, 8, 1)
    assert images.dtype == np.float32
    assert (images[0, 0] == 1).all() and not images[0, 1:].any()
    assert (images[1, 0] == 0.25).all()
    assert digits.tolist() == [3, 9]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a table"),
        ("1,2,3\n", "65 columns"),
        ("digit\n", "no table of whole numbers"),
        (line(10), "a digit beyond 0..9"),
        (line(1, gray=17), "a gray value beyond 0..16"),
        (line(1) * 2000, "longer than 270000 bytes"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*input contained no data")
def test_anything_else_is_refused_by_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        read_digits(wheel(tmp_path / "a.whl", text))
    assert "a.whl" in str(error.value)
    assert "\n" not in str(error.value)


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such member"):
        read_digits(wheel(tmp_path / "a.whl", line(1), member="other.csv.gz"))


def test_the_pinned_wheel_has_the_digits() -> None:
    images, digits = load_digits(progress=False)
    assert images.shape == (1797, 8, 8, 1)
    assert (images.min(), images.max()) == (0, 1)
    assert np.bincount(digits).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert digits[:12].tolist() == [*range(10), 0, 1]

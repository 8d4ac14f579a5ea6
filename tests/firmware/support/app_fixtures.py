"""A board that runs the app's `program`, which whoever imports these names as a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.support.app_board import Board

__all__ = ["board", "flash"]


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "flash.img"


@pytest.fixture
def board(program: Path, flash: Path) -> Iterator[Board]:
    with Board(program, flash) as running:
        running.hello()
        yield running

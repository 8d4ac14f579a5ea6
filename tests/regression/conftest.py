"""The app over its scripted board (tests/firmware/support/app_board.c)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.support.app_board import Board, build_app


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_app(tmp_path_factory.mktemp("app") / "app")


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "flash.img"


@pytest.fixture
def board(program: Path, flash: Path) -> Iterator[Board]:
    with Board(program, flash) as running:
        running.hello()
        yield running

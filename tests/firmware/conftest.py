"""The app over its scripted board (tests/firmware/support/app_board.c)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.firmware.support.app_board import build_app
from tests.firmware.support.app_fixtures import board, flash

__all__ = ["board", "flash", "program"]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_app(tmp_path_factory.mktemp("app") / "app")

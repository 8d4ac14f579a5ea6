"""The app over its scripted board (tests/firmware/support/app_board.c)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.firmware.support.app_fixtures import board, flash
from tests.support.programs import c_program

__all__ = ["board", "flash", "program"]


@pytest.fixture(scope="session")
def program() -> Path:
    return c_program("app")

"""The app's fixtures, for tests that say which `program` they run."""

from tests.firmware.support.app_fixtures import board, flash

__all__ = ["board", "flash"]

"""The emulated board counted its milliseconds in interrupts, which are masked while a count runs:
however long an inference took, at most one tick of 20 ms was made up for afterwards."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.sim.build import build_image
from pipeline.sim.emulator import launch
from tests.support.board_check import Wire

pytestmark = pytest.mark.emulated

INSTRUCTION_MS = 64e-6
TURNS = 10_000_000  # of two instructions: 1.28 s, so the timer also passes zero


def test_the_clock_goes_on_while_interrupts_are_masked(tmp_path: Path) -> None:
    image = build_image("har_board_check", "mps2", tmp_path / "build")
    with launch("mps2", image.path, tmp_path / "flash") as emulator, Wire(emulator.port) as wire:
        for _ in range(2):
            begin, before = time.monotonic(), wire.ask(b"m")
            counted_ms = wire.ask(b"c", TURNS) * INSTRUCTION_MS
            passed_ms = wire.ask(b"m") - before
            idle_ms = 1000 * (time.monotonic() - begin)
            assert counted_ms > 1279
            assert counted_ms - 1 <= passed_ms <= counted_ms + 4 * idle_ms + 1000

"""Novelty and smoother on a Cortex-M4F equal NumPy bit for bit, with its floating-point unit and
without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulated.test_learner_cortex_m4 import FLOATS, run_script
from tests.firmware.support.learner import SMOOTHER_SOURCES, build_mps2
from tests.firmware.support.smoother import SCRIPTS, encode, expected_rows

pytestmark = pytest.mark.emulated


@pytest.mark.parametrize("floats", FLOATS)
def test_cortex_m4_and_numpy_agree_bit_for_bit_on_each_window(floats: str, tmp_path: Path) -> None:
    image = build_mps2(tmp_path / "smoother.elf", *FLOATS[floats], sources=SMOOTHER_SOURCES)
    for name, script in SCRIPTS.items():
        trace = run_script(image, tmp_path / "ram", encode(script))
        assert trace == expected_rows(script).tobytes(), name

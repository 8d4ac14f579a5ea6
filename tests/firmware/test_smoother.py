"""Novelty and smoother in C equal NumPy bit for bit, however they are compiled."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from tests.firmware.support.smoother import SCRIPTS, encode, expected_rows
from tests.support.programs import c_program

BUILDS = ("o2", "o3_native", "sanitized")


@pytest.mark.parametrize("build", BUILDS)
def test_c_and_numpy_agree_bit_for_bit_on_each_window(build: str) -> None:
    program = c_program(f"smoother_{build}")
    for name, script in SCRIPTS.items():
        result = subprocess.run([program], input=encode(script), capture_output=True)
        assert result.returncode == 0, result.stderr.decode()
        assert result.stdout == expected_rows(script).tobytes(), name


def test_the_scripts_are_worth_the_name() -> None:
    """Known and unknown windows, restarts, and beliefs that are no probabilities of one window."""
    for name, script in SCRIPTS.items():
        rows = expected_rows(script)
        assert 50 < (rows[:, 1] > 1).sum() < len(rows) - 50, name
        assert len(rows) < len(script.x)
        assert np.isfinite(rows).all()
        assert np.allclose(rows[:, 2:].sum(axis=1), 1, atol=1e-5)
        kept = script.probabilities[script.activities < len(script.limits)]
        differs = (rows[:, 2:].argmax(axis=1) != kept.argmax(axis=1)).sum()
        assert (differs == 0) if name == "switched off" else (differs > 20), name

"""What no number of labels may do to the learner."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.programs import c_program


@pytest.mark.slow("three marathons")
def test_a_hundred_thousand_labels_stay_bounded_and_leave_no_trace_behind_a_reset() -> None:
    """The program checks all that must hold after each of them (learner_marathon.c)."""
    labels = 100_000
    done = subprocess.run(
        [c_program("learner_marathon"), str(labels)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(lines) == 3
    for taken, updates, held, undone, refused, taken_back in lines:
        assert taken == labels == updates + held + undone
        assert min(updates, held, undone) > labels // 10
        assert min(refused, taken_back) > labels // 100

"""What no number of labels may do to the learner."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.firmware.support.learner import INCLUDES, LEARN, SUPPORT


def test_a_hundred_thousand_labels_stay_bounded_and_leave_no_trace_behind_a_reset(
    tmp_path: Path,
) -> None:
    """The program checks all that must hold after each of them (learner_marathon.c)."""
    labels = 100_000
    sources = [SUPPORT / "learner_marathon.c", SUPPORT / "learner_room.c", *LEARN]
    checks = ["-fsanitize=undefined", "-fno-sanitize-recover=all"]
    command = ["gcc", "-std=c11", "-O2", *checks, "-ffp-contract=off", *INCLUDES]
    command += map(str, sources)
    subprocess.run([*command, "-lm", "-o", str(tmp_path / "marathon")], check=True)
    done = subprocess.run(
        [tmp_path / "marathon", str(labels)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(lines) == 3
    for taken, updates, held, undone, refused, taken_back in lines:
        assert taken == labels == updates + held + undone
        assert min(updates, held, undone) > labels // 10
        assert min(refused, taken_back) > labels // 100

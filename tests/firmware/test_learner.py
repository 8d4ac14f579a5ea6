"""The learner's C equals NumPy bit for bit, after every one of hundreds of updates, however it is
compiled; and its own sanitizers find nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support.learner import ALL_SCRIPTS, SCRIPTS, build_host, encode, expected_trace

BUILDS = {
    "O2": ["-O2"],
    "Os unsigned char": ["-Os", "-funsigned-char"],
    "O3 with all this machine has": ["-O3", "-march=native"],
    "sanitized": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}


@pytest.mark.parametrize("build", BUILDS)
def test_c_and_numpy_agree_bit_for_bit_after_each_update(build: str, tmp_path: Path) -> None:
    program = build_host(tmp_path / "learner", *BUILDS[build])
    for name, script in ALL_SCRIPTS.items():
        result = subprocess.run([program], input=encode(script), capture_output=True)
        assert result.returncode == 0, result.stderr.decode()
        assert result.stdout == expected_trace(script), f"{name}: {_where(script, result.stdout)}"


def _where(script: object, trace: bytes) -> str:
    expected = np.frombuffer(expected_trace(script), np.uint32)  # type: ignore[arg-type]
    found = np.frombuffer(trace, np.uint32)
    if found.shape != expected.shape:
        return f"{found.size} words, not {expected.size}"
    return f"first difference at word {int(np.argmax(found != expected))}"


def test_the_scripts_are_worth_the_name() -> None:
    """Each learns at least 300 times and has refusals in it, and each lesson moves the tail unless
    the label was certain already."""
    for script in SCRIPTS.values():
        activities, features = script.weights.shape
        words = np.frombuffer(expected_trace(script), np.uint32)[len(script.exponents) :]
        rows = words.reshape(len(script.labels), activities + 2 + activities * (features + 1))
        statuses, crcs = rows[:, activities], rows[:, activities + 1]
        assert (statuses == 0).sum() >= 300
        assert statuses[50] == 1 and statuses[60] == 7
        assert crcs[50] == crcs[49] and crcs[60] == crcs[59]
        certain = rows[np.arange(len(rows)), script.labels % activities] == np.float32(1).view("u4")
        stayed = (crcs[1:] == crcs[:-1]) & (statuses[1:] == 0)
        assert not (stayed & ~certain[1:]).any()
        assert len(set(crcs.tolist())) >= 250


def test_contracting_multiply_and_add_would_be_noticed(tmp_path: Path) -> None:
    """Why -ffp-contract=off is in every build: with fused operations the bits differ."""
    probe = 'int main(void) { return __builtin_cpu_supports("fma") ? 0 : 1; }'
    subprocess.run(["gcc", "-xc", "-", "-o", tmp_path / "probe"], input=probe.encode(), check=True)
    if subprocess.run([tmp_path / "probe"]).returncode != 0:
        pytest.skip("this processor has no fused multiply-add")
    program = build_host(tmp_path / "learner", "-O2", "-mfma", "-ffp-contract=fast")
    script = SCRIPTS["as shipped"]
    result = subprocess.run([program], input=encode(script), capture_output=True, check=True)
    assert result.stdout != expected_trace(script)

"""The learner's C equals NumPy bit for bit, after every one of hundreds of labels, however it is
compiled; what it refuses changes nothing; and its own sanitizers find nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support.harness import STRICT
from tests.firmware.support.learner import (
    ALL_SCRIPTS,
    ARGUMENT,
    EDGES,
    EXPLODES,
    INCLUDES,
    LEARN,
    NOT_FINITE,
    OK,
    SCRIPTS,
    STATE,
    Do,
    Script,
    encode,
    expected_trace,
    rows_of,
)
from tests.support.programs import c_program

BUILDS = ("o2", "os_unsigned_char", "o3_native", "sanitized")
CORTEX_M4 = ["-mcpu=cortex-m4", "-mthumb"]
COMPILERS = {
    "host": ["gcc"],
    "Cortex-M4F": ["arm-none-eabi-gcc", *CORTEX_M4, "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "Cortex-M4, soft floats": ["arm-none-eabi-gcc", *CORTEX_M4, "-mfloat-abi=soft"],
}

# Columns of a trace.
STATUS, OUTCOME, CRC, ACTIVITIES, UPDATES = range(5)
JUDGED, SHIPPED_RIGHT, LEARNED_RIGHT, UNDONE, SERVES, CAN_UNDO, HELD, HELD_RIGHT = range(7, 15)
LEARNED, HELD_BACK, TAKEN_BACK = range(3)


@pytest.mark.parametrize("build", BUILDS)
def test_c_and_numpy_agree_bit_for_bit_after_each_label(build: str) -> None:
    program = c_program(f"learner_{build}")
    for name, script in ALL_SCRIPTS.items():
        result = subprocess.run([program], input=encode(script), capture_output=True)
        assert result.returncode == 0, result.stderr.decode()
        assert result.stdout == expected_trace(name), f"{name}: {_where(name, result.stdout)}"


def _where(name: str, trace: bytes) -> str:
    script = ALL_SCRIPTS[name]
    if len(trace) != len(expected_trace(name)):
        return f"{len(trace)} bytes, not {len(expected_trace(name))}"
    differs = np.argwhere(rows_of(script, trace) != rows_of(script, expected_trace(name)))
    if not len(differs):
        return "an exponential differs"
    line, column = differs[0]
    return f"first difference at line {line} ({script.lines[line].do.name}), column {column}"


def _labels(script: Script, rows: np.ndarray) -> np.ndarray:
    """Rows of the labels that were taken."""
    return rows[[line.do is Do.LABEL for line in script.lines] & (rows[:, STATUS] == OK)]


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_scripts_are_worth_the_name(name: str) -> None:
    """Each has at least 300 labels in a row before all is reset, of every outcome or nearly, with a
    full store, activities added, and both sides of the trial."""
    script = SCRIPTS[name]
    whole = rows_of(script, expected_trace(name))
    reset = [line.do for line in script.lines].index(Do.RESET)
    rows = _labels(Script(**{**vars(script), "lines": script.lines[:reset]}), whole[:reset])
    assert len(rows) >= 300
    for outcome, least in ((LEARNED, 100), (HELD_BACK, 40)):
        assert (rows[:, OUTCOME] == outcome).sum() >= least
    assert len(set(rows[rows[:, OUTCOME] == LEARNED, CRC].tolist())) >= 100
    assert set(rows[:, ACTIVITIES]) >= {script.shipped, script.shape.rows}
    assert {0, 1} <= set(rows[:, SERVES].tolist())
    assert rows[:, HELD].max() >= 3
    assert whole[reset, UPDATES] == 0 and whole[reset, ACTIVITIES] == script.shipped
    assert whole[reset, CRC] == script.learner().head.crc()


def test_all_heads_meet_an_update_that_the_held_back_windows_refuse() -> None:
    for name in ("fc, nobody", "fxc1, nobody", "fxc2, nobody"):
        rows = rows_of(SCRIPTS[name], expected_trace(name))
        refused = np.flatnonzero(rows[:, OUTCOME] == TAKEN_BACK)
        assert len(refused) >= 10, name
        assert (rows[refused, CRC] == rows[refused - 1, CRC]).all()
        assert (rows[refused, UNDONE] == rows[refused - 1, UNDONE] + 1).all()


@pytest.mark.parametrize("name", ALL_SCRIPTS)
def test_what_is_refused_changes_nothing(name: str) -> None:
    """Labels of no activity, without a rate or with one that explodes, parameters from outside that
    are not finite, denormal or too large, a row too many, a second undo."""
    script = ALL_SCRIPTS[name]
    rows = rows_of(script, expected_trace(name))
    state = slice(CRC, 16 + 2 * script.shape.rows + 2 * script.capacity)
    for i, line in enumerate(script.lines):
        if rows[i, STATUS] == OK:
            continue
        changed = rows[i, state] != (rows[i - 1, state] if i else rows[i, state])
        changed[CAN_UNDO - CRC] = False
        assert not changed.any(), f"line {i}, {line.do.name}"
        assert rows[i, CAN_UNDO] == 0 or rows[i, STATUS] != STATE or line.do is not Do.UNDO
    lines = np.array([line.do for line in script.lines])
    statuses = rows[lines == Do.TAKE, STATUS].tolist()
    assert statuses == [NOT_FINITE] * (len(statuses) - 1) + [OK] and len(statuses) == 8
    exploding = [i for i, line in enumerate(script.lines) if line.rate == EXPLODES]
    all_held_back = script.learning.hold_every == 1
    assert (NOT_FINITE in rows[exploding, STATUS]) == (not all_held_back)
    assert ARGUMENT in rows[lines == Do.LABEL, STATUS]
    assert rows[0, STATUS] == STATE and rows[lines == Do.UNDO, STATUS].max() == STATE
    if script.shape.rows - script.shipped < 4:
        assert rows[lines == Do.ADD, STATUS][-1] == STATE


def test_each_edge_is_one() -> None:
    traces = {name: rows_of(EDGES[name], expected_trace(name)) for name in EDGES}
    assert EDGES["one entry"].capacity == 1 and traces["one entry"][:, HELD].max() == 1
    assert traces["127 activities"][:, HELD].max() >= 5
    assert (traces["all held back"][:, UPDATES] == 0).all()
    far = traces["far beyond"]
    assert min((far[:, STATUS] == NOT_FINITE).sum(), far[:, UPDATES].max()) > 20
    blank = EDGES["denormal steps from nothing"]
    assert len(set(traces["denormal steps from nothing"][:, CRC].tolist())) > 50
    assert (blank.anchor == 0).all() and blank.learning.rate < 4 * np.finfo(np.float32).tiny
    bare = traces["no exemplars, none held back, no evidence"]
    assert (bare[:, HELD] == 0).all() and bare[3, SERVES] == 1


@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_compiler_complains(compiler: str, tmp_path: Path) -> None:
    for source in LEARN:
        command = [*COMPILERS[compiler], *STRICT, "-O2", "-ffp-contract=off", *INCLUDES]
        subprocess.run([*command, "-c", str(source), "-o", tmp_path / "x.o"], check=True)


def test_contracting_multiply_and_add_would_be_noticed(tmp_path: Path) -> None:
    """Why -ffp-contract=off is in every build: with fused operations the bits differ."""
    probe = 'int main(void) { return __builtin_cpu_supports("fma") ? 0 : 1; }'
    subprocess.run(["gcc", "-xc", "-", "-o", tmp_path / "probe"], input=probe.encode(), check=True)
    if subprocess.run([tmp_path / "probe"]).returncode != 0:
        pytest.skip("this processor has no fused multiply-add")
    program = c_program("learner_contracted")
    for name in ("fc, people", "fxc1, people", "fxc2, people"):
        result = subprocess.run([program], input=encode(SCRIPTS[name]), capture_output=True)
        assert result.returncode == 0 and result.stdout != expected_trace(name)

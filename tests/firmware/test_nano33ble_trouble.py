"""The real board's motion sensors when something is wrong with them or their bus, and the zero of
their gyroscope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support.harness import Harness
from tests.firmware.support.nano33ble import RAD_S, Board, assert_whole, joined
from tests.support.programs import c_program

RIGHT, ABSENT, BUS_STUCK, REFUSED, SILENT = range(5)
BOTH = pytest.mark.parametrize("revision", [1, 2])


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("nano33ble_16_pages")


@pytest.fixture
def board(program: Path) -> Iterator[Board]:
    with Harness(program) as harness:
        yield Board(harness)


# ---- trouble ---------------------------------------------------------------------------------


def test_no_sensor_is_no_harm_and_costs_little(board: Board) -> None:
    board.boot(0)
    assert len(board.poll(1000)) == 0
    state = board.state()
    assert (state.sensor, state.trouble, state.bus_errors) == (0, ABSENT, 0)
    assert board.ask("flash", 0, 8) == ["0", "0", "0", "1"]


@BOTH
def test_a_stuck_bus_is_clocked_free(board: Board, revision: int) -> None:
    board.tell("set", "stuck", 1)
    board.tell("set", "frees_after", 8)
    board.boot(revision)
    assert len(board.poll(1000)) > 30
    assert board.state().trouble == RIGHT


@BOTH
def test_a_bus_that_gets_stuck_is_clocked_free_when_it_is_looked_at_again(
    board: Board, revision: int
) -> None:
    board.boot(revision)
    board.poll(1000)
    board.tell("set", "frees_after", 8)
    board.tell("set", "stuck", 1)
    board.poll(5000)
    assert board.state().trouble == SILENT
    assert len(board.poll(8000)) > 50
    assert board.state().trouble == RIGHT


def test_a_bus_that_stays_stuck_is_told_and_tried_again(board: Board) -> None:
    board.tell("set", "stuck", 1)
    board.boot(1)
    assert len(board.poll(9000)) == 0
    state = board.state()
    assert (state.sensor, state.trouble) == (0, BUS_STUCK)
    board.tell("set", "stuck", 0)
    assert len(board.poll(3000)) > 50
    state = board.state()
    assert (state.sensor, state.trouble) == (1, RIGHT)


@BOTH
def test_a_sensor_that_takes_no_settings_is_told(board: Board, revision: int) -> None:
    board.tell("set", "deaf", 1)
    board.boot(revision)
    assert len(board.poll(1000)) == 0
    state = board.state()
    assert (state.sensor, state.trouble) == (revision, REFUSED)
    board.tell("set", "deaf", 0)
    assert len(board.poll(12_000)) > 50
    assert board.state().trouble == RIGHT


@BOTH
@pytest.mark.parametrize("how", ["dead", "frozen", "hanging"])
def test_a_silent_sensor_is_told_and_its_return_is_seen(
    board: Board, revision: int, how: str
) -> None:
    board.boot(revision)
    before = board.poll(1000)
    board.tell("set", how, 1)
    quiet = board.poll(4000)
    assert len(quiet) <= 2
    state = board.state()
    assert (state.sensor, state.trouble) == (revision, SILENT)
    board.tell("set", how, 0)
    after = board.poll(14_000)
    assert board.state().trouble == RIGHT
    samples = joined(before, quiet, after)
    assert_whole(samples, [(after.time_ms[0] - before.time_ms[-1]) / 20 - 1 - len(quiet)])
    assert len(after) > 100


def test_a_sensor_that_hangs_the_bus_costs_one_wait(board: Board) -> None:
    """Mbed polls for a tenth of a second and more before it takes a held line for a failure."""
    board.boot(1)
    board.poll(1000)
    board.tell("set", "hanging", 1)
    board.poll(1000)
    assert board.state().bus_errors == 1


# ---- the gyroscope's zero --------------------------------------------------------------------


@BOTH
def test_the_zero_is_measured_at_rest_and_subtracted(board: Board, revision: int) -> None:
    board.tell("motion", 0, 0, 8192, 50, -80, 20)
    board.boot(revision)
    before = board.poll(1500)
    assert np.abs(before.values[:, 3:]).max() > 0.05
    assert not board.state().zero_known
    board.poll(2000)
    assert board.state().zero_known
    turned = np.array([50.5, -79.5, 20.5]) * RAD_S[revision]
    if revision == 1:
        turned = turned[[1, 0, 2]] * [-1, -1, 1]
    assert board.state().gyro_zero == pytest.approx(turned, abs=0.6 * RAD_S[revision])
    after = board.poll(1000).values[:, 3:]
    assert np.abs(after).max() < 1.1 * RAD_S[revision]


@BOTH
def test_a_rest_on_both_sides_of_a_gap_is_none(board: Board, revision: int) -> None:
    board.tell("motion", 0, 0, 8192, 50, -80, 20)
    board.boot(revision)
    board.poll(1500)
    board.tell("stall", 5000)
    board.poll(300)
    assert not board.state().zero_known
    board.poll(2000)
    assert board.state().zero_known

"""The real board's motion sensors, both revisions, at the level of their registers: units, axes,
rate, time and losses. What can go wrong with them: test_nano33ble_trouble.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support.harness import Harness
from tests.firmware.support.nano33ble import (
    MODEL_HZ,
    NOMINAL_HZ,
    RAD_S,
    Board,
    G,
    Samples,
    assert_whole,
    joined,
)
from tests.support.programs import c_program

RIGHT = 0
BOTH = pytest.mark.parametrize("revision", [1, 2])
FIFO_S = {1: 32 / 119, 2: 170 / 100}
WRAP_US = 2**32
WRAP_MS_US = 2**32 * 1000


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("nano33ble_16_pages")


@pytest.fixture
def board(program: Path) -> Iterator[Board]:
    with Harness(program) as harness:
        yield Board(harness)


def ramp(samples: Samples, revision: int) -> np.ndarray:
    """The chip's frame number at each sample: it is on the chip's x axis."""
    return samples.values[:, 0] / G if revision == 2 else -samples.values[:, 1] / G


# ---- what a sample says ----------------------------------------------------------------------


def test_rev2_is_on_the_chip_s_own_axes(board: Board) -> None:
    board.tell("motion", 1000, 2000, -3000, 100, -200, 300)
    board.boot(2)
    sample = board.poll(1000).values[-1]
    gyro = np.array([100, -200, 300]) * RAD_S[2]
    assert sample[:3] == pytest.approx(np.array([1000, 2000, -3000]) * G, abs=1.01 * G)
    assert sample[3:] == pytest.approx(gyro, abs=1.01 * RAD_S[2])


def test_rev1_is_turned_onto_the_same_axes(board: Board) -> None:
    board.tell("motion", 1000, 2000, -3000, 100, -200, 300)
    board.boot(1)
    sample = board.poll(1000).values[-1]
    gyro = np.array([200, -100, 300]) * RAD_S[1]
    assert sample[:3] == pytest.approx(np.array([-2000, -1000, -3000]) * G, abs=1.01 * G)
    assert sample[3:] == pytest.approx(gyro, abs=1.01 * RAD_S[1])


@pytest.mark.parametrize("cross_axis", [0, 40, -64])
def test_rev2_s_gyroscope_is_freed_of_z_in_x(board: Board, cross_axis: int) -> None:
    board.tell("set", "cross_axis", cross_axis)
    board.tell("motion", 0, 0, 8192, 0, 0, 5120)
    board.boot(2)
    x = board.poll(1000).values[-1, 3]
    assert x == pytest.approx(-10 * cross_axis * RAD_S[2], abs=2 * RAD_S[2])


@BOTH
def test_a_saturated_axis_is_counted(board: Board, revision: int) -> None:
    board.tell("motion", 100, 100, 32767, 0, 0, 0)
    board.boot(revision)
    board.poll(1000)
    assert board.state().saturated == pytest.approx(NOMINAL_HZ[revision], abs=20)


def test_rev1_s_gyroscope_saturates_at_2000_degrees_per_second(board: Board) -> None:
    board.tell("motion", 0, 0, 8192, 28500, 0, 0)
    board.boot(1)
    board.poll(500)
    assert board.state().saturated == 0
    board.tell("motion", 0, 0, 8192, -28600, 0, 0)
    board.poll(500)
    assert board.state().saturated > 40


# ---- rate and time ---------------------------------------------------------------------------


@pytest.mark.parametrize(("revision", "true_hz"), [(1, 119.0), (1, 125.5), (2, 99.84), (2, 96.0)])
def test_the_rate_is_measured_and_samples_come_at_the_model_s_rate(
    board: Board, revision: int, true_hz: float
) -> None:
    board.boot(revision, true_hz)
    board.poll(1000)
    state = board.state()
    assert (state.sensor, state.trouble) == (revision, RIGHT)
    assert (state.nominal_hz, state.rate_hz) == (NOMINAL_HZ[revision], 0)
    board.poll(24_000)
    assert board.state().rate_hz == pytest.approx(true_hz, rel=2e-3)
    samples = board.poll(20_000)
    assert len(samples) == pytest.approx(1000, abs=3)
    assert_whole(samples, [])


@BOTH
def test_a_sample_s_time_is_when_it_was_measured(board: Board, revision: int) -> None:
    board.boot(revision)
    parts = [board.poll(2000)]
    for stall_ms in (30, 110, 200):
        board.tell("stall", stall_ms)
        parts.append(board.poll(500))
    samples = joined(*parts)
    frames = ramp(samples, revision)
    seconds = samples.time_ms / 1000
    # Frame k was made (k + 1) / rate after the start, whenever it was read.
    age_s = seconds - (frames + 1) / NOMINAL_HZ[revision]
    assert np.ptp(age_s) < 1.3 / NOMINAL_HZ[revision]
    assert age_s[0] == pytest.approx(0, abs=2 / NOMINAL_HZ[revision])


@BOTH
def test_a_ramp_stays_a_ramp_across_resampling_and_short_stalls(
    board: Board, revision: int
) -> None:
    board.boot(revision)
    parts = [board.poll(500)]
    for stall_ms in (30, 85, 200):
        board.tell("stall", stall_ms)
        parts.append(board.poll(500))
    step = np.diff(ramp(joined(*parts), revision))
    assert step == pytest.approx(np.full(len(step), NOMINAL_HZ[revision] / MODEL_HZ), abs=2e-2)
    assert board.state().overruns == 0


@BOTH
@pytest.mark.parametrize("wrap_us", [WRAP_US, WRAP_MS_US])
def test_the_clock_may_wrap(board: Board, revision: int, wrap_us: int) -> None:
    board.boot(revision, clock_us=wrap_us - 12_000_000)
    samples = board.poll(30_000)
    assert len(samples) == pytest.approx(30 * MODEL_HZ, abs=50)
    assert_whole(samples, [])
    state = board.state()
    assert state.rate_hz == pytest.approx(NOMINAL_HZ[revision], rel=2e-3)
    assert (state.overruns, state.late) == (0, 0)


# ---- losses ----------------------------------------------------------------------------------


@BOTH
def test_what_an_overflown_fifo_dropped_is_counted_by_the_clock(
    board: Board, revision: int
) -> None:
    board.boot(revision)
    before = board.poll(1000)
    stall_s = {1: 2.0, 2: 5.0}[revision]
    board.tell("stall", int(stall_s * 1000))
    after = board.poll(1000)
    samples = joined(before, after)
    frames = ramp(samples, revision)
    missed = np.diff(frames)[samples.lost[1:] > 0] / NOMINAL_HZ[revision]
    assert missed[0] > stall_s - FIFO_S[revision] - 0.1
    assert_whole(samples, list(missed * MODEL_HZ - 1))
    # No sample was made up between the two sides.
    passed = (samples.time_ms[-1] - samples.time_ms[0]) / 1000 * NOMINAL_HZ[revision]
    assert frames[-1] - frames[0] == pytest.approx(passed, abs=2)
    step = np.diff(frames)[samples.lost[1:] == 0]
    assert step == pytest.approx(np.full(len(step), NOMINAL_HZ[revision] / MODEL_HZ), abs=2e-2)
    assert board.state().overruns == 1


@BOTH
def test_long_work_that_collects_loses_nothing_but_is_late(board: Board, revision: int) -> None:
    board.boot(revision)
    before = board.poll(1000)
    board.tell("work", 1500)
    samples = joined(before, board.poll(500))
    assert_whole(samples, [])
    state = board.state()
    assert state.overruns == 0
    assert state.late == pytest.approx((1.5 - 0.25) * MODEL_HZ, abs=3)


@BOTH
def test_what_the_queue_had_no_room_for_is_counted(board: Board, revision: int) -> None:
    board.boot(revision)
    before = board.poll(1000)
    board.tell("work", 4000)
    samples = joined(before, board.poll(500))
    assert_whole(samples, [4 * MODEL_HZ - 80], within=2)
    assert board.state().overruns == 0
    assert len(samples) + samples.lost.sum() == pytest.approx(5.5 * MODEL_HZ, abs=8)


@BOTH
@pytest.mark.parametrize(("pages", "size"), [(10, 4096), (10, 0), (1, 65_536)])
def test_saving_collects_between_its_pieces(
    board: Board, revision: int, pages: int, size: int
) -> None:
    """A page is erased in 85 ms, a word written in 41 us: each of these takes 0.7 s or more."""
    board.boot(revision)
    before = board.poll(1000)
    board.tell("save", pages, size)
    samples = joined(before, board.poll(500))
    assert samples.time_ms[-1] - samples.time_ms[0] > 2000
    assert_whole(samples, [])
    assert board.state().overruns == 0


@BOTH
def test_no_sample_is_made_up_from_both_sides_of_a_gap(board: Board, revision: int) -> None:
    sides = (1000, 9000)
    board.tell("motion", *3 * sides[:1], 0, 0, 0)
    board.boot(revision)
    parts = [board.poll(1000)]
    for n in range(1, 9):
        board.tell("set", "tearing", 1)
        board.tell("motion", *3 * sides[n % 2 :][:1], 0, 0, 0)
        parts.append(board.poll(200 + 3 * n))
    steps = np.abs(joined(*parts).values[:, :3]) / G
    off = np.minimum(*(np.abs(steps - side) for side in sides))
    assert off.max() < 1.1
    assert {round(step, -3) for step in steps[:, 0]} == set(sides)


@BOTH
def test_a_read_that_broke_off_in_the_middle_mixes_nothing_up(board: Board, revision: int) -> None:
    board.tell("motion", 1000, 1000, 1000, -5000, -5000, -5000)
    board.boot(revision)
    parts = [board.poll(1000)]
    for _ in range(3):
        board.tell("set", "tearing", 1)
        parts.append(board.poll(500))
    samples = joined(*parts)
    assert np.abs(np.abs(samples.values[:, :3] / G) - 1000).max() < 1.1
    assert samples.lost.sum() <= 6
    assert board.state().bus_errors == 3


@BOTH
def test_failed_transfers_are_counted_and_cost_a_counted_few_samples(
    board: Board, revision: int
) -> None:
    board.boot(revision)
    parts = [board.poll(1000)]
    for _ in range(5):
        board.tell("set", "failing", 3)
        parts.append(board.poll(503))
    samples = joined(*parts)
    assert board.state().bus_errors == 15
    assert samples.lost.sum() <= 10
    frames = ramp(samples, revision)
    passed = np.diff(frames) * MODEL_HZ / NOMINAL_HZ[revision]
    assert passed == pytest.approx(samples.lost[1:] + 1, abs=1)


@pytest.mark.parametrize(("revision", "most_hz"), [(1, 700), (2, 420)])
def test_the_bus_is_left_alone_most_of_the_time(board: Board, revision: int, most_hz: int) -> None:
    """Rev1: two transfers to ask, four for a frame. Rev2: two to ask, two for all there is."""
    board.boot(revision)
    before = int(board.ask("transfers")[0])
    board.poll(10_000)
    assert int(board.ask("transfers")[0]) - before < 10 * most_hz

"""The board's own motion sensor: its samples as SENSED, its gaps, its state, what is said of it,
and that nothing of it is lost while the board learns."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.protocol.messages import Sensed, SensorState
from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, Frame, sensor_state
from tests.firmware.support.app_session import ARGUMENT, LENGTH, prediction, status, stream
from tests.firmware.support.app_twin import HOP, UNITS, T, Twin, raw_samples
from tests.support.programs import c_program

NONE, REV1, REV2, PLAYED = range(4)
RIGHT, ABSENT, BUS_STUCK, REFUSED, SILENT = range(5)
LAY_STILL = "har: lay the board still for two seconds: the gyroscope's zero is not known yet\n"
ALIVE, PREDICTING, LEARNING, FAILED = range(4)


def motion(n: int, seed: int = 1) -> np.ndarray:
    return raw_samples(n, seed).astype(np.float32) * UNITS


def ask_to_send(board: Board) -> None:
    assert SensorState.decode(board.ask(wire.SENSOR, b"\x01").payload).sending


def sensed(frames: list[Frame]) -> list[Sensed]:
    return [Sensed.decode(frame.payload) for frame in frames if frame.type == wire.SENSED]


def moved(board: Board, samples: np.ndarray, lost: dict[int, int] | None = None) -> list[Frame]:
    return wire.parse(board.imu(samples, lost))


# --- its samples ------------------------------------------------------------------------------


def test_samples_come_as_the_window_took_them_and_before_their_prediction(board: Board) -> None:
    ask_to_send(board)
    samples = motion(33)
    frames = moved(board, samples)
    kinds = "".join("S" if frame.type == wire.SENSED else "P" for frame in frames)
    assert kinds == "SP" * 7  # windows are shorter than a full batch here
    batches = sensed(frames)
    assert [batch.index for batch in batches] == [0, *range(8, 32, 4)]
    assert [batch.time_ms for batch in batches] == [batch.index * 20 for batch in batches]
    assert [batch.lost for batch in batches] == [0] * 7
    assert np.array_equal(np.concatenate([batch.samples for batch in batches]), samples[:32])
    ends = [prediction(frame)[:2] for frame in frames if frame.type == wire.PREDICTION]
    assert ends == [(end, end * 20) for end in range(7, 32, 4)]
    assert [frame.seq for frame in frames if frame.type == wire.SENSED] == list(range(7))


def test_ten_samples_are_a_batch(flash: Path) -> None:
    program = c_program("app_short_window")
    with Board(program, flash) as board:
        board.hello()
        ask_to_send(board)
        batches = sensed(moved(board, samples := motion(29)))
        assert [(batch.index, len(batch.samples)) for batch in batches] == [(0, 10), (10, 10)]
        assert np.array_equal(np.concatenate([b.samples for b in batches]), samples[:20])


def test_a_gap_ends_the_batch_jumps_the_index_and_restarts_the_window(board: Board) -> None:
    ask_to_send(board)
    samples = motion(30)
    frames = moved(board, samples, {5: 3, 20: 100})
    batches = sensed(frames)
    assert [(b.index, b.lost, b.time_ms, len(b.samples)) for b in batches] == [
        *((0, 0, 0, 5), (8, 3, 160, 8), (16, 0, 320, 4), (20, 0, 400, 3)),
        (123, 100, 2460, 8),
    ]
    ends = [prediction(frame) for frame in frames if frame.type == wire.PREDICTION]
    assert [end[0] for end in ends] == [15, 19, 130]
    twin = Twin(index=8)
    expected = twin.expect(raw_samples(30, 1)[5:20])
    twin.restart()
    twin.index = 123
    expected += twin.expect(raw_samples(30, 1)[20:])
    assert [end[3] for end in ends] == [crc for _, crc, _ in expected]
    counts = status(board)
    assert (counts["lost"], counts["received"]) == (103, 30)


def test_a_sample_that_is_not_finite_is_a_gap_of_one(board: Board) -> None:
    ask_to_send(board)
    samples = motion(20)
    samples[3, 1] = np.inf
    samples[4, 5] = np.nan
    batches = sensed(moved(board, samples))
    assert [(b.index, b.lost, len(b.samples)) for b in batches] == [
        *((0, 0, 3), (5, 2, 8), (13, 0, 4)),
    ]
    assert np.array_equal(batches[1].samples, samples[5:13])
    assert status(board)["lost"] == 2


def test_what_was_lost_before_a_session_is_none_of_its_losses(board: Board) -> None:
    frames = moved(board, motion(T), {0: 7})
    assert [prediction(frame)[0] for frame in frames] == [T - 1]
    assert status(board)["lost"] == 0


def test_sending_stops_when_told_and_what_is_held_comes_first(board: Board) -> None:
    ask_to_send(board)
    assert sensed(moved(board, motion(3))) == []
    held, state = board.send(wire.SENSOR, b"\x00")
    assert len(Sensed.decode(held.payload).samples) == 3
    assert not SensorState.decode(state.payload).sending
    assert sensed(moved(board, motion(T))) == []


def test_asking_again_loses_no_gap(board: Board) -> None:
    ask_to_send(board)
    moved(board, motion(3))
    assert [f.type for f in board.send(wire.SENSOR, b"\x01")] == [wire.SENSED, wire.SENSOR_STATE]
    assert [(b.index, b.lost) for b in sensed(moved(board, motion(T), {0: 2}))] == [(5, 2)]


@pytest.mark.parametrize("how", ["hello", "bye"])
def test_every_session_begins_without(board: Board, how: str) -> None:
    ask_to_send(board)
    moved(board, motion(3))
    if how == "bye":
        board.ask(wire.BYE)
    board.hello()
    assert [frame.type for frame in moved(board, motion(T))] == [wire.PREDICTION]
    assert not SensorState.decode(board.ask(wire.SENSOR, b"\x00").payload).sending


def test_a_host_that_sends_samples_takes_over_and_own_ones_go_nowhere(board: Board) -> None:
    ask_to_send(board)
    moved(board, motion(3))
    raw = raw_samples(T, 2)
    assert [frame.type for frame in stream(board, raw)] == [wire.PREDICTION]
    assert moved(board, motion(20)) == []
    assert (status(board)["lost"], status(board)["received"]) == (0, 3 + T)
    board.hello()
    frames = moved(board, motion(T), {0: 1})
    assert [prediction(frame)[0] for frame in frames] == [T - 1]


# --- its state --------------------------------------------------------------------------------


def test_the_state_is_the_boards_field_by_field(board: Board) -> None:
    board.sensor(sensor_state(REV1, RIGHT, overruns=5, saturated=8))
    reply = board.ask(wire.SENSOR, b"\x00")
    assert reply.type == wire.SENSOR_STATE
    assert reply.payload == struct.pack(
        "<4B6f4I", *(1, 0, 1, 0, 119.0, 118.7, 0.01, -0.02, 0.03, 21.5, 5, 7, 8, 9)
    )


@pytest.mark.parametrize(
    ("payload", "code"), [(b"", LENGTH), (b"\x00\x00", LENGTH), (b"\x02", ARGUMENT)]
)
def test_a_wrong_request_changes_nothing(board: Board, payload: bytes, code: int) -> None:
    ask_to_send(board)
    assert board.ask(wire.SENSOR, payload).status == code
    assert len(sensed(moved(board, motion(T)))) == 1


# --- what is said of it -----------------------------------------------------------------------


def said(board: Board, *state: int, **more: float) -> str:
    board.sensor(sensor_state(*state, **more))
    return board.wait(100).decode()


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ((REV1, RIGHT), "motion sensor LSM9DS1 (Rev1), 119 Hz"),
        ((REV2, RIGHT), "motion sensor BMI270 (Rev2), 119 Hz"),
        ((PLAYED, RIGHT), "motion sensor is a played recording, 119 Hz"),
        ((NONE, BUS_STUCK), "the motion sensor's bus is stuck: unplug the board for a second"),
        ((REV2, REFUSED), "the motion sensor refuses its settings: unplug the board for a second"),
        ((REV1, SILENT), "the motion sensor answers no more: looked for again every 10 s"),
    ],
)
def test_each_state_is_told_once(
    program: Path, flash: Path, state: tuple[int, int], line: str
) -> None:
    with Board(program, flash) as board:
        assert said(board, *state) == f"har: {line}\n"
        assert said(board, *state) == ""
        other = (REV2, SILENT) if state != (REV2, SILENT) else (REV1, RIGHT)
        assert said(board, *other) != ""
        assert said(board, *state) == f"har: {line}\n"


def test_absence_is_told_by_a_board_that_should_have_one(program: Path, flash: Path) -> None:
    line = "har: no motion sensor found: a host can send samples instead (har stream)\n"
    with Board(program, flash, "nano") as board:
        assert board.said == line
    with Board(program, flash) as board:
        assert board.said == "" and said(board, NONE, ABSENT) == ""


def test_the_gyroscopes_zero_is_asked_for_and_found(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        first = said(board, REV1, RIGHT, zero_known=False, rate_hz=0.0)
        assert first == "har: motion sensor LSM9DS1 (Rev1), 119 Hz\n" + LAY_STILL
        assert said(board, REV1, RIGHT, zero_known=False) == ""
        assert said(board, REV1, RIGHT) == "har: the gyroscope's zero is known\n"
        assert said(board, REV1, RIGHT, zero_known=False) == ""
        assert said(board, REV1, RIGHT) == ""


def test_the_first_saturation_and_the_first_loss_are_told(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        said(board, REV1, RIGHT)
        beyond = "har: an axis is beyond its range (4 g, 2000 degrees/s)\n"
        assert said(board, REV1, RIGHT, saturated=1) == beyond
        assert said(board, REV1, RIGHT, saturated=2) == ""
        lost = "har: samples were lost: nobody took them in time\n"
        assert said(board, REV1, RIGHT, saturated=2, overruns=1) == lost
        assert said(board, REV1, RIGHT, saturated=9, overruns=9) == ""


def test_nothing_is_said_among_frames_but_after_bye(board: Board) -> None:
    assert said(board, REV1, RIGHT) == ""
    said_then = board.serial(wire.frame(wire.BYE, 9)).partition(b"\x00")[2]
    assert said_then == b"har: motion sensor LSM9DS1 (Rev1), 119 Hz\n"


# --- what else a board must see to ------------------------------------------------------------


def test_the_sensor_is_emptied_between_the_steps_of_a_lesson(board: Board) -> None:
    """After every gradient step and every window that is judged: shipped, learned, held back."""
    for n in range(8):
        stream(board, raw_samples(T, n), 0, restart=True)
        board.watch()
        board.ask(wire.LABEL, struct.pack("<IB", T - 1, 1))
        held = 1 if n >= 4 else 0
        learned = n % 4 != 3
        assert board.watch()[0] == (2 + 6 + 2 * held if learned else 2), n


def test_what_it_does_is_shown_and_for_how_long(board: Board) -> None:
    board.watch()
    stream(board, raw_samples(T, 1), 0)
    assert board.wait(149) == b"" and board.watch()[1] == [PREDICTING]
    board.wait(1)
    assert board.watch()[1] == [ALIVE]
    board.ask(wire.LABEL, struct.pack("<IB", T - 1, 1))
    stream(board, raw_samples(HOP, 2), T)
    board.wait(299)
    assert board.watch()[1] == [LEARNING]  # a prediction does not hide it
    board.wait(1)
    assert board.watch()[1] == [ALIVE]
    board.tell("e", 1)
    stream(board, raw_samples(HOP, 3), T + HOP)
    board.wait(10_000)
    assert board.watch()[1] == [FAILED]
    board.tell("e", 0)
    stream(board, raw_samples(HOP, 3), T + 2 * HOP)
    assert board.watch()[1] == [PREDICTING]


def test_an_engine_that_did_not_start_is_shown_for_good(program: Path, flash: Path) -> None:
    with Board(program, flash, "engine-broken") as board:
        board.wait(1000)
        assert board.watch()[1] == [FAILED]

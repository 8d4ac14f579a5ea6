"""Windows of the last ten seconds are labelled as the last one is: by their index, by their number
from any session, and by the same digit again."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, Frame
from tests.firmware.support.app_session import STATE, stream
from tests.firmware.support.app_twin import HOP, UNITS, T, Twin, raw_samples
from tests.support.programs import c_program

KEPT = 8
SILENCE_MS = 50


def recent(board: Board) -> tuple[int, list[int]]:
    """(number of the newest, ages in ms, the newest first)"""
    reply = board.ask(wire.RECENT)
    assert reply.type == wire.RECENT_REPLY
    number, *ages = struct.unpack(f"<{len(reply.payload) // 4}I", reply.payload)
    return number, ages


def taught(reply: Frame, named: int, activity: int, result: tuple[int, float, float]) -> None:
    assert reply.type == wire.LEARNED
    assert reply.payload[:6] == struct.pack("<IBB", named, activity, result[0])
    assert struct.unpack_from("<ff", reply.payload, 11) == result[1:]


def move(board: Board, twin: Twin, windows: int, seed: int) -> None:
    """So many windows of the board's own sensor."""
    raw = raw_samples(T + (windows - 1) * HOP, seed)
    twin.restart()
    twin.expect(raw)
    board.imu(raw.astype(np.float32) * UNITS, {0: 1})


def test_the_last_eight_windows_are_kept_through_a_new_session(program: Path, flash: Path) -> None:
    twin = Twin()
    with Board(program, flash) as board:
        board.hello()
        assert recent(board) == (0, [])
        board.ask(wire.BYE)
        move(board, twin, 11, seed=1)
        board.wait(700)
        board.hello()
        number, ages = recent(board)
        assert (number, len(ages)) == (11, KEPT)
        assert ages[0] == 700 and ages == sorted(ages)
        for back in (2, 7, 0):
            reply = board.ask(wire.LABEL_RECENT, struct.pack("<IB", number - back, 1))
            taught(reply, number - back, 1, twin.label_again(back, 1))
        for gone in (0, 3, number + 1):
            reply = board.ask(wire.LABEL_RECENT, struct.pack("<IB", gone, 1))
            assert reply.status == STATE and b"ten seconds" in reply.payload
        # Of this session there is none yet.
        assert board.ask(wire.LABEL, struct.pack("<IB", T - 1, 1)).status == STATE


def test_a_label_names_any_of_them_by_its_last_sample(board: Board) -> None:
    twin = Twin()
    board.hello()
    raw = raw_samples(T + 9 * HOP, 2)
    stream(board, raw)
    ends = [end for end, _, _ in twin.expect(raw)]
    for back in (0, 3, 7):
        reply = board.ask(wire.LABEL, struct.pack("<IB", ends[-1 - back], 2))
        taught(reply, ends[-1 - back], 2, twin.label_again(back, 2))
    assert board.ask(wire.LABEL, struct.pack("<IB", ends[-9], 2)).status == STATE
    assert board.ask(wire.LABEL, struct.pack("<IB", ends[-1] - 1, 2)).status == STATE


def test_they_are_half_a_window_apart_where_answers_are_closer(flash: Path) -> None:
    twin = Twin(hop=HOP // 2, roots=1)
    with Board(c_program("app_streaming"), flash) as board:
        board.hello()
        raw = raw_samples(T + 5 * HOP + 2, 3)
        stream(board, raw)
        ends = [end for end, _, _ in twin.expect(raw)]
        assert recent(board)[0] == 6
        # The last answer, and, of those before it, every second.
        for back, named in ((0, True), (1, True), (2, False), (3, True)):
            reply = board.ask(wire.LABEL, struct.pack("<IB", ends[-1 - back], 0))
            assert (reply.type == wire.LEARNED) == named
            if named:
                taught(reply, ends[-1 - back], 0, twin.label_again(back, 0))


def typed(board: Board, data: bytes) -> str:
    assert board.serial(data) == b""
    return board.wait(SILENCE_MS).decode()


def test_the_same_digit_again_labels_the_window_before(program: Path, flash: Path) -> None:
    twin = Twin()
    with Board(program, flash) as board:
        move(board, twin, 3, seed=4)

        def expected(back: int, activity: int) -> str:
            outcome, before, after = twin.label_again(back, activity)
            name = twin.names[activity]
            if outcome != 0:
                said = ["kept for the holdout", "undone: it made others worse"]
                return f"{name}, {said[outcome - 1]}\n"
            share = [f"{np.floor(p * 100 + 0.5) / 100:.2f}" for p in (before, after)]
            return f"learned {name}, {share[0]} -> {share[1]}\n"

        assert typed(board, b"1") == "har: " + expected(0, 1)
        assert typed(board, b"1") == "har: the one before: " + expected(1, 1)
        assert typed(board, b"1") == "har: the one before: " + expected(2, 1)
        assert typed(board, b"1") == "har: the window before is gone\n"
        # A new window, another digit and a pause begin anew.
        move(board, twin, 1, seed=5)
        assert typed(board, b"1") == "har: " + expected(0, 1)
        assert typed(board, b"2") == "har: " + expected(0, 2)
        assert typed(board, b"1") == "har: " + expected(0, 1)
        board.wait(3000)
        assert typed(board, b"1") == "har: " + expected(0, 1)
        assert typed(board, b"1") == "har: the one before: " + expected(1, 1)


@pytest.mark.parametrize("payload", [b"", b"\x01\x00\x00\x00"])
def test_a_request_of_another_length_is_refused(board: Board, payload: bytes) -> None:
    board.hello()
    assert board.ask(wire.LABEL_RECENT, payload).type == wire.ERROR
    assert board.ask(wire.RECENT, b"\x00").type == wire.ERROR

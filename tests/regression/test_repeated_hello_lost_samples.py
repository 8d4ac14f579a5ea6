"""A HELLO that equalled the last request byte by byte was answered from memory and began no
session: a host that started anew saw its first samples dropped as repetitions."""

from __future__ import annotations

import struct

import numpy as np

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board

HELLO_SEQ = 7
WINDOW = wire.samples_payload(0, np.full((8, 6), 300))


def end_indices(frames: list[wire.Frame]) -> list[int]:
    assert all(frame.type == wire.PREDICTION for frame in frames)
    return [struct.unpack_from("<I", frame.payload)[0] for frame in frames]


def test_a_repeated_hello_begins_a_session_that_expects_index_0(board: Board) -> None:
    first = board.ask(wire.HELLO, wire.hello_payload(), seq=HELLO_SEQ)
    assert end_indices(board.send(wire.SAMPLES, WINDOW)) == [7]
    assert board.ask(wire.HELLO, wire.hello_payload(), seq=HELLO_SEQ) == first
    assert end_indices(board.send(wire.SAMPLES, WINDOW)) == [7]


def test_a_repeated_hello_gives_the_stream_back_to_the_boards_own_sensor(board: Board) -> None:
    board.ask(wire.HELLO, wire.hello_payload(), seq=HELLO_SEQ)
    board.send(wire.SAMPLES, WINDOW)
    board.ask(wire.HELLO, wire.hello_payload(), seq=HELLO_SEQ)
    assert end_indices(wire.parse(board.imu(np.zeros((8, 6))))) == [7]

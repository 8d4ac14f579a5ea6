"""When the flash refused a reset, rollback or commit, the board said that nothing had changed and
to save again; neither need be so."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board
from tests.firmware.support.app_session import HEAD

FLASH = 8
TEXT = "the flash refused: the old or the new head stands; repeat the request"


def teach(board: Board) -> None:
    board.send(wire.SAMPLES, wire.samples_payload(0, np.full((8, 6), 300), restart=True))
    assert board.ask(wire.LABEL, struct.pack("<IB", 7, 1)).type == wire.LEARNED


def head(board: Board) -> bytes:
    return board.ask(wire.READ, struct.pack("<IH", 0, HEAD)).payload[4:]


@pytest.mark.parametrize("kind", [wire.SAVE, wire.RESET, wire.ROLLBACK, wire.COMMIT])
def test_a_refused_write_names_what_stands_and_can_be_repeated(board: Board, kind: int) -> None:
    teach(board)
    board.ask(wire.SAVE)
    teach(board)
    if kind != wire.SAVE:
        board.ask(wire.SAVE)
    payload = b""
    if kind == wire.COMMIT:
        data = head(board)
        board.ask(wire.WRITE, bytes(4) + data)
        payload = wire.MODEL_ID + struct.pack("<II", len(data), zlib.crc32(data))
    board.tell("f", 1)
    reply = board.ask(kind, payload)
    assert (reply.status, reply.text) == (FLASH, TEXT)
    board.tell("f", wire.FOREVER)
    assert board.ask(kind, payload).type == wire.STATE

"""A head that claimed to be right more often than it was judged made the board's count of mistakes
wrap around, so that what it had learned served at once. No side takes it now."""

from __future__ import annotations

import struct

import pytest

from pipeline.core.errors import InputError
from pipeline.head import unpack
from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, head_state
from tests.firmware.support.app_session import NOT_FINITE, push
from tests.firmware.support.app_twin import Twin

JUDGED, SHIPPED_RIGHT, LEARNED_RIGHT = 20, 24, 28


@pytest.mark.parametrize("right", [SHIPPED_RIGHT, LEARNED_RIGHT])
def test_nobody_is_right_more_often_than_judged(board: Board, right: int) -> None:
    payload = bytearray(Twin().payload())
    struct.pack_into("<I", payload, JUDGED, 2)
    struct.pack_into("<I", payload, right, 3)
    before = head_state(board.ask(wire.SHOW))
    assert push(board, bytes(payload)).status == NOT_FINITE
    assert head_state(board.ask(wire.SHOW)) == before
    with pytest.raises(InputError, match="right 3 times of 2"):
        unpack(bytes(payload))
    struct.pack_into("<I", payload, right, 2)
    assert head_state(push(board, bytes(payload)))["serves"] == 0

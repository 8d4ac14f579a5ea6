"""Each HEAD_RESET wrote a factory record, so a second one pushed the learned record out of
rollback's reach, and every one cost an erase."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, head_state

REFUSES = 0


def teach(board: Board) -> None:
    board.send(wire.SAMPLES, wire.samples_payload(0, np.full((8, 6), 300), restart=True))
    assert board.ask(wire.LABEL, struct.pack("<IB", 7, 1)).type == wire.LEARNED


@pytest.mark.parametrize("unsaved", [False, True])
def test_after_any_number_of_resets_rollback_brings_the_learned_head(
    board: Board, unsaved: bool
) -> None:
    teach(board)
    saved = head_state(board.ask(wire.SAVE))
    reset = head_state(board.ask(wire.RESET))
    assert (reset["source"], reset["sequence"]) == (0, 2)
    for _ in range(3):
        if unsaved:
            teach(board)
        assert head_state(board.ask(wire.RESET)) == reset
    back = head_state(board.ask(wire.ROLLBACK))
    assert (back["head_crc"], back["sequence"]) == (saved["head_crc"], 3)


def test_a_reset_of_a_board_that_never_stored_writes_nothing(board: Board, flash: Path) -> None:
    untouched = flash.read_bytes()
    assert head_state(board.ask(wire.RESET))["records"] == 0
    assert flash.read_bytes() == untouched


def test_a_reset_that_changes_nothing_needs_no_flash_that_writes(board: Board) -> None:
    teach(board)
    board.ask(wire.SAVE)
    board.ask(wire.RESET)
    board.tell("f", REFUSES)
    assert head_state(board.ask(wire.RESET))["source"] == 0


def test_a_reset_drops_what_was_never_saved(board: Board) -> None:
    shipped = head_state(board.ask(wire.SHOW))["head_crc"]
    teach(board)
    state = head_state(board.ask(wire.RESET))
    assert (state["source"], state["unsaved"], state["head_crc"]) == (0, 0, shipped)

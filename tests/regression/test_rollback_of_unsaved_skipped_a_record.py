"""HEAD_ROLLBACK with unsaved learning dropped it and went to the record before the newest: two
steps at once, past the head that was saved last."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, head_state

STATE_ERROR = 6


def teach(board: Board, label: int) -> None:
    board.send(wire.SAMPLES, wire.samples_payload(0, np.full((8, 6), 300), restart=True))
    assert board.ask(wire.LABEL, struct.pack("<IB", 7, label)).type == wire.LEARNED


@pytest.mark.parametrize("records", [1, 2])
def test_unsaved_learning_is_one_step_and_costs_no_flash(
    board: Board, flash: Path, records: int
) -> None:
    for label in range(records):
        teach(board, label)
        saved = head_state(board.ask(wire.SAVE))
    stored = flash.read_bytes()
    teach(board, 2)
    assert head_state(board.ask(wire.ROLLBACK)) == saved | {"can_undo": 0}
    assert flash.read_bytes() == stored


def test_the_next_rollback_goes_to_the_record_before_and_then_redoes(board: Board) -> None:
    teach(board, 0)
    first = head_state(board.ask(wire.SAVE))
    teach(board, 1)
    second = head_state(board.ask(wire.SAVE))
    teach(board, 2)
    crcs = [head_state(board.ask(wire.ROLLBACK))["head_crc"] for _ in range(3)]
    assert crcs == [second["head_crc"], first["head_crc"], second["head_crc"]]


def test_unsaved_learning_after_a_reset_goes_back_to_the_shipped_head(board: Board) -> None:
    teach(board, 0)
    board.ask(wire.SAVE)
    reset = head_state(board.ask(wire.RESET))
    teach(board, 1)
    assert head_state(board.ask(wire.ROLLBACK)) == reset


def test_without_any_record_unsaved_learning_is_kept(board: Board) -> None:
    teach(board, 0)
    before = head_state(board.ask(wire.SHOW))
    assert board.ask(wire.ROLLBACK).status == STATE_ERROR
    assert head_state(board.ask(wire.SHOW)) == before

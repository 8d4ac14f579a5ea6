"""A head of the default network's size: many flash pages, many frames, five outputs, two slots."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.head import unpack
from pipeline.head.payload import head_bytes, pack
from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, Frame
from tests.firmware.support.app_session import prediction, stream
from tests.firmware.support.app_twin import HOP, LARGE, T, Twin, raw_samples
from tests.support.flash_image import SlotLayout
from tests.support.programs import c_program

K = LARGE.shipped
SIZE = head_bytes(LARGE.shape, K)
RECORD = len(Twin(LARGE).record())
FLASH = 8


def state(frame: Frame) -> dict[str, object]:
    return wire.head_state(frame, K)


def pull(board: Board) -> bytes:
    """In the largest pieces that a frame takes."""
    pieces = []
    for at in range(0, SIZE, 508):
        reply = board.ask(wire.READ, struct.pack("<IH", at, min(508, SIZE - at)))
        assert reply.type == wire.DATA and struct.unpack_from("<I", reply.payload) == (at,)
        pieces.append(reply.payload[4:])
    return b"".join(pieces)


def push(board: Board, payload: bytes) -> Frame:
    for at in range(0, len(payload), 508):
        reply = board.ask(wire.WRITE, struct.pack("<I", at) + payload[at : at + 508])
        assert reply.type == wire.WRITTEN
    commit = wire.MODEL_ID + struct.pack("<II", len(payload), zlib.crc32(payload))
    return board.ask(wire.COMMIT, commit)


def some_head(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    shape = LARGE.shape
    head = replace(
        unpack(Twin(LARGE).payload(), K),
        parameters=rng.normal(size=shape.parameters).astype(np.float32),
        labels=tuple(range(seed, seed + shape.rows)),
        limits=rng.uniform(1, 9, shape.rows).astype(np.float32),
        updates=seed,
        names=("taught",) * (seed % 2),
    )
    return pack(head)


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("app_large")


def test_a_record_takes_seven_of_sixteen_pages() -> None:
    layout = SlotLayout.of(wire.FLASH_BYTES, RECORD, 4096)
    assert (SIZE, RECORD, layout.slot_bytes, layout.slots) == (13_520, 28_600, 7 * 4096, 2)


def test_predictions_lessons_and_what_is_stored_equal_numpy_bit_for_bit(
    program: Path, flash: Path
) -> None:
    """Until the store of windows is full and goes round."""
    twin = Twin(LARGE)
    raw = raw_samples(T + 44 * HOP, 3)
    at = 0
    with Board(program, flash) as board:
        board.hello()
        for n in range(44):
            begin, at = at, at + (T if n == 0 else HOP)
            (frame,) = stream(board, raw[begin:at], begin, restart=n == 0)
            ((end_index, crc, probabilities),) = twin.expect(raw[begin:at])
            assert struct.unpack_from("<I", frame.payload, 9) == (crc,)
            assert prediction(frame)[4].tobytes() == probabilities.tobytes()
            reply = board.ask(wire.LABEL, struct.pack("<IB", end_index, n % K))
            twin.label(n % K)
            assert struct.unpack_from("<I", reply.payload, 19) == (twin.head.crc(),)
        assert pull(board) == twin.payload()
        saved = state(board.ask(wire.SAVE))
    assert (saved["stored"], saved["capacity"]) == (36, 36)
    slot = SlotLayout.of(wire.FLASH_BYTES, RECORD, 4096).slot_bytes  # sequence 1 is in slot 1
    assert flash.read_bytes()[slot + 28 : slot + 28 + RECORD] == twin.record()


def test_heads_go_back_and_forth_roll_back_and_outlive_the_power(
    program: Path, flash: Path
) -> None:
    first, second = some_head(1), some_head(2)
    with Board(program, flash) as board:
        board.hello()
        for number, payload in enumerate((first, second), start=1):
            said = state(push(board, payload))
            assert (said["sequence"], said["records"], said["updates"]) == (number, number, number)
            assert pull(board) == payload
    with Board(program, flash) as board:
        board.hello()
        assert pull(board) == second
        assert state(board.ask(wire.ROLLBACK))["sequence"] == 3
        assert pull(board) == first
        state(board.ask(wire.ROLLBACK))
        assert pull(board) == second
        assert state(board.ask(wire.RESET))["head_crc"] == LARGE.head().crc()
    with Board(program, flash) as board:
        board.hello()
        assert state(board.ask(wire.SHOW))["head_crc"] == LARGE.head().crc()
        state(board.ask(wire.ROLLBACK))
        assert pull(board) == second


@pytest.mark.parametrize("operations", range(9))
def test_power_lost_or_flash_failing_at_any_operation_leaves_a_whole_head(
    program: Path, flash: Path, operations: int
) -> None:
    """A push is seven erases, header, payload, closing CRC."""
    with Board(program, flash) as board:
        board.hello()
        push(board, some_head(1))
        board.tell("f", operations)
        assert push(board, some_head(2)).status == FLASH
        assert pull(board) == some_head(1)
    with Board(program, flash) as board:
        board.hello()
        assert pull(board) == some_head(1)
        push(board, some_head(2))
        assert pull(board) == some_head(2)


@pytest.mark.parametrize("operations", [None, 0, 5, 7, 9])
def test_with_two_slots_a_rollback_overwrites_the_record_that_it_brings_back(
    program: Path, flash: Path, operations: int | None
) -> None:
    with Board(program, flash) as board:
        board.hello()
        push(board, some_head(1))
        push(board, some_head(2))
        if operations is not None:
            board.tell("f", operations)
            assert board.ask(wire.ROLLBACK).status == FLASH
            assert pull(board) == some_head(2)
        else:
            assert state(board.ask(wire.ROLLBACK))["records"] == 2
            assert pull(board) == some_head(1)
    with Board(program, flash) as board:
        board.hello()
        assert pull(board) == some_head(1 if operations is None else 2)


def test_round_and_round_the_slots_no_head_is_damaged(board: Board) -> None:
    for seed in range(1, 13):
        said = state(push(board, some_head(seed)))
        assert (said["sequence"], said["records"]) == (seed, min(seed, 2))
        assert pull(board) == some_head(seed)

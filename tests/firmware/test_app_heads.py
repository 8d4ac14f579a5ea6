"""What the app stores, takes up, brings back and is given by a host."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.head import values_offset
from pipeline.head.records import RecordKind, build_record
from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, Frame, head_state
from tests.firmware.support.app_session import (
    ARGUMENT,
    CRC,
    FLASH,
    HEAD,
    LENGTH,
    MODEL,
    NOT_FINITE,
    STATE,
    F,
    K,
    R,
    learn,
    name,
    next_window,
    pull,
    push,
    stored,
    with_labels,
)
from tests.firmware.support.app_twin import (
    SMALL,
    T,
    Twin,
    raw_samples,
)
from tests.support.programs import c_program


@pytest.fixture(scope="module")
def other_program() -> Path:
    """The same firmware with another model's id."""
    return c_program("app_other_model")


# --- heads ------------------------------------------------------------------------------------


def test_what_was_saved_is_known_after_a_power_cut(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        board.hello()
        twin = with_labels(board, [0, 1, 1])
        saved = head_state(board.ask(wire.SAVE))
        assert (saved["unsaved"], saved["sequence"], saved["records"]) == (0, 1, 1)
        image = flash.read_bytes()
        assert head_state(board.ask(wire.SAVE))["sequence"] == 1
        assert flash.read_bytes() == image  # nothing new to write
    with Board(program, flash) as board:
        assert board.said == ""
        board.hello()
        state = head_state(board.ask(wire.SHOW))
        assert state == saved | {"can_undo": 0} and state["head_crc"] == twin.head.crc()
        with_labels(board, [2, 1, 0, 0], twin)
        assert pull(board) == twin.payload()


def test_what_was_not_saved_is_gone_after_a_power_cut(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        board.hello()
        with_labels(board, [0])
    with Board(program, flash) as board:
        board.hello()
        state = head_state(board.ask(wire.SHOW))
        assert (state["source"], state["updates"]) == (0, 0)
        assert state["head_crc"] == SMALL.head().crc()


def test_a_head_of_another_model_is_left_alone(
    program: Path, other_program: Path, flash: Path
) -> None:
    with Board(other_program, flash) as board:
        board.hello()
        with_labels(board, [0])
        other = head_state(board.ask(wire.SAVE))
    with Board(program, flash) as board:
        assert board.said.startswith("har: the stored head is another model's")
        board.hello()
        state = head_state(board.ask(wire.SHOW))
        assert (state["source"], state["records"]) == (0, 0)
        assert board.ask(wire.ROLLBACK).status == STATE
    with Board(other_program, flash) as board:
        board.hello()
        assert head_state(board.ask(wire.SHOW)) == other | {"can_undo": 0}


def test_another_firmware_for_the_same_model_takes_the_record_up(
    program: Path, flash: Path
) -> None:
    upgraded = c_program("app_upgraded")
    with Board(program, flash) as board:
        board.hello()
        twin = with_labels(board, [0, 1, 1])
        name(board, twin, "mine")
        saved = head_state(board.ask(wire.SAVE))
    with Board(upgraded, flash) as board:
        assert board.said == ""
        assert board.hello().payload.endswith(wire.string("mine") + wire.string("9.9.9"))
        assert head_state(board.ask(wire.SHOW)) == saved | {"can_undo": 0}
        twin.index = 0
        with_labels(board, [3, 0, 2], twin)
        assert pull(board) == twin.payload()


def put(flash: Path, *payloads: bytes, version: int = 2, damage: int | None = None) -> None:
    """Records as somebody stored them, with right CRCs; a bit of the last one flipped behind."""
    image = bytearray(b"\xff" * wire.FLASH_BYTES)
    for sequence, payload in enumerate(payloads, start=1):
        record = bytearray(
            build_record(
                model_id=wire.MODEL_ID,
                sequence=sequence,
                kind=RecordKind.LEARNED,
                payload=payload,
            )
        )
        record[4] = version
        record[24:28] = struct.pack("<I", zlib.crc32(record[:24]))
        record[-4:] = struct.pack("<I", zlib.crc32(record[:-4]))
        if damage is not None and sequence == len(payloads):
            record[damage] ^= 1
        image[4096 * sequence : 4096 * sequence + len(record)] = record
    flash.write_bytes(image)


def test_a_record_of_another_format_is_told_once_and_overwritten(
    program: Path, flash: Path
) -> None:
    put(flash, _taught().record(), version=1)
    with Board(program, flash) as board:
        assert board.said == "har: the stored head is another firmware's: using the factory head\n"
        board.hello()
        assert head_state(board.ask(wire.SHOW))["records"] == 0
        assert board.ask(wire.ROLLBACK).status == STATE
        image = flash.read_bytes()
        board.ask(wire.RESET)  # which is in use, and what the next start takes
        assert flash.read_bytes() == image
        with_labels(board, [1])
        assert head_state(board.ask(wire.SAVE))["sequence"] == 1
    with Board(program, flash) as board:
        assert board.said == ""


WINDOWS = HEAD + 4 * R  # where the labels of the stored windows begin


def _wrong_record(what: str) -> bytes:
    record = bytearray(_taught().record())
    if what == "window of no activity":
        record[WINDOWS] = 0x80 | (K + 1)
    elif what == "hole in the windows":
        record[WINDOWS] = 0xFF
    elif what == "name":
        record[48 + 8 * R + 1] = 0x0A
    elif what == "value":
        record[HEAD - 4 : HEAD] = struct.pack("<f", np.inf)
    elif what == "activities":
        record[3] = R + 1
    elif what == "longer":
        record += bytes(4)
    elif what == "shorter":
        del record[-4:]
    return bytes(record)


@pytest.mark.parametrize(
    "what",
    [
        *("window of no activity", "hole in the windows", "name", "value", "activities"),
        *("longer", "shorter"),
    ],
)
def test_a_stored_record_that_cannot_be_right_is_not_taken(
    program: Path, flash: Path, what: str
) -> None:
    good = _taught()
    put(flash, good.record(), _wrong_record(what), good.record())
    with Board(program, flash) as board:
        board.hello()
        assert pull(board) == good.payload()
        reply = board.ask(wire.ROLLBACK)
        assert reply.type == wire.ERROR and "nothing has changed" in reply.text
        assert pull(board) == good.payload()
    put(flash, good.record(), _wrong_record(what))
    with Board(program, flash) as board:
        assert board.said == "har: the stored head is damaged: using the factory head\n"
        board.hello()
        assert pull(board) == Twin().payload()
        assert head_state(board.ask(wire.ROLLBACK))["taught"] == ("mine",)
        assert pull(board) == good.payload()


@pytest.mark.parametrize("damage", [28 + 5, 28 + HEAD - 1, 28 + HEAD + 4 * R, 28 + HEAD + 60, -1])
def test_a_bit_that_flips_in_head_or_windows_refuses_the_whole_record(
    program: Path, flash: Path, damage: int
) -> None:
    first = Twin()
    first.add("first")
    put(flash, first.record(), _taught().record(), damage=damage)
    with Board(program, flash) as board:
        assert board.said == ""
        board.hello()
        state = head_state(board.ask(wire.SHOW))
        assert (state["taught"], state["records"], state["sequence"]) == (("first",), 1, 1)


def test_rollback_and_rollback_again_is_a_redo(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        board.hello()
        assert board.ask(wire.ROLLBACK).status == STATE
        twin = with_labels(board, [0])
        first = head_state(board.ask(wire.SAVE))
        record = stored(flash)
        assert record == twin.record()
        assert board.ask(wire.ROLLBACK).status == STATE
        learn(board, twin, 1)
        second = head_state(board.ask(wire.SAVE))
        back = head_state(board.ask(wire.ROLLBACK))
        assert back["head_crc"] == first["head_crc"] and back["labels"] == (1, 0, 0)
        assert stored(flash) == record
        assert (back["sequence"], back["unsaved"]) == (3, 0)
        redo = head_state(board.ask(wire.ROLLBACK))
        assert redo["head_crc"] == second["head_crc"] and redo["sequence"] == 4
    with Board(program, flash) as board:
        board.hello()
        assert head_state(board.ask(wire.SHOW)) == redo


def test_reset_goes_to_the_shipped_head_for_good_and_can_be_rolled_back(
    program: Path, flash: Path
) -> None:
    with Board(program, flash) as board:
        board.hello()
        with_labels(board, [2, 2])
        saved = head_state(board.ask(wire.SAVE))
        state = head_state(board.ask(wire.RESET))
        assert (state["source"], state["unsaved"], state["updates"]) == (0, 0, 0)
        assert state["head_crc"] == SMALL.head().crc() and state["sequence"] == 2
    with Board(program, flash) as board:
        assert board.said == ""
        board.hello()
        assert head_state(board.ask(wire.SHOW)) == state
        assert head_state(board.ask(wire.ROLLBACK))["head_crc"] == saved["head_crc"]
        assert head_state(board.ask(wire.ROLLBACK))["source"] == 0


def _taught() -> Twin:
    """A head with some history and an activity of its own."""
    twin = Twin()
    for n, label in enumerate((0, 1, 2, 3, 3, 1)):
        if n == 3:
            twin.add("mine")
        twin.restart()
        twin.expect(raw_samples(T, 50 + n))
        twin.label(label)
    return twin


def test_a_head_from_the_host_is_taken_whole_and_kept(program: Path, flash: Path) -> None:
    twin = _taught()
    payload = twin.payload()
    with Board(program, flash) as board:
        board.hello()
        with_labels(board, [2, 2])  # which leave windows that are none of its
        state = head_state(push(board, payload))
        assert (state["source"], state["updates"]) == (1, twin.learner.updates)
        assert (state["labels"], state["taught"]) == ((1, 2, 1, 2), ("mine",))
        assert state["head_crc"] == twin.head.crc()
        assert (state["unsaved"], state["can_undo"], state["stored"]) == (0, 0, 0)
        assert pull(board) == payload == stored(flash)
    with Board(program, flash) as board:
        assert wire.string("mine") in board.hello().payload
        assert head_state(board.ask(wire.SHOW)) == state
        assert pull(board) == payload
        fresh = Twin().learner.replay
        fresh.random = twin.learner.replay.random
        twin.learner.replay = fresh
        twin.index = 0
        with_labels(board, [3, 0], twin)
        assert pull(board) == twin.payload()


def _damaged(damage: str) -> tuple[bytes, bytes, int]:
    """(payload, model id, the status it must be refused with)"""
    payload = bytearray(_taught().payload())
    limits, names, values = 48 + 4 * R, 48 + 8 * R, values_offset(R, K)
    floats = {
        "nan": (values + 4 * (F + 3), np.nan),
        "infinite": (values + 4 * (R * F + 2), -np.inf),
        "huge": (values, 3e6),
        "denormal": (values + 4, 1e-40),
        "spare row": (values + 4 * (R * F - 1), np.nan),
        "limit nan": (limits + 4, np.nan),
        "limit zero": (limits, 0.0),
        "limit huge": (limits + 4 * (R - 1), 3e6),
        "limit tiny": (limits, 1e-40),
    }
    texts = {
        "no name": b"",
        "long name": b"\x20" + b"x" * 31,
        "odd name": b"\x03a\nb",
        "shipped name": b"\x07sitting",
        "unknown": b"\x07unknown",
        "no text": b"\x02\xc3\x28",
    }
    sizes = {"features": 0, "rows": 2, "parameters": 4, "window": 44, "capacity": 46}
    if damage in floats:
        at, value = floats[damage]
        payload[at : at + 4] = struct.pack("<f", value)
        return bytes(payload), wire.MODEL_ID, NOT_FINITE
    if damage in texts:
        payload[names : names + 32] = texts[damage].ljust(32, b"\0")
        return bytes(payload), wire.MODEL_ID, ARGUMENT
    if damage == "name twice":
        payload[3] = K + 2
        payload[names + 32 : names + 64] = payload[names : names + 32]
        return bytes(payload), wire.MODEL_ID, ARGUMENT
    if damage in sizes:
        payload[sizes[damage]] ^= 1
    elif damage.startswith("activities"):
        payload[3] = {"activities few": K - 1, "activities many": R + 1}[damage]
    elif damage == "short":
        return bytes(payload[:-4]), wire.MODEL_ID, LENGTH
    else:
        return bytes(payload), wire.OTHER_MODEL_ID, MODEL
    return bytes(payload), wire.MODEL_ID, MODEL


@pytest.mark.parametrize(
    "damage",
    [
        *("nan", "infinite", "huge", "denormal", "spare row"),
        *("limit nan", "limit zero", "limit huge", "limit tiny"),
        *("no name", "long name", "odd name", "shipped name", "unknown", "no text", "name twice"),
        *("features", "rows", "parameters", "window", "capacity"),
        *("activities few", "activities many", "short", "other model"),
    ],
)
def test_a_head_that_cannot_be_right_is_refused_and_changes_nothing(
    board: Board, flash: Path, damage: str
) -> None:
    with_labels(board, [1])
    before = head_state(board.ask(wire.SAVE))
    image = flash.read_bytes()
    payload, model_id, code = _damaged(damage)
    assert push(board, payload, model_id).status == code
    assert head_state(board.ask(wire.SHOW)) == before | {"can_undo": 0}
    assert flash.read_bytes() == image
    assert head_state(push(board, _taught().payload()))["taught"] == ("mine",)  # undamaged


def test_head_pieces_must_follow_each_other_and_fit(board: Board) -> None:
    size = HEAD
    commit = wire.MODEL_ID + struct.pack("<II", size, 0)

    def write(offset: int, data: bytes) -> Frame:
        return board.ask(wire.WRITE, struct.pack("<I", offset) + data)

    assert write(4, b"abcd").status == STATE
    assert write(0, bytes(100)).payload == struct.pack("<I", 100)
    assert write(104, b"abcd").status == STATE
    assert write(100, bytes(size - 99)).status == LENGTH
    assert write(100, b"").status == LENGTH
    assert write(0xFFFFFFFF, b"a").status == STATE
    assert board.ask(wire.COMMIT, commit).status == LENGTH
    next_window(board, Twin(), 1)
    assert write(100, b"abcd").type == wire.WRITTEN
    assert board.ask(wire.LABEL, struct.pack("<IB", T - 1, 0)).type == wire.LEARNED
    assert write(104, b"abcd").status == STATE  # what came is the memory of undo now
    assert write(0, bytes(100)).type == wire.WRITTEN
    assert write(100, bytes(size - 100)).type == wire.WRITTEN
    assert board.ask(wire.COMMIT, commit).status == CRC
    assert board.ask(wire.COMMIT, commit[:-1]).status == LENGTH
    for offset, length in ((size, 1), (0, 509), (0xFFFFFFFF, 508), (size - 3, 4)):
        assert board.ask(wire.READ, struct.pack("<IH", offset, length)).status == ARGUMENT


@pytest.mark.parametrize("operations", range(4))
@pytest.mark.parametrize("what", ["save", "reset", "rollback", "commit"])
def test_a_flash_that_refuses_changes_nothing(
    program: Path, flash: Path, what: str, operations: int
) -> None:
    with Board(program, flash) as board:
        board.hello()
        twin = with_labels(board, [1])
        board.ask(wire.SAVE)
        learn(board, twin, 2)
        saved = head_state(board.ask(wire.SAVE))
        if what != "rollback":  # which would drop it, and need no flash
            learn(board, twin, 0)
        before = head_state(board.ask(wire.SHOW))
        head = pull(board)
        board.tell("f", operations)
        if what == "commit":
            reply = push(board, _taught().payload())
        else:
            kind = {"save": wire.SAVE, "reset": wire.RESET, "rollback": wire.ROLLBACK}[what]
            reply = board.ask(kind)
        if what == "reset" and operations == 3:  # an erase, a header, a closing CRC: enough
            assert head_state(reply)["source"] == 0
            return
        assert reply.status == FLASH
        forgets = {"can_undo": 0} if what in ("commit", "rollback") else {}
        assert head_state(board.ask(wire.SHOW)) == before | forgets
        assert pull(board) == head
        learn(board, twin, 1)  # and goes on with the windows that it had
    with Board(program, flash) as board:
        board.hello()
        assert head_state(board.ask(wire.SHOW)) == saved | {"can_undo": 0}


@pytest.mark.parametrize("argument", ["no-flash", "one-slot"])
def test_without_room_for_heads_the_board_learns_and_says_what_it_cannot_keep(
    program: Path, flash: Path, argument: str
) -> None:
    with Board(program, flash, argument) as board:
        assert board.said.startswith("har: no flash for learned heads")
        board.hello()
        with_labels(board, [1])
        for kind in (wire.SAVE, wire.ROLLBACK):
            assert board.ask(kind).status == FLASH
        assert push(board, _taught().payload()).status == FLASH
        assert head_state(board.ask(wire.SHOW))["updates"] == 1
        assert head_state(board.ask(wire.RESET))["source"] == 0

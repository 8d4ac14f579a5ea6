"""Labels, taking them back, and activities that are taught: bit for bit what NumPy says."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.head import values_offset
from pipeline.head.payload import head_bytes
from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, head_state
from tests.firmware.support.app_session import (
    ARGUMENT,
    LENGTH,
    NAMES,
    STATE,
    K,
    R,
    behind,
    learn,
    name,
    next_window,
    prediction,
    pull,
    stored,
    stream,
    with_labels,
)
from tests.firmware.support.app_twin import (
    HOP,
    MAP,
    SMALL,
    UNITS,
    Model,
    T,
    Twin,
    raw_samples,
)
from tests.support.programs import c_program

# --- learning ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [SMALL, MAP], ids=["fc", "fxc1"])
def test_labels_teach_as_numpy_does_bit_for_bit(model: Model, flash: Path, program: Path) -> None:
    """Through every outcome, and while shipped and learned parameters serve in turn."""
    if model is MAP:
        program = c_program("app_map")
    size = head_bytes(model.shape, K)
    outcomes, served = set(), set()
    with Board(program, flash) as board:
        board.hello()
        twin = Twin(model)
        rng = np.random.default_rng(5)
        raw = raw_samples(T + 60 * HOP, 6)
        at = 0
        for n in range(60):
            if n == 20:
                name(board, twin, "juggling")
            begin, at = at, at + (T if n == 0 else HOP)
            got = stream(board, raw[begin:at], begin, restart=n == 0)
            ((_, _, probabilities),) = twin.expect(raw[begin:at])
            assert prediction(got[0])[4].tobytes() == probabilities.tobytes()
            assert behind(got[0]) == twin.behind[-1]
            label = int(rng.integers(len(twin.names)))
            outcomes.add(learn(board, twin, label).payload[5])
            served.add(twin.learner.learned_active)
            assert pull(board, size) == twin.payload()
        state = head_state(board.ask(wire.SAVE))
    assert outcomes == {0, 1, 2} and served == {False, True}
    assert stored(flash, model) == twin.record()
    learner, guard = twin.learner, twin.learner.guard
    assert (state["held"], state["held_right"]) == learner.holdout()
    assert (state["stored"], state["capacity"]) == (learner.replay.count, model.capacity)
    assert (state["judged"], state["undone"]) == (guard.judged, guard.undone)
    assert (state["shipped_right"], state["learned_right"]) == (
        guard.shipped_right,
        guard.learned_right,
    )
    assert state["labels"] == tuple(learner.labels[: len(twin.names)])
    assert (state["source"], state["serves"], state["unsaved"]) == (1, learner.learned_active, 0)
    assert (state["updates"], state["taught"]) == (learner.updates, ("juggling",))
    assert (state["features"], state["rows"]) == (model.shape.features, R)


@pytest.mark.parametrize("labels", range(0, 30, 3))
def test_undo_takes_the_last_label_back_bit_for_bit(board: Board, flash: Path, labels: int) -> None:
    """Learned, held back or undone by the guard; the windows behind the head included."""
    rng = np.random.default_rng(labels)
    twin = with_labels(board, list(rng.integers(K, size=labels)))
    next_window(board, twin, 77)
    before, was = pull(board), head_state(board.ask(wire.SHOW))
    record = twin.record()
    learn(board, twin, int(rng.integers(K)))
    assert pull(board) != before
    assert head_state(board.ask(wire.SHOW))["can_undo"] == 1
    state = head_state(board.ask(wire.UNDO))
    twin.undo()
    assert state == was | {"can_undo": 0}
    assert pull(board) == before == twin.payload()
    assert board.ask(wire.UNDO).status == STATE
    assert pull(board) == before
    learn(board, twin, 0)  # the window can be labelled again, rightly
    board.ask(wire.UNDO)
    twin.undo()
    name(board, twin, "something to save")
    board.ask(wire.SAVE)
    at = values_offset(R, K)
    assert stored(flash)[at:] == twin.record()[at:] == record[at:]


def test_a_wrong_button_is_taken_back_and_the_right_one_counts(board: Board) -> None:
    twin = with_labels(board, [0, 1, 2])
    right = with_labels_only([0, 1, 2])
    learn(board, twin, 2)
    board.ask(wire.UNDO)
    twin.undo()
    learn(board, twin, 0)
    right.label(0)
    assert pull(board) == right.payload()


def with_labels_only(labels: list[int]) -> Twin:
    """The twin alone, as if nobody had pressed a wrong button."""
    twin = Twin()
    for n, label in enumerate(labels):
        raw = raw_samples(T, n)
        twin.restart()
        twin.expect(raw)
        twin.label(label)
    return twin


@pytest.mark.parametrize("between", ["save", "name", "write", "reset", "rollback"])
def test_what_undo_reaches(board: Board, between: str) -> None:
    twin = with_labels(board, [0])
    first = pull(board)
    board.ask(wire.SAVE)
    learn(board, twin, 1)
    if between == "save":
        saved = head_state(board.ask(wire.SAVE))
        assert saved["can_undo"] == 1
        state = head_state(board.ask(wire.UNDO))
        assert state["unsaved"] == 1 and pull(board) == first
        assert head_state(board.ask(wire.SAVE))["sequence"] == saved["sequence"] + 1
        return
    if between == "name":
        name(board, twin, "new")
    elif between == "write":
        board.ask(wire.WRITE, bytes(4) + b"abcd")
    else:
        board.ask(wire.RESET if between == "reset" else wire.ROLLBACK)
    now = pull(board)
    assert head_state(board.ask(wire.SHOW))["can_undo"] == 0
    assert board.ask(wire.UNDO).status == STATE
    assert pull(board) == now


def test_undo_of_the_first_label_is_the_shipped_head_again(board: Board, flash: Path) -> None:
    untouched = flash.read_bytes()
    shipped = head_state(board.ask(wire.SHOW))
    with_labels(board, [1])
    assert head_state(board.ask(wire.UNDO)) == shipped
    assert (shipped["source"], shipped["unsaved"]) == (0, 0)
    assert head_state(board.ask(wire.SAVE)) == shipped
    assert flash.read_bytes() == untouched


def test_nothing_to_undo_before_the_first_label(board: Board) -> None:
    assert board.ask(wire.UNDO).status == STATE


# --- activities that are taught ---------------------------------------------------------------


def test_a_taught_activity_is_learned_told_and_kept(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        board.hello()
        twin = with_labels(board, [0, 1])
        assert name(board, twin, "Rad fährt") == K
        state = head_state(board.ask(wire.SHOW))
        assert (state["activities"], state["taught"]) == (K + 1, ("Rad fährt",))
        assert (state["labels"], state["unsaved"], state["source"]) == ((1, 1, 0, 0), 1, 1)
        for seed in range(12):
            frame = next_window(board, twin, seed % 3)
            assert len(prediction(frame)[4]) == K + 1
            learn(board, twin, K)
        frame = next_window(board, twin, 1)
        assert twin.learner.learned_active and prediction(frame)[2] == K
        assert behind(frame)[2] == 0.0  # what was taught is never unknown
        saved = head_state(board.ask(wire.SAVE))
    assert stored(flash) == twin.record()
    with Board(program, flash) as board:
        assert board.hello().payload[25:] == b"".join(
            map(wire.string, (*NAMES, "Rad fährt", "0.1.0"))
        )
        assert head_state(board.ask(wire.SHOW)) == saved | {"can_undo": 0}
        twin.index = 0
        with_labels(board, [K, 0, 1, K], twin)  # learning goes on as if nothing had been
        assert pull(board) == twin.payload()
        assert board.ask(wire.BYE).type == wire.BYE_REPLY
        text = board.imu(raw_samples(T + 12 * HOP, 1).astype(np.float32) * UNITS).decode()
        assert any(line.startswith("Rad fährt ") for line in text.splitlines())


def test_the_smoother_forgets_when_an_activity_comes_or_goes(board: Board) -> None:
    twin = Twin()
    raw = raw_samples(T + 5 * HOP, 3)
    at = 0
    for n in range(6):
        begin, at = at, at + (T if n == 0 else HOP)
        (frame,) = stream(board, raw[begin:at], begin, restart=n == 0)
        twin.expect(raw[begin:at])
        assert behind(frame) == twin.behind[-1], n
        if n in (1, 3):
            name(board, twin, f"activity {n}")
        if n == 4:
            board.ask(wire.RESET)
            twin.reset()


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"x" * 32, b"tab\t", b"\x7f", b"nul\x00", b"\xc2\x85", b"unknown"),
        *(b"walking", "läuft".encode(), b"mine"),
        *(b"\xff", b"\xc3", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80"),
        *(b"\xf4\x90\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe4\xb8"),
    ],
)
def test_what_can_be_no_name_is_refused_and_changes_nothing(board: Board, text: bytes) -> None:
    assert board.ask(wire.NAME, wire.string("mine")).type == wire.NAMED
    before = pull(board)
    assert board.ask(wire.NAME, bytes([len(text)]) + text).status == ARGUMENT
    assert pull(board) == before


@pytest.mark.parametrize("text", ["x" * 31, "歩く", "🚲" * 7 + "abc", "Unknown", "walking "])
def test_what_can_be_a_name_is_one(board: Board, text: str) -> None:
    assert name(board, Twin(), text) == K
    assert head_state(board.ask(wire.SHOW))["taught"] == (text,)


@pytest.mark.parametrize("payload", [b"", b"\x05four", b"\x01ab"])
def test_a_name_of_another_length_than_it_says_is_refused(board: Board, payload: bytes) -> None:
    assert board.ask(wire.NAME, payload).status == LENGTH


def test_when_no_row_is_left_the_board_says_what_to_do(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        board.hello()
        for row in range(K, R):
            assert board.ask(wire.NAME, wire.string(f"row {row}")).payload == bytes([row])
        reply = board.ask(wire.NAME, wire.string("one too many"))
        assert reply.status == STATE
        assert reply.text.startswith("all 5 rows are taken: reset the head")
        assert head_state(board.ask(wire.RESET))["activities"] == K
        assert board.ask(wire.NAME, wire.string("row 3")).payload == bytes([K])
    full = c_program("app_full")
    with Board(full, flash) as board:
        board.hello()
        assert board.ask(wire.NAME, wire.string("new")).status == STATE
        next_window(board, Twin(), 1)
        assert board.ask(wire.LABEL, struct.pack("<IB", T - 1, 1)).type == wire.LEARNED


def test_since_when_and_when_saved_by_the_clock_of_the_host(program: Path, flash: Path) -> None:
    start = 1_700_000_000
    with Board(program, flash) as board:
        board.hello(start)
        next_window(board, twin := Twin(), 1)
        board.tell("m", 90_000)
        learn(board, twin, 1)
        board.tell("m", 3600_000)
        saved = head_state(board.ask(wire.SAVE))
        assert 0 <= saved["since_s"] - (start + 90) <= 1
        assert 0 <= saved["saved_s"] - (start + 3690) <= 2
        twin.since_s, twin.saved_s = saved["since_s"], saved["saved_s"]
        assert pull(board) == twin.payload()
        board.hello()  # a host that does not know the time leaves it as it is
        next_window(board, twin, 2)
        learn(board, twin, 2)
        assert head_state(board.ask(wire.SAVE))["saved_s"] >= saved["saved_s"]
        back = head_state(board.ask(wire.ROLLBACK))
        assert (back["since_s"], back["saved_s"]) == (saved["since_s"], saved["saved_s"])
        assert head_state(board.ask(wire.RESET))["since_s"] == 0


def test_the_time_goes_on_when_the_clock_of_the_board_begins_again(board: Board) -> None:
    start = 1_700_000_000
    board.hello(start)
    for _ in range(3):
        board.tell("m", 2**31)
        board.ask(wire.STATUS)
    name(board, Twin(), "new")
    passed = head_state(board.ask(wire.SAVE))["saved_s"] - start
    assert 0 <= passed - 3 * 2**31 // 1000 <= 2

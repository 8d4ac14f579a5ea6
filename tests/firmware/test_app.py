"""The app does what docs/PROTOCOL.md says, and computes what pipeline/head computes, bit for bit;
all of it under AddressSanitizer and UBSan, over a scripted board."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, Frame, head_state
from tests.firmware.support.app_session import (
    ARGUMENT,
    ENGINE,
    LENGTH,
    NAMES,
    STATE,
    TYPE,
    VERSION,
    F,
    K,
    R,
    behind,
    prediction,
    status,
    stream,
)
from tests.firmware.support.app_twin import (
    HOP,
    UNITS,
    WIDEN,
    T,
    Twin,
    raw_samples,
)

# --- text -------------------------------------------------------------------------------------


def test_text_mode_prints_one_line_per_window_of_the_boards_own_sensor(
    program: Path, flash: Path
) -> None:
    raw = raw_samples(40, 1)
    twin = Twin()
    twin.expect(raw)
    shown = [("unknown", 1 / n) if n > 1 else (NAMES[s], p) for s, p, n in twin.behind]
    assert {"unknown", "walking"} <= {name for name, _ in shown}
    expected = [f"{name} {np.floor(p * 100 + 0.5) / 100:.2f}\n" for name, p in shown]
    with Board(program, flash) as board:
        got = board.imu(raw.astype(np.float32) * UNITS).decode()
    assert got.splitlines(keepends=True) == expected
    assert len(expected) == 9


def test_text_never_holds_a_zero_byte_and_old_lines_do_not_pile_up(
    program: Path, flash: Path
) -> None:
    with Board(program, flash) as board:
        board.tell("t", 0)
        assert board.imu(raw_samples(400, 1).astype(np.float32) * UNITS) == b""
        board.tell("t", wire.FOREVER)
        text = board.serial()
        assert b"\x00" not in text and text.count(b"\n") == 1
        board.hello()
        assert status(board)["dropped"] == 0


def test_before_hello_every_request_is_told_to_say_hello(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        for kind in (wire.STATUS, wire.SAMPLES, wire.RESET, wire.BYE):
            assert board.ask(kind).status == STATE
        assert board.serial(b"help\r\n") == b""
        assert board.hello().type == wire.HELLO_REPLY


def test_hello_tells_who_is_there_and_bye_goes_back_to_text(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        names = b"".join(map(wire.string, NAMES))
        reply = board.hello()
        assert reply.seq == 7
        assert reply.payload == (
            b"\x04"
            + wire.MODEL_ID
            + struct.pack("<BBBfHHHBBB", 0, 0, 3, 50.0, T, HOP, F, R, K, K)
            + names
            + b"\x050.1.0"
        )
        assert board.ask(wire.BYE, seq=9) == Frame(wire.BYE_REPLY, 9, b"")
        text = board.imu(raw_samples(T, 1).astype(np.float32) * UNITS)
        assert text.endswith(b"\n")
        # The answer to BYE was lost: asked again in text mode, it comes again.
        assert board.ask(wire.BYE, seq=9) == Frame(wire.BYE_REPLY, 9, b"")


def test_hello_of_another_version_is_refused_and_text_goes_on(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        for payload, code in (
            (b"\x03", VERSION),
            (b"", LENGTH),
            (b"\x04", LENGTH),
            (b"\x04" + bytes(5), LENGTH),
        ):
            assert board.ask(wire.HELLO, payload).status == code
        assert board.imu(raw_samples(T, 1).astype(np.float32) * UNITS).endswith(b"\n")


# --- samples and predictions ------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 17, wire.FOREVER])
def test_predictions_equal_numpy_bit_for_bit(board: Board, chunk: int) -> None:
    board.tell("c", chunk)
    raw = raw_samples(300, 2)
    got = stream(board, raw, restart=True)
    twin = Twin()
    expected = twin.expect(raw)
    assert len(got) == len(expected) == 74
    assert [behind(frame) for frame in got] == twin.behind
    for n, (frame, (end_index, crc, probabilities)) in enumerate(zip(got, expected, strict=True)):
        found = prediction(frame)
        assert frame.seq == n
        assert found[:1] + found[2:4] == (end_index, int(probabilities.argmax()), crc)
        assert found[4].tobytes() == probabilities.tobytes()
    assert status(board)["windows"] == 74


def test_own_sensor_feeds_frames_until_the_host_sends_samples(board: Board) -> None:
    raw = raw_samples(T + HOP, 2)
    got = wire.parse(board.imu(raw.astype(np.float32) * UNITS))
    assert [prediction(f)[0] for f in got] == [7, 11]
    got = stream(board, raw)
    assert [prediction(f)[0] for f in got] == [7, 11]
    assert status(board)["lost"] == 0


def test_time_of_a_prediction_is_its_last_samples(board: Board) -> None:
    (frame,) = board.send(
        wire.SAMPLES, wire.samples_payload(0, raw_samples(T, 1), restart=True, time_ms=1000)
    )
    assert prediction(frame)[1] == 1000 + 7 * 20


def test_gaps_are_counted_and_no_window_straddles_one(board: Board) -> None:
    raw = raw_samples(64, 4)
    twin = Twin()
    got = stream(board, raw[:6], 0)
    got += stream(board, raw[9:20], 9)  # 6, 7, 8 lost
    got += stream(board, raw[12:22], 12)  # 12..19 again, then 20, 21
    got += stream(board, raw[3:5], 3)  # long gone
    twin.index = 9
    expected = twin.expect(raw[9:22])
    assert [prediction(f)[0] for f in got] == [16, 20] == [e for e, _, _ in expected]
    assert all(prediction(f)[3] == crc for f, (_, crc, _) in zip(got, expected, strict=True))
    counts = status(board)
    assert (counts["lost"], counts["received"]) == (3, 6 + 13)


def test_indices_wrap_around_without_a_gap(board: Board) -> None:
    raw = raw_samples(16, 4)
    got = board.send(wire.SAMPLES, wire.samples_payload(0xFFFFFFFA, raw, restart=True))
    got += stream(board, raw, 10)
    assert [prediction(f)[0] for f in got] == [1, 5, 9, 13, 17, 21, 25]
    assert status(board)["lost"] == 0


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", LENGTH),
        (wire.samples_payload(0, raw_samples(3, 1))[:-1], LENGTH),
        (wire.samples_payload(0, raw_samples(3, 1)) + b"\x00", LENGTH),
        (struct.pack("<IIBB", 0, 0, 0, 0), ARGUMENT),
        (wire.samples_payload(0, raw_samples(33, 1)), ARGUMENT),
        (struct.pack("<IIBB", 0, 0, 2, 1) + bytes(12), ARGUMENT),
    ],
)
def test_bad_samples_are_refused_and_none_is_taken(board: Board, payload: bytes, code: int) -> None:
    assert board.ask(wire.SAMPLES, payload).status == code
    assert status(board)["received"] == 0


def test_a_sensor_that_answers_nonsense_is_a_gap(program: Path, flash: Path) -> None:
    samples = raw_samples(24, 1).astype(np.float32) * UNITS
    samples[5, 2] = np.nan
    samples[14, 0] = np.inf
    with Board(program, flash) as board:
        board.hello()
        got = wire.parse(board.imu(samples))
        assert [prediction(f)[0] for f in got] == [13, 22]
        assert status(board)["lost"] == 2


# --- unknown and smoothed ---------------------------------------------------------------------


def test_some_windows_are_unknown_and_some_are_smoothed_away() -> None:
    """So that the comparisons above mean something."""
    twin = Twin()
    heads = [int(p.argmax()) for _, _, p in twin.expect(raw_samples(300, 2))]
    unknown = sum(novelty > 1 for _, _, novelty in twin.behind)
    assert 10 < unknown < 64
    assert sum(s != a for a, (s, _, _) in zip(heads, twin.behind, strict=True)) >= 3


@pytest.mark.parametrize("how", ["restart", "gap"])
def test_the_smoother_forgets_at_a_restart_and_at_a_gap(board: Board, how: str) -> None:
    raw = raw_samples(5 * T, 3)
    stream(board, raw, restart=True)
    start = len(raw) + 7 * (how == "gap")
    got = stream(board, raw, start, restart=how == "restart")
    twin = Twin()
    twin.expect(raw)
    assert [behind(frame) for frame in got] == twin.behind


def test_what_was_labelled_is_known_from_then_on(board: Board) -> None:
    """A label lifts the unknown of its own window once the head agrees; reset takes that back."""
    twin = Twin()
    far = next(raw for seed in range(99) if _novelty(raw := raw_samples(T, seed)) > 2)
    for _ in range(40):
        (frame,) = stream(board, far, twin.index, restart=True)
        twin.restart()
        ((end_index, _, _),) = twin.expect(far)
        assert behind(frame) == twin.behind[-1]
        board.ask(wire.LABEL, struct.pack("<IB", end_index, 1))
        twin.label(1)
    assert twin.learner.learned_active
    assert prediction(frame)[2] == 1
    assert behind(frame)[2] == np.float32(1 / WIDEN)
    board.ask(wire.RESET)
    (frame,) = stream(board, far, twin.index, restart=True)
    assert behind(frame)[2] == _novelty(far)


def _novelty(raw: np.ndarray) -> float:
    twin = Twin()
    twin.expect(raw)
    return twin.behind[0][2]


# --- requests ---------------------------------------------------------------------------------


def test_only_windows_that_are_kept_and_known_activities_can_be_labelled(board: Board) -> None:
    label = struct.Struct("<IB")
    assert board.ask(wire.LABEL, label.pack(7, 0)).status == STATE  # none yet
    stream(board, raw_samples(T + 8 * HOP, 1))
    before = head_state(board.ask(wire.SHOW))
    assert board.ask(wire.LABEL, label.pack(7, 0)).status == STATE  # the ninth last
    assert board.ask(wire.LABEL, label.pack(11, K)).status == ARGUMENT
    assert board.ask(wire.LABEL, label.pack(11, 0)[:-1]).status == LENGTH
    assert head_state(board.ask(wire.SHOW)) == before
    assert board.ask(wire.LABEL, label.pack(11, 0)).type == wire.LEARNED


def test_a_repeated_request_is_answered_again_and_not_executed_again(board: Board) -> None:
    stream(board, raw_samples(T, 1))
    payload = struct.pack("<IB", 7, 1)
    first = board.ask(wire.LABEL, payload, seq=500)
    assert board.ask(wire.LABEL, payload, seq=500) == first
    stream(board, raw_samples(2, 1), 8)  # samples do not disturb the memory
    assert board.ask(wire.LABEL, payload, seq=500) == first
    assert head_state(board.ask(wire.SHOW))["updates"] == 1
    assert board.ask(wire.LABEL, payload, seq=501).payload != first.payload
    assert head_state(board.ask(wire.SHOW))["updates"] == 2
    # Same seq, other content: another request.
    board.ask(wire.LABEL, payload, seq=600)
    board.ask(wire.LABEL, struct.pack("<IB", 7, 2), seq=600)
    assert head_state(board.ask(wire.SHOW))["labels"] == (0, 3, 1)
    undone = board.ask(wire.UNDO, seq=700)
    assert board.ask(wire.UNDO, seq=700) == undone
    named = board.ask(wire.NAME, wire.string("new"), seq=701)
    assert board.ask(wire.NAME, wire.string("new"), seq=701) == named
    assert head_state(board.ask(wire.SHOW))["labels"] == (0, 3, 0, 0)


# --- a hostile or broken world ----------------------------------------------------------------


def test_garbage_is_counted_and_the_next_frame_is_understood(board: Board) -> None:
    rng = np.random.default_rng(8)
    for _ in range(20):
        noise = rng.integers(0, 256, 700).astype(np.uint8).tobytes()
        board.serial(noise + b"\x00")
        assert board.ask(wire.SHOW).type == wire.STATE
    good = wire.frame(wire.SHOW, 9)
    bad = good[:3] + bytes([good[3] ^ 1 or 2]) + good[4:]
    counted = status(board)["bad"]
    assert board.serial(bad) == b""
    assert status(board)["bad"] == counted + 1


def test_unknown_requests_are_named_and_echoes_of_replies_get_no_answer(board: Board) -> None:
    for kind in (0x00, 0x10, 0x7F):
        reply = board.ask(kind, b"what")
        assert reply.status == TYPE
        assert reply.payload[:3] == struct.pack("<BH", kind, board.seq)
    assert board.send(wire.ERROR, b"\x01\x00\x00\x01\x00") == []
    assert board.send(wire.HELLO_REPLY) == []


@pytest.mark.parametrize(
    "kind", [wire.SAVE, wire.SHOW, wire.RESET, wire.ROLLBACK, wire.STATUS, wire.BYE, wire.UNDO]
)
def test_requests_without_payload_take_none(board: Board, kind: int) -> None:
    assert board.ask(kind, b"x").status == LENGTH


def test_random_requests_are_always_answered_and_never_break_it(board: Board) -> None:
    rng = np.random.default_rng(9)
    for _ in range(400):
        kind = int(rng.integers(0, 16))
        if kind == wire.BYE:
            continue
        payload = rng.integers(0, 256, rng.integers(0, 40)).astype(np.uint8).tobytes()
        frames = board.send(kind, payload)
        assert kind == wire.SAMPLES or frames[-1].seq == board.seq
    assert board.hello().type == wire.HELLO_REPLY


def test_frames_that_find_no_room_are_dropped_whole_and_counted(board: Board) -> None:
    raw = raw_samples(32 * 40, 2)
    board.tell("t", 5)  # even a frame that was begun is finished later
    got = b""
    for n in range(40):
        payload = wire.samples_payload(32 * n, raw[32 * n : 32 * n + 32], n == 0)
        got += board.serial(wire.frame(wire.SAMPLES, n, payload))
    board.tell("t", wire.FOREVER)
    frames = wire.parse(got + board.serial())
    expected = Twin().expect(raw)
    assert 20 < len(frames) < len(expected)
    for frame, (end_index, _, probabilities) in zip(frames, expected, strict=False):
        assert prediction(frame)[0] == end_index
        assert prediction(frame)[4].tobytes() == probabilities.tobytes()
    assert status(board)["dropped"] == len(expected) - len(frames)


def test_an_engine_that_cannot_start_says_so_in_both_languages(program: Path, flash: Path) -> None:
    with Board(program, flash, "engine-broken") as board:
        assert board.said == "har: the arena is too small: emit again\n"
        assert board.imu(raw_samples(20, 1).astype(np.float32) * UNITS) == b""
        for kind in (wire.HELLO, wire.SAMPLES, wire.STATUS, wire.SAVE):
            reply = board.ask(kind, wire.hello_payload() if kind == wire.HELLO else b"")
            assert (reply.status, reply.text) == (ENGINE, "the arena is too small: emit again")


def test_an_engine_that_fails_later_is_reported_and_leaves_no_window_to_label(
    board: Board,
) -> None:
    stream(board, raw_samples(T, 1))
    board.tell("e", 1)
    (error,) = stream(board, raw_samples(HOP, 1), T)
    assert error.status == ENGINE
    assert board.ask(wire.LABEL, struct.pack("<IB", T + HOP - 1, 0)).status == STATE
    board.tell("e", 0)
    (again,) = stream(board, raw_samples(HOP, 1), T + HOP)
    assert prediction(again)[0] == T + 2 * HOP - 1

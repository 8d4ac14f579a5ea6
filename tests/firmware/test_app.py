"""The app does what docs/PROTOCOL.md says, and computes what pipeline/learn computes, bit for bit;
all of it under AddressSanitizer and UBSan, over a scripted board."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.learn import (
    Learning,
    Limits,
    Novelty,
    SampleQuantization,
    Smoother,
    Tail,
    WindowReference,
    dequantize,
    pack,
    payload_bytes,
    unpack,
    weights_offset,
)
from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, Frame, build_app, head_state

T, HOP, F, K = 8, 4, 12, 3
NAMES = ("walking", "sitting", "läuft")
ARGUMENT, LENGTH, CRC, MODEL, VERSION, STATE, NOT_FINITE, FLASH = 1, 2, 3, 4, 5, 6, 7, 8
ENGINE, TYPE = 10, 11
LEARNING = Learning(rate=0.05, anchor=0.01, steps=3)
KNEE = np.float32([0.0, 0.0, 0.0, 0.1, 0.25, 0.0])
MEAN = np.float32([0.1, -0.2, 0.9, 0.0, 0.05, -0.1])
GAIN = np.float32([40.0, 35.5, 50.25, 20.0, 18.0, 25.0])
UNITS = np.float32(1) / np.float32([4096] * 3 + [800] * 3)
WEIGHTS = np.float32(
    [
        [0.1, -0.2, 0.3, 0.05, 0.0, -0.15, 0.25, 0.12, -0.3, 0.2, -0.05, 0.4],
        [-0.2, 0.1, 0.15, -0.1, 0.35, 0.2, -0.1, 0.0, 0.25, -0.3, 0.1, -0.2],
        [0.05, 0.3, -0.4, 0.2, -0.1, 0.1, 0.15, -0.2, 0.125, 0.1, 0.2, -0.1],
    ]
)
BIAS = np.float32([0.1, -0.1, 0.05])
NOVELTY = Novelty(
    np.float32(
        [[3.0, 2.5, 3.5, 3.0, 2.0], [2.5, 3.0, 3.0, 2.75, 4.0], [3.5, 3.0, 2.0, 3.25, 3.0]],
    ),
    np.float32(
        [[0.5, 0.4, 0.6, 0.5, 0.3], [0.45, 0.5, 0.55, 0.5, 0.6], [0.7, 0.5, 0.4, 0.5, 0.35]],
    ),
)
LIMIT, WIDEN = 0.3, 1.25


def new_tail() -> Tail:
    return Tail(WEIGHTS, BIAS)


SCALES = np.repeat(np.float32([0.03, 0.011, 0.07]), [5, 2, 5])
ZERO_POINTS = np.repeat([-100, 17, -128], [5, 2, 5])


def engine(window: np.ndarray) -> np.ndarray:
    """The engine of app_model.c: int8 (T, 6) -> int8 (F,), output after output."""
    flat = window.ravel().astype(np.int64)
    f, i = np.arange(F)[:, None], np.arange(flat.size)
    sums = (flat * ((i * 7 + f * 13) % 5 - 2)).sum(axis=1)
    values = np.clip(np.trunc(sums / 4), -128, 127).astype(np.int8)
    return np.concatenate([values[7:], values[5:7], values[:5]])


class Twin:
    """The board as NumPy has it."""

    def __init__(self) -> None:
        self.tail = new_tail()
        self.limits = Limits(K, LIMIT, WIDEN)
        self.smoother = Smoother(K, 0.01, 0.5)
        self.window = WindowReference(T, HOP, SampleQuantization(KNEE, MEAN, GAIN, -3))
        self.index = 0
        self.x = np.zeros(F, np.float32)
        self.behind: list[tuple[int, float, float]] = []

    def expect(self, raw: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
        """Wire samples (n, 6) -> (end_index, features_crc, probabilities (K,)) per window; into
        `behind` goes (smoothed, smoothed_probability, novelty)."""
        predictions = []
        for position, window in self.window.push(raw.astype(np.float32) * UNITS):
            features = engine(window)
            self.x = dequantize(features, SCALES, ZERO_POINTS)
            probabilities = self.tail.predict(self.x)
            predictions.append((self.index + position, zlib.crc32(features), probabilities))
            self.behind.append(self._look_behind(probabilities))
        self.index += len(raw)
        return predictions

    def _look_behind(self, probabilities: np.ndarray) -> tuple[int, float, float]:
        activity = int(probabilities.argmax())
        novelty = self.limits.novelty(NOVELTY.distance(self.x, activity), activity)
        belief = self.smoother.push(probabilities, bool(novelty > 1))
        return int(belief.argmax()), float(belief.max()), float(novelty)

    def learn(self, label: int) -> None:
        self.tail.update(self.x, label, LEARNING)
        self.limits.learn(label, NOVELTY.distance(self.x, label))

    def head(self, updates: int, labels: tuple[int, ...]) -> bytes:
        return pack(self.tail.weights, self.tail.bias, updates, labels, self.limits.values)


def raw_samples(n: int, seed: int) -> np.ndarray:
    """Like a body: around 1 g, and now and then far out. int16 (n, 6)."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(0, 400, (n, 6)) + np.array([400, -800, 3700, 0, 0, 0])
    raw[rng.random((n, 6)) < 0.02] *= 30
    return np.clip(raw, -32768, 32767).astype(np.int16)


def prediction(frame: Frame) -> tuple[int, int, int, int, np.ndarray]:
    """(end_index, time_ms, activity, features_crc, probabilities)"""
    assert frame.type == wire.PREDICTION and len(frame.payload) == 30 + 4 * K
    end_index, time_ms, activity, crc = struct.unpack_from("<IIBI", frame.payload)
    return end_index, time_ms, activity, crc, np.frombuffer(frame.payload, "<f4", offset=30)


def behind(frame: Frame) -> tuple[int, float, float]:
    """(smoothed, smoothed_probability, novelty) of a PREDICTION."""
    return struct.unpack_from("<Bff", frame.payload, 21)


def status(board: Board) -> dict[str, int]:
    names = ("uptime", "received", "lost", "windows", "bad", "dropped", "stack_used", "stack_size")
    return dict(zip(names, struct.unpack("<8I", board.ask(wire.STATUS).payload), strict=True))


def stream(board: Board, raw: np.ndarray, start: int = 0, restart: bool = False) -> list[Frame]:
    frames = []
    for at in range(0, len(raw), 32):
        payload = wire.samples_payload(start + at, raw[at : at + 32], restart and at == 0)
        frames += board.send(wire.SAMPLES, payload)
    return frames


def learn(board: Board, twin: Twin, label: int) -> Frame:
    """Labels the last window on both sides."""
    end = twin.index - 1 - (twin.index - T) % HOP
    reply = board.ask(wire.LABEL, struct.pack("<IB", end, label))
    twin.learn(label)
    return reply


def pull(board: Board) -> bytes:
    size = payload_bytes(F, K)
    pieces = [(at, min(100, size - at)) for at in range(0, size, 100)]
    replies = [board.ask(wire.READ, struct.pack("<IH", *piece)) for piece in pieces]
    for (at, _), reply in zip(pieces, replies, strict=True):
        assert reply.type == wire.DATA and struct.unpack_from("<I", reply.payload)[0] == at
    return b"".join(reply.payload[4:] for reply in replies)


def push(board: Board, payload: bytes, model_id: bytes = wire.MODEL_ID) -> Frame:
    for at in range(0, len(payload), 77):
        piece = payload[at : at + 77]
        reply = board.ask(wire.WRITE, struct.pack("<I", at) + piece)
        assert reply.type == wire.WRITTEN
        assert reply.payload == struct.pack("<I", at + len(piece))
    commit = model_id + struct.pack("<II", len(payload), zlib.crc32(payload))
    return board.ask(wire.COMMIT, commit)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_app(tmp_path_factory.mktemp("app") / "app")


@pytest.fixture(scope="module")
def other_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same firmware with another model's id."""
    return build_app(tmp_path_factory.mktemp("app") / "other", "-DHAR_TEST_OTHER_MODEL")


def with_labels(board: Board, labels: list[int], seed: int = 3) -> Twin:
    """Streams and teaches one window per label."""
    twin = Twin()
    twin.expect(raw := raw_samples(T, seed))
    stream(board, raw, 0, restart=True)
    for label in labels:
        assert learn(board, twin, label).type == wire.LEARNED
    return twin


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
        names = b"".join(bytes([len(n.encode())]) + n.encode() for n in NAMES)
        reply = board.hello()
        assert reply.seq == 7
        assert reply.payload == (
            b"\x02"
            + wire.MODEL_ID
            + struct.pack("<BBBfHHHB", 0, 0, 3, 50.0, T, HOP, F, K)
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
        for payload, code in ((b"\x01", VERSION), (b"", LENGTH), (b"\x02\x02", LENGTH)):
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
    tails = [int(p.argmax()) for _, _, p in twin.expect(raw_samples(300, 2))]
    unknown = sum(novelty > 1 for _, _, novelty in twin.behind)
    assert 10 < unknown < 64
    assert sum(s != a for a, (s, _, _) in zip(tails, twin.behind, strict=True)) >= 3


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
    """A label lifts the unknown of its own window once the tail agrees; reset takes that back."""
    twin = Twin()
    far = next(raw for seed in range(99) if _novelty(raw := raw_samples(T, seed)) > 2)
    for _ in range(40):
        (frame,) = stream(board, far, twin.index, restart=True)
        twin.window.restart()
        twin.smoother.restart()
        ((end_index, _, _),) = twin.expect(far)
        assert behind(frame) == twin.behind[-1]
        board.ask(wire.LABEL, struct.pack("<IB", end_index, 1))
        twin.learn(1)
    assert prediction(frame)[2] == 1
    assert behind(frame)[2] == np.float32(1 / WIDEN)
    board.ask(wire.RESET)
    (frame,) = stream(board, far, twin.index, restart=True)
    assert behind(frame)[2] == _novelty(far)


def _novelty(raw: np.ndarray) -> float:
    twin = Twin()
    twin.expect(raw)
    return twin.behind[0][2]


# --- learning ---------------------------------------------------------------------------------


def test_labels_teach_as_numpy_does_bit_for_bit(board: Board) -> None:
    twin = Twin()
    rng = np.random.default_rng(5)
    raw = raw_samples(T + 60 * HOP, 6)
    counted = [0] * K
    at = 0
    for n in range(1, 61):
        size = T if at == 0 else HOP
        got = stream(board, raw[at : at + size], at, restart=at == 0)
        ((end_index, _, probabilities),) = twin.expect(raw[at : at + size])
        at += size
        assert prediction(got[0])[4].tobytes() == probabilities.tobytes()
        assert behind(got[0]) == twin.behind[-1]
        label = int(rng.integers(K))
        counted[label] += 1
        reply = learn(board, twin, label)
        before, after = probabilities[label], twin.tail.predict(twin.x)[label]
        crc = twin.tail.crc()
        assert reply.payload[:21] == struct.pack("<IBIffI", end_index, label, n, before, after, crc)
        assert struct.unpack("<I", reply.payload[21:])[0] > 0  # what it cost
    state = head_state(board.ask(wire.SHOW))
    assert state["labels"] == tuple(counted)
    assert (state["source"], state["unsaved"], state["updates"]) == (1, 1, 60)
    assert pull(board) == twin.head(60, tuple(counted))


def test_only_the_last_window_and_known_activities_can_be_labelled(board: Board) -> None:
    label = struct.Struct("<IB")
    assert board.ask(wire.LABEL, label.pack(7, 0)).status == STATE  # none yet
    stream(board, raw_samples(T + HOP, 1))
    before = head_state(board.ask(wire.SHOW))
    assert board.ask(wire.LABEL, label.pack(7, 0)).status == STATE  # the one before
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


# --- heads ------------------------------------------------------------------------------------


def test_what_was_saved_is_known_after_a_power_cut(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        board.hello()
        twin = with_labels(board, [0, 1, 1])
        saved = head_state(board.ask(wire.SAVE))
        assert (saved["unsaved"], saved["sequence"], saved["records"]) == (0, 1, 1)
        assert head_state(board.ask(wire.SAVE))["sequence"] == 1  # nothing new to write
    with Board(program, flash) as board:
        assert board.serial() == b""
        board.hello()
        state = head_state(board.ask(wire.SHOW))
        assert state == saved and state["tail_crc"] == twin.tail.crc()
        raw = raw_samples(T, 9)
        twin.window.restart()
        (expected,) = twin.expect(raw)
        assert prediction(stream(board, raw)[0])[4].tobytes() == expected[2].tobytes()


def test_what_was_not_saved_is_gone_after_a_power_cut(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        board.hello()
        with_labels(board, [0])
    with Board(program, flash) as board:
        board.hello()
        state = head_state(board.ask(wire.SHOW))
        assert (state["source"], state["updates"]) == (0, 0)
        assert state["tail_crc"] == new_tail().crc()


def test_a_head_of_another_model_is_left_alone(
    program: Path, other_program: Path, flash: Path
) -> None:
    with Board(other_program, flash) as board:
        board.hello()
        with_labels(board, [0])
        other = head_state(board.ask(wire.SAVE))
    with Board(program, flash) as board:
        assert board.serial().startswith(b"har: the stored head is another model's")
        board.hello()
        state = head_state(board.ask(wire.SHOW))
        assert (state["source"], state["records"]) == (0, 0)
        assert board.ask(wire.ROLLBACK).status == STATE
    with Board(other_program, flash) as board:
        board.hello()
        assert head_state(board.ask(wire.SHOW)) == other


def test_rollback_and_rollback_again_is_a_redo(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        board.hello()
        assert board.ask(wire.ROLLBACK).status == STATE
        twin = with_labels(board, [0])
        first = head_state(board.ask(wire.SAVE))
        assert board.ask(wire.ROLLBACK).status == STATE
        learn(board, twin, 1)
        second = head_state(board.ask(wire.SAVE))
        back = head_state(board.ask(wire.ROLLBACK))
        assert back["tail_crc"] == first["tail_crc"] and back["labels"] == (1, 0, 0)
        assert (back["sequence"], back["unsaved"]) == (3, 0)
        redo = head_state(board.ask(wire.ROLLBACK))
        assert redo["tail_crc"] == second["tail_crc"] and redo["sequence"] == 4
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
        assert state["tail_crc"] == new_tail().crc() and state["sequence"] == 2
    with Board(program, flash) as board:
        assert board.serial() == b""
        board.hello()
        assert head_state(board.ask(wire.SHOW)) == state
        assert head_state(board.ask(wire.ROLLBACK))["tail_crc"] == saved["tail_crc"]
        assert head_state(board.ask(wire.ROLLBACK))["source"] == 0


def test_a_head_from_the_host_is_taken_whole_and_kept(program: Path, flash: Path) -> None:
    twin = Twin()
    twin.x = np.linspace(0, 5, F, dtype=np.float32)
    twin.learn(2)
    payload = twin.head(9, (2, 3, 4))
    with Board(program, flash) as board:
        board.hello()
        state = head_state(push(board, payload))
        assert (state["source"], state["updates"], state["labels"]) == (1, 9, (2, 3, 4))
        assert state["tail_crc"] == twin.tail.crc() and state["unsaved"] == 0
        assert pull(board) == payload
    with Board(program, flash) as board:
        board.hello()
        assert head_state(board.ask(wire.SHOW)) == state
        assert unpack(pull(board), (K, F)).labels == (2, 3, 4)


def _damaged(name: str) -> tuple[bytes, bytes, int]:
    """(payload, model id, the status it must be refused with)"""
    values = np.concatenate([np.ones(K), WEIGHTS.ravel(), BIAS]).astype("<f4")
    if name == "nan":
        values[F + 3] = np.nan
    elif name == "infinite":
        values[K * F + 2] = -np.inf
    elif name == "huge":
        values[K] = 3e6
    elif name == "limit nan":
        values[1] = np.nan
    elif name == "limit zero":
        values[0] = 0.0
    elif name == "limit huge":
        values[K - 1] = 3e6
    # `pack` would refuse them.
    payload = Twin().head(0, (0, 0, 0))[: weights_offset(K) - 4 * K] + values.tobytes()
    if name == "other shape":
        return struct.pack("<HH", F + 1, K) + payload[4:], wire.MODEL_ID, MODEL
    if name == "short":
        return payload[:-4], wire.MODEL_ID, LENGTH
    if name == "other model":
        return payload, wire.OTHER_MODEL_ID, MODEL
    return payload, wire.MODEL_ID, NOT_FINITE


@pytest.mark.parametrize(
    "damage",
    [
        *("nan", "infinite", "huge", "limit nan", "limit zero", "limit huge"),
        *("other shape", "short", "other model"),
    ],
)
def test_a_head_that_cannot_be_right_is_refused_and_changes_nothing(
    board: Board, flash: Path, damage: str
) -> None:
    with_labels(board, [1])
    before = head_state(board.ask(wire.SAVE))
    stored = flash.read_bytes()
    payload, model_id, code = _damaged(damage)
    assert push(board, payload, model_id).status == code
    assert head_state(board.ask(wire.SHOW)) == before
    assert flash.read_bytes() == stored


def test_head_pieces_must_follow_each_other_and_fit(board: Board) -> None:
    size = payload_bytes(F, K)
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
        board.tell("f", operations)
        if what == "commit":
            reply = push(board, Twin().head(0, (0, 0, 0)))
        else:
            kind = {"save": wire.SAVE, "reset": wire.RESET, "rollback": wire.ROLLBACK}[what]
            reply = board.ask(kind)
        if what == "reset" and operations == 3:  # an erase, a header, a closing CRC: enough
            assert head_state(reply)["source"] == 0
            return
        assert reply.status == FLASH
        assert head_state(board.ask(wire.SHOW)) == before
    with Board(program, flash) as board:
        board.hello()
        assert head_state(board.ask(wire.SHOW)) == saved


@pytest.mark.parametrize("argument", ["no-flash", "one-slot"])
def test_without_room_for_heads_the_board_learns_and_says_what_it_cannot_keep(
    program: Path, flash: Path, argument: str
) -> None:
    with Board(program, flash, argument) as board:
        assert board.serial().startswith(b"har: no flash for learned heads")
        board.hello()
        with_labels(board, [1])
        for kind in (wire.SAVE, wire.ROLLBACK):
            assert board.ask(kind).status == FLASH
        assert push(board, Twin().head(0, (0, 0, 0))).status == FLASH
        assert head_state(board.ask(wire.SHOW))["updates"] == 1
        assert head_state(board.ask(wire.RESET))["source"] == 0


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
    for kind in (0x00, 0x0D, 0x7F):
        reply = board.ask(kind, b"what")
        assert reply.status == TYPE
        assert reply.payload[:3] == struct.pack("<BH", kind, board.seq)
    assert board.send(wire.ERROR, b"\x01\x00\x00\x01\x00") == []
    assert board.send(wire.HELLO_REPLY) == []


@pytest.mark.parametrize(
    "kind", [wire.SAVE, wire.SHOW, wire.RESET, wire.ROLLBACK, wire.STATUS, wire.BYE]
)
def test_requests_without_payload_take_none(board: Board, kind: int) -> None:
    assert board.ask(kind, b"x").status == LENGTH


def test_random_requests_are_always_answered_and_never_break_it(board: Board) -> None:
    rng = np.random.default_rng(9)
    for _ in range(400):
        kind = int(rng.integers(0, 14))
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
        assert board.serial() == b"har: the arena is too small: emit again\n"
        assert board.imu(raw_samples(20, 1).astype(np.float32) * UNITS) == b""
        for kind in (wire.HELLO, wire.SAMPLES, wire.STATUS, wire.SAVE):
            reply = board.ask(kind, b"\x02" if kind == wire.HELLO else b"")
            assert (reply.status, reply.text) == (ENGINE, "the arena is too small: emit again")


def test_an_engine_that_fails_later_is_reported_and_leaves_no_window_to_label(
    board: Board,
) -> None:
    stream(board, raw_samples(T, 1))
    board.tell("e", 1)
    (error,) = stream(board, raw_samples(HOP, 1), T)
    assert error.status == ENGINE
    assert board.ask(wire.LABEL, struct.pack("<IB", 7, 0)).status == STATE
    board.tell("e", 0)
    (again,) = stream(board, raw_samples(HOP, 1), T + HOP)
    assert prediction(again)[0] == T + 2 * HOP - 1

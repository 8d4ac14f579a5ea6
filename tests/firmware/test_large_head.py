"""A head of the default network's size: several flash pages, many frames, five outputs."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipeline.device.records import SlotLayout
from pipeline.learn import (
    Learning,
    SampleQuantization,
    Tail,
    WindowReference,
    dequantize,
    pack,
    payload_bytes,
)
from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, Frame, build_app
from tests.firmware.test_app import GAIN, KNEE, MEAN, UNITS, raw_samples, stream

T, HOP, K = 8, 4, 6
SIZES = (48, 64, 96, 96, 112)
F = sum(SIZES)
SIZE = payload_bytes(F, K)
SCALES = np.repeat(np.float32([0.01, 0.02, 0.03, 0.04, 0.05]), SIZES)
ZERO_POINTS = np.repeat([-128, -128, 3, -100, 127], SIZES)
BIAS = np.float32([0.1, -0.1, 0.05, 0.0, 0.2, 0.3])
LEARNING = Learning(rate=0.05, anchor=0.01, steps=3)
FLASH = 8


def factory() -> Tail:
    return Tail(np.zeros((K, F), np.float32), BIAS)


def engine(window: np.ndarray) -> np.ndarray:
    """The engine of app_model.c: int8 (T, 6) -> int8 (F,), output after output."""
    flat = window.ravel().astype(np.int64)
    f, i = np.arange(F)[:, None], np.arange(flat.size)
    sums = (flat * ((i * 7 + f * 13) % 5 - 2)).sum(axis=1)
    values = np.clip(np.trunc(sums / 4), -128, 127).astype(np.int8)
    stops = F - np.cumsum([0, *SIZES])
    return np.concatenate([values[stop:start] for start, stop in pairwise(stops)])


def state(frame: Frame) -> dict[str, object]:
    return wire.head_state(frame, F, K)


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
    weights = rng.normal(size=(K, F)).astype(np.float32)
    limits = rng.uniform(1, 9, K).astype(np.float32)
    return pack(weights, weights[:, 0].copy(), seed, tuple(range(seed, seed + K)), limits)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_app(tmp_path_factory.mktemp("large") / "app", "-DHAR_TEST_LARGE")


def test_a_head_takes_three_of_sixteen_pages() -> None:
    layout = SlotLayout.of(wire.FLASH_BYTES, SIZE, 4096)
    assert (SIZE, layout.slot_bytes, layout.slots) == (10_064, 3 * 4096, 5)


def test_predictions_and_lessons_equal_numpy_bit_for_bit(board: Board) -> None:
    tail = factory()
    window = WindowReference(T, HOP, SampleQuantization(KNEE, MEAN, GAIN, -3))
    raw = raw_samples(T + 20 * HOP, 3)
    begin = 0
    for n in range(20):
        end = T + n * HOP
        (frame,) = stream(board, raw[begin:end], begin, restart=n == 0)
        ((_, quantized),) = window.push(raw[begin:end].astype(np.float32) * UNITS)
        begin = end
        features = engine(quantized)
        x = dequantize(features, SCALES, ZERO_POINTS)
        assert struct.unpack_from("<I", frame.payload, 9) == (zlib.crc32(features),)
        probabilities = np.frombuffer(frame.payload, "<f4", offset=30)
        assert probabilities.tobytes() == tail.predict(x).tobytes()
        label = n % K
        reply = board.ask(wire.LABEL, struct.pack("<IB", end - 1, label))
        tail.update(x, label, LEARNING)
        assert struct.unpack_from("<I", reply.payload, 17) == (tail.crc(),)
    assert pull(board)[-4 * K * (F + 1) :] == tail.weights.tobytes() + tail.bias.tobytes()


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
        assert state(board.ask(wire.RESET))["tail_crc"] == factory().crc()
    with Board(program, flash) as board:
        board.hello()
        assert state(board.ask(wire.SHOW))["tail_crc"] == factory().crc()
        state(board.ask(wire.ROLLBACK))
        assert pull(board) == second


@pytest.mark.parametrize("operations", range(5))
def test_power_lost_or_flash_failing_at_any_operation_leaves_a_whole_head(
    program: Path, flash: Path, operations: int
) -> None:
    """A save is three erases, header, payload, closing CRC."""
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


def test_round_and_round_the_slots_no_head_is_damaged(board: Board) -> None:
    for seed in range(1, 13):
        said = state(push(board, some_head(seed)))
        assert (said["sequence"], said["records"]) == (seed, min(seed, 5))
        assert pull(board) == some_head(seed)

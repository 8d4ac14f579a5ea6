"""The app with an engine that takes the newest samples alone: an answer every 2 samples, each that
of its whole window, to the bit."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board
from tests.firmware.support.app_session import behind, prediction, stream
from tests.firmware.support.app_twin import UNITS, T, Twin, raw_samples
from tests.support.programs import c_program


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("app_streaming")


@pytest.fixture
def twin() -> Twin:
    return Twin(hop=2, roots=1)


def follow(board: Board, twin: Twin, raw: np.ndarray) -> int:
    """Streams on; all answers and what follows the head agree. Returns how many there were."""
    before = len(twin.behind)
    frames = stream(board, raw, twin.index)
    expected = twin.expect(raw)
    assert [prediction(frame)[0] for frame in frames] == [end for end, _, _ in expected]
    for frame, (_, crc, probabilities) in zip(frames, expected, strict=True):
        *_, found_crc, found = prediction(frame)
        assert (found_crc, found.tobytes()) == (crc, probabilities.tobytes())
    assert [behind(frame) for frame in frames] == twin.behind[before:]
    return len(frames)


def test_every_answer_is_that_of_the_whole_window(
    program: Path, tmp_path: Path, twin: Twin
) -> None:
    with Board(program, tmp_path / "flash.img") as board:
        board.hello()
        assert follow(board, twin, raw_samples(200, 1)) == 1 + (200 - T) // 2


@pytest.mark.parametrize("missing", [1, 2, 3, T, 1000])
def test_after_a_gap_the_engine_starts_with_a_whole_window(
    program: Path, tmp_path: Path, twin: Twin, missing: int
) -> None:
    with Board(program, tmp_path / "flash.img") as board:
        board.hello()
        for seed in range(4):
            assert follow(board, twin, raw_samples(T + 11, seed)) == 6
            twin.index += missing
            twin.restart()


def test_a_run_that_fails_counts_as_a_gap(program: Path, tmp_path: Path, twin: Twin) -> None:
    with Board(program, tmp_path / "flash.img") as board:
        board.hello()
        follow(board, twin, raw_samples(40, 1))
        board.tell("e", 1)
        raw = raw_samples(2, 2)
        (frame,) = stream(board, raw, twin.index)
        assert frame.type == wire.ERROR
        board.tell("e", 0)
        twin.window.push(raw.astype(np.float32) * UNITS)
        twin.index += 2
        assert follow(board, twin, raw_samples(20, 3)) == 10


def test_a_label_means_the_last_answer(program: Path, tmp_path: Path, twin: Twin) -> None:
    with Board(program, tmp_path / "flash.img") as board:
        board.hello()
        follow(board, twin, raw_samples(30, 1))
        reply = board.ask(wire.LABEL, struct.pack("<IB", twin.index - 1, 1))
        outcome, before, after = twin.label(1)
        assert reply.type == wire.LEARNED
        assert reply.payload[5] == outcome
        assert struct.unpack_from("<ff", reply.payload, 11) == (before, after)
        follow(board, twin, raw_samples(30, 2))

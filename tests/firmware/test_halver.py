"""halver.c of the real board: the low-pass before 25 Hz, as pipeline/data/resampling.py has it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.resampling import halve
from tests.firmware.support.harness import Harness
from tests.firmware.support.nano33ble import NOMINAL_HZ, Board, G
from tests.support.programs import c_program

REACH = 9


class Halver:
    """The C one; a fresh one is all zero."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.har_halver_take.restype = ctypes.c_bool
        self.state = ctypes.create_string_buffer(1024)

    def take(self, samples: np.ndarray) -> np.ndarray:
        made = []
        for sample in samples.astype(np.float32):
            pointer = sample.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            if self._library.har_halver_take(self.state, pointer):
                made.append(sample)
        return np.array(made, np.float32).reshape(-1, 6)

    def restart(self) -> None:
        self._library.har_halver_restart(self.state)


@pytest.fixture
def halver() -> Halver:
    return Halver(ctypes.CDLL(str(c_program("halver"))))


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (n, 6)).astype(np.float32)


def from_sample_9(samples: np.ndarray, count: int) -> np.ndarray:
    """`halve` begins at a sample, the board at the tenth, when it has nine to either side."""
    return halve(np.concatenate([samples[:1], samples]))[5 : 5 + count]


def test_the_board_and_the_recordings_are_halved_to_the_same_bits(halver: Halver) -> None:
    samples = noise(501)
    made = halver.take(samples)
    assert made.tobytes() == from_sample_9(samples, len(made)).tobytes()
    assert len(made) == (501 - 2 * REACH + 1) // 2


def test_no_output_is_made_from_both_sides_of_a_gap(halver: Halver) -> None:
    halver.take(noise(100))
    halver.restart()
    after = noise(60, seed=1)
    assert halver.take(after).tobytes() == from_sample_9(after, 21).tobytes()


def test_what_would_fold_into_motion_is_taken_out_and_motion_is_kept() -> None:
    at = np.arange(2000) / 50
    for hz, least, most in ((0, 1, 1), (2, 0.99, 1.01), (8, 0.99, 1.01), (17.5, 0, 0.006)):
        wave = np.cos(2 * np.pi * hz * at)
        made = halve(np.repeat(wave[:, None], 6, axis=1).astype(np.float32))[20:-20, 0]
        size = np.sqrt(2 * np.mean(made.astype(np.float64) ** 2)) if hz else made.mean()
        assert least <= size <= most, hz


def test_gravity_does_not_ring_at_the_ends() -> None:
    still = np.ones((40, 6), np.float32)
    assert np.array_equal(halve(still), np.ones((20, 6), np.float32))
    ramp = np.repeat(np.arange(40, dtype=np.float32)[:, None], 6, axis=1)
    assert halve(ramp) == pytest.approx(ramp[::2], abs=1e-4)


# ---- the whole board at 25 Hz --------------------------------------------------------------------


@pytest.fixture
def board() -> Iterator[Board]:
    with Harness(Path(c_program("nano33ble_25_hz"))) as harness:
        yield Board(harness)


@pytest.mark.parametrize("revision", [1, 2])
def test_a_model_of_25_hz_gets_a_sample_each_40_ms_dated_when_it_was_measured(
    board: Board, revision: int
) -> None:
    board.boot(revision)
    board.poll(1000)
    samples = board.poll(20_000)
    assert len(samples) == pytest.approx(20 * 25, abs=2)
    assert np.diff(samples.time_ms) == pytest.approx(40, abs=2)
    frames = samples.values[:, 0] / G if revision == 2 else -samples.values[:, 1] / G
    # The chip counts its frames on one axis: a ramp stays a ramp, and says when it was measured.
    assert np.diff(frames) == pytest.approx(NOMINAL_HZ[revision] / 25, abs=2e-2)
    age_s = samples.time_ms / 1000 - (frames + 1) / NOMINAL_HZ[revision]
    assert age_s == pytest.approx(0, abs=2 / NOMINAL_HZ[revision])
    assert board.state().late == 0

"""gyro_zero.c of the real board: when it takes the board to be still, and what it then does."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from tests.support.programs import c_program

RATE_HZ = 50.0
REST = 101  # samples: more than two seconds


class GyroZero(ctypes.Structure):
    _fields_ = (
        ("zero", ctypes.c_float * 3),
        ("known", ctypes.c_bool),
        ("count", ctypes.c_uint32),
        ("least", ctypes.c_float * 6),
        ("most", ctypes.c_float * 6),
        ("sum", ctypes.c_float * 3),
    )


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return ctypes.CDLL(str(c_program("gyro_zero")))


class Meter:
    def __init__(self, library: ctypes.CDLL) -> None:
        self.state = GyroZero()
        self._library = library

    def look(self, samples: np.ndarray) -> None:
        for sample in samples.astype(np.float32):
            pointer = sample.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            self._library.har_gyro_zero_look(
                ctypes.byref(self.state), pointer, ctypes.c_float(RATE_HZ)
            )

    def restart(self) -> None:
        self._library.har_gyro_zero_restart(ctypes.byref(self.state))

    def subtracted(self, sample: np.ndarray) -> np.ndarray:
        out = sample.astype(np.float32)
        pointer = out.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        self._library.har_gyro_zero_subtract(ctypes.byref(self.state), pointer)
        return out

    @property
    def zero(self) -> list[float]:
        return list(self.state.zero)


@pytest.fixture
def meter(library: ctypes.CDLL) -> Meter:
    return Meter(library)


def still(count: int, gyro: tuple[float, float, float], seed: int = 0) -> np.ndarray:
    """`count` samples at rest with the noise of such a sensor."""
    noise = np.random.default_rng(seed).uniform(-1, 1, (count, 6))
    return np.array([0, 0, 1, *gyro]) + noise * [0.018, 0.018, 0.018, 0.013, 0.013, 0.013]


def test_the_first_rest_sets_the_zero(meter: Meter) -> None:
    samples = still(REST, (0.2, -0.1, 0.02))
    meter.look(samples[:99])
    assert not meter.state.known
    assert meter.zero == [0, 0, 0]
    meter.look(samples[99:])
    assert meter.state.known
    assert meter.zero == pytest.approx(samples[:100, 3:].mean(axis=0), abs=1e-6)


def test_later_rests_move_it_by_an_eighth_of_the_difference(meter: Meter) -> None:
    meter.look(still(REST, (0.2, -0.1, 0.02)))
    before = np.array(meter.zero)
    meter.restart()
    samples = still(100, (0.28, -0.1, 0.02), seed=1)
    meter.look(samples)
    assert meter.zero == pytest.approx(
        before + (samples[:, 3:].mean(axis=0) - before) / 8, abs=1e-6
    )


@pytest.mark.parametrize("axis", range(6))
def test_any_axis_that_moves_begins_the_wait_anew(meter: Meter, axis: int) -> None:
    samples = still(REST + 60, (0.0, 0.0, 0.0))
    samples[60, axis] += 0.1
    meter.look(samples[:REST])
    assert not meter.state.known
    meter.look(samples[REST:])
    assert meter.state.known
    assert np.abs(meter.zero).max() < 0.01


def test_a_slow_drift_within_two_seconds_is_no_rest(meter: Meter) -> None:
    samples = still(1000, (0.0, 0.0, 0.0))
    samples[:, 4] += np.linspace(0, 0.04 * 10, len(samples))  # 0.04 rad/s in each two seconds
    meter.look(samples)
    assert not meter.state.known


def test_an_even_turn_is_no_rest(meter: Meter) -> None:
    meter.look(still(1000, (0.0, 0.75, 0.0)))
    assert not meter.state.known


def test_what_is_not_finite_is_no_rest(meter: Meter) -> None:
    samples = still(1000, (0.1, 0.0, 0.0))
    samples[::50, 3] = np.nan
    meter.look(samples)
    assert not meter.state.known
    meter.look(still(2 * REST, (0.1, 0.0, 0.0)))
    assert meter.zero == pytest.approx([0.1, 0, 0], abs=0.005)


def test_a_gap_begins_the_wait_anew(meter: Meter) -> None:
    samples = still(2 * REST, (0.0, 0.0, 0.0))
    meter.look(samples[:90])
    meter.restart()
    meter.look(samples[90:180])
    assert not meter.state.known
    meter.look(samples[180:])
    assert meter.state.known


def test_only_the_gyroscope_is_freed_of_it(meter: Meter) -> None:
    sample = np.arange(6) / 10
    assert np.array_equal(meter.subtracted(sample), sample.astype(np.float32))
    meter.look(still(REST, (0.2, -0.1, 0.02)))
    assert meter.subtracted(sample) == pytest.approx(sample - [0, 0, 0, *meter.zero], abs=1e-6)

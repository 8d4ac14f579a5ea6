"""The window's C equals its NumPy twin byte for byte, restarts and refusals included."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from pipeline.head import SampleQuantization, quantize_samples
from tests.support.programs import c_program
from tests.support.window_reference import WindowReference

LIB = Path(__file__).resolve().parents[2] / "firmware" / "lib"
C = 6
NOT_FINITE = 7
OUT_OF_RANGE = np.float32(3e38)


class Config(ctypes.Structure):
    _fields_ = [
        ("length", ctypes.c_uint16),
        ("hop", ctypes.c_uint16),
        ("channels", ctypes.c_uint8),
        ("zero_point", ctypes.c_int32),
        ("knee", ctypes.c_void_p),
        ("mean", ctypes.c_void_p),
        ("gain", ctypes.c_void_p),
    ]


class State(ctypes.Structure):
    _fields_ = [
        ("config", ctypes.c_void_p),
        ("ring", ctypes.c_void_p),
        ("head", ctypes.c_uint16),
        ("filled", ctypes.c_uint16),
        ("until_next", ctypes.c_uint16),
    ]


class CWindow:
    """har_window behind the twin's interface."""

    def __init__(
        self,
        library: ctypes.CDLL,
        length: int,
        hop: int,
        quantization: SampleQuantization,
    ) -> None:
        self._library = library
        constants = (quantization.knee, quantization.mean, quantization.gain)
        self._keep = [constant.astype(np.float32) for constant in constants]
        self._shape = (length, C)
        addresses = [array.ctypes.data for array in self._keep]
        self._config = Config(length, hop, C, quantization.zero_point, *addresses)
        self._ring = (ctypes.c_int8 * (length * C))()
        self._state = State()
        library.har_window_init(ctypes.byref(self._state), ctypes.byref(self._config), self._ring)

    def restart(self) -> None:
        self._library.har_window_restart(ctypes.byref(self._state))

    def push_one(self, sample: np.ndarray) -> tuple[int, np.ndarray | None]:
        """(status, the window that it completed)"""
        row = np.ascontiguousarray(sample, np.float32)
        complete = ctypes.c_bool()
        status = self._library.har_window_push(
            ctypes.byref(self._state), ctypes.c_void_p(row.ctypes.data), ctypes.byref(complete)
        )
        return status, self.copy() if complete.value else None

    def push(self, samples: np.ndarray) -> list[tuple[int, np.ndarray]]:
        windows = []
        for position, sample in enumerate(samples):
            status, window = self.push_one(sample)
            assert status == 0
            if window is not None:
                windows.append((position, window))
        return windows

    def copy(self) -> np.ndarray:
        out = np.empty(self._shape, np.int8)
        length = self._shape[0]
        self.copy_part(length, length, out)
        return out

    def copy_part(self, back: int, count: int, out: np.ndarray) -> np.ndarray:
        self._library.har_window_copy(
            ctypes.byref(self._state), back, count, ctypes.c_void_p(out.ctypes.data)
        )
        return out


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return ctypes.CDLL(str(c_program("window")))


def _quantization(rng: np.random.Generator) -> SampleQuantization:
    """Some channels linear, some companded."""
    knee = np.where(rng.random(C) < 0.5, 0, rng.uniform(1e-3, 5, C)).astype(np.float32)
    mean = rng.normal(0, 1, C).astype(np.float32)
    gain = (1 / rng.uniform(0.001, 0.2, C)).astype(np.float32)
    return SampleQuantization(knee, mean, gain, int(rng.integers(-128, 128)))


def _samples(rng: np.random.Generator, n: int, gain: np.ndarray) -> np.ndarray:
    """Around and beyond what an int8 holds; exact halves among them."""
    x = rng.normal(0, 80, (n, C)) / gain
    x[rng.random((n, C)) < 0.02] *= 1e6
    x[rng.random((n, C)) < 0.01] = OUT_OF_RANGE
    halves = rng.random((n, C)) < 0.1
    return np.where(halves, rng.integers(-150, 150, (n, C)) + 0.5, x).astype(np.float32)


@pytest.mark.parametrize(("length", "hop"), [(128, 64), (16, 16), (16, 1), (7, 3), (1, 1)])
def test_windows_equal_numpy_byte_for_byte(library: ctypes.CDLL, length: int, hop: int) -> None:
    rng = np.random.default_rng(length * 1000 + hop)
    total = 0
    for _ in range(4):
        quantization = _quantization(rng)
        ours = CWindow(library, length, hop, quantization)
        twin = WindowReference(length, hop, quantization)
        for _ in range(6):
            x = _samples(rng, int(rng.integers(1, 5 * length + 40)), quantization.gain)
            got, expected = ours.push(x), twin.push(x)
            assert [p for p, _ in got] == [p for p, _ in expected]
            for (_, a), (_, b) in zip(got, expected, strict=True):
                assert a.tobytes() == b.tobytes()
            total += len(got)
            if rng.random() < 0.3:
                ours.restart()
                twin.restart()
    assert total > 10


def test_a_part_of_the_window_is_copied_and_what_is_older_is_the_zero_point(
    library: ctypes.CDLL,
) -> None:
    rng = np.random.default_rng(7)
    quantization = _quantization(rng)
    ours = CWindow(library, 16, 1, quantization)
    ours.push(_samples(rng, 37, quantization.gain))
    whole = ours.copy()
    older = np.full((16, C), quantization.zero_point, np.int8)
    known = np.concatenate([older, whole])  # the last 32 samples, as far as the window goes
    for back in range(1, 33):
        for count in range(1, back + 1):
            part = ours.copy_part(back, count, np.empty((count, C), np.int8))
            assert part.tobytes() == known[32 - back : 32 - back + count].tobytes()


def test_halves_and_their_neighbours_round_as_the_header_says(library: ctypes.CDLL) -> None:
    one, none = np.ones(C, np.float32), np.zeros(C, np.float32)
    halves = (np.arange(-140, 140) + 0.5).astype(np.float32)
    values = np.stack([np.nextafter(halves, np.float32(s * 1e9)) for s in (-1, 1)] + [halves])
    ours = CWindow(library, 1, 1, SampleQuantization(none, none, one, 0))
    for value in values.ravel():
        _, window = ours.push_one(np.full(C, value))
        away = int(np.sign(value)) * int(np.floor(abs(float(value)) + 0.5))
        assert window is not None and window[0, 0] == max(-128, min(127, away))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channel", range(C))
def test_a_sample_that_is_not_finite_is_not_taken(
    library: ctypes.CDLL, value: float, channel: int
) -> None:
    rng = np.random.default_rng(1)
    quantization = _quantization(rng)
    ours = CWindow(library, 4, 2, quantization)
    x = rng.normal(0, 1, (4, C)).astype(np.float32)
    bad = x[0].copy()
    bad[channel] = value
    assert ours.push(x[:3]) == []
    assert ours.push_one(bad) == (NOT_FINITE, None)
    ((_, window),) = ours.push(x[3:])
    assert window.tobytes() == quantize_samples(x, quantization).tobytes()

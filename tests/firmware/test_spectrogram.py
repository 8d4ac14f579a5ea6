"""The spectrogram in C equals its NumPy twin byte for byte; its tables are those of the formula."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.head import (
    SampleQuantization,
    SpectrogramQuantization,
    SpectrogramShape,
    quantize_samples,
    quantize_spectrogram,
)
from scripts import spectrogram_tables
from tests.support.programs import c_program
from tests.support.synthetic import synthetic_task

T = 128


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("spectrogram")


def pictures(program: Path, windows: np.ndarray, how: SpectrogramQuantization) -> np.ndarray:
    """As the C draws them."""
    shape = how.shape
    head = (len(windows), shape.window_samples, shape.pixels, shape.planes, how.zero_point)
    asked = struct.pack("=5i", *head) + how.mean.tobytes() + how.gain.tobytes() + windows.tobytes()
    done = subprocess.run([program], input=asked, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    size = (len(windows), shape.pixels, shape.pixels, shape.planes)
    return np.frombuffer(done.stdout, np.int8).reshape(size)


def quantization(shape: SpectrogramShape, seed: int) -> SpectrogramQuantization:
    """Some rows within the int8 range, some beyond, some constant."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(150, 100, shape.rows).astype(np.float32)
    gain = (1 / rng.uniform(0.5, 8, shape.rows)).astype(np.float32)
    gain[rng.random(shape.rows) < 0.1] = 0
    return SpectrogramQuantization(shape, mean, gain, int(rng.integers(-128, 128)))


def extremes() -> np.ndarray:
    """Windows int8 (N, T, 6) with the largest sums and powers there are, and none."""
    turn = np.where(np.arange(T) % 2, 127, -128)
    slow = np.where(np.arange(T) // 16 % 2, 127, -128)
    rows = [np.full(T, -128), np.full(T, 127), np.zeros(T), turn, -1 - turn, slow]
    return np.stack([np.repeat(row[:, None], 6, axis=1) for row in rows]).astype(np.int8)


def real() -> np.ndarray:
    """Somebody who moves, as the window keeps it."""
    x = synthetic_task(people=4, seconds=12).windows.x[:80]
    gain = np.float32(127 / np.abs(x).max(axis=(0, 1)))
    none = np.zeros(6, np.float32)
    return quantize_samples(x, SampleQuantization(none, none, gain, 0))


@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize("pixels", [2, 32, 48, 96])
def test_pictures_equal_numpy_byte_for_byte(program: Path, pixels: int, planes: int) -> None:
    rng = np.random.default_rng(pixels)
    noise = rng.integers(-128, 128, (20, T, 6)).astype(np.int8)
    still = rng.integers(-1, 2, (5, T, 6)).astype(np.int8)
    windows = np.concatenate([noise, still, extremes(), real()])
    shape = SpectrogramShape(T, pixels, planes)
    how = quantization(shape, seed=pixels + planes)
    ours = pictures(program, windows, how)
    assert ours.tobytes() == quantize_spectrogram(windows, how).tobytes()
    assert len(np.unique(ours)) > 50


@pytest.mark.parametrize("samples", [32, 33, 100, 1024])
def test_windows_of_any_length(program: Path, samples: int) -> None:
    rng = np.random.default_rng(samples)
    windows = rng.integers(-128, 128, (4, samples, 6)).astype(np.int8)
    how = quantization(SpectrogramShape(samples, 32, 3), seed=samples)
    assert pictures(program, windows, how).tobytes() == quantize_spectrogram(windows, how).tobytes()


@pytest.mark.parametrize("head", [(1, 31, 32, 3, 0), (1, T, 1, 3, 0), (1, T, 32, 2, 0)])
def test_a_shape_without_a_picture_is_an_assertion(program: Path, head: tuple[int, ...]) -> None:
    asked = struct.pack("=5i", *head) + bytes(2 * 4 * 32 * head[3]) + bytes(T * 6)
    done = subprocess.run([program], input=asked, capture_output=True, timeout=60)
    assert b"assertion failed" in done.stderr and not done.stdout


def test_the_committed_tables_are_those_of_the_formula() -> None:
    assert spectrogram_tables.HEADER.read_text() == spectrogram_tables.text()

"""A window as a picture for an image network: the NumPy twin of firmware/lib/window's spectrogram,
bit for bit (docs/DESIGN.md has the formulas).

Everything up to the levels is whole numbers, so every machine gives the same picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.head.window import quantize_values

FRAME = 32
"""Samples that one column of the picture is made of."""
BINS = 16
"""Frequencies of a frame, the sum of its samples among them: bin b is b * rate / 32 Hz."""
ROWS = 32
"""Base rows of a plane."""
PIXELS_MAX = 512

_CHANNELS = 6
_UNIT = 16384  # of the tables
_SHIFT = 10
_BANDS = ((0, 0), (1, 2), (3, 4), (5, 8), (9, 15))  # of one plane: first and last bin
_WINDOWS_AT_ONCE = 256  # some 50 MB


@dataclass(frozen=True)
class SpectrogramShape:
    """``window_samples`` (T) rows of a window become a picture (``pixels``, ``pixels``,
    ``planes``). Three planes: an axis each, the accelerometer over the gyroscope, bin by bin. One
    plane: the six channels one over the other, in bands of bins.

    Raises InputError for a shape that there is no picture of.
    """

    window_samples: int
    pixels: int
    planes: int

    def __post_init__(self) -> None:
        if self.window_samples < FRAME:
            raise InputError(
                f"spectrogram: a window of {self.window_samples} samples is shorter than a frame "
                f"of {FRAME}; take longer windows"
            )
        if not 2 <= self.pixels <= PIXELS_MAX:
            raise InputError(f"spectrogram: {self.pixels} pixels; choose 2 to {PIXELS_MAX}")
        if self.planes not in (1, 3):
            raise InputError(f"spectrogram: {self.planes} planes; choose 1 or 3")

    @property
    def rows(self) -> int:
        """Base rows of all planes, each with a mean and a deviation of its own."""
        return self.planes * ROWS

    @property
    def starts(self) -> Array:
        """The first sample of each column's frame, int64 (pixels,): evenly from the window's first
        sample to its last frame."""
        columns = np.arange(self.pixels)
        steps = self.pixels - 1
        return np.asarray((columns * (self.window_samples - FRAME) + steps // 2) // steps)


def tables() -> tuple[Array, Array]:
    """Cosine and sine of bins 1 to 15 under a periodic Hann window, int16 (15, 32), in 1/16384."""
    n = np.arange(FRAME)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / FRAME)
    angle = 2 * np.pi * np.arange(1, BINS)[:, None] * n / FRAME
    cosine, sine = (np.rint(_UNIT * hann * wave(angle)) for wave in (np.cos, np.sin))
    return cosine.astype(np.int16), sine.astype(np.int16)


def levels(rows: Array, shape: SpectrogramShape) -> Array:
    """Windows int8 (N, T, 6) as firmware/lib/window keeps them, zero point 0 -> levels int16
    (N, planes, 32, pixels); empty base rows are 0.

    Bin 0's level is the sum of the frame's samples, any other's the power of its bins in 1/16
    octaves. Raises InputError for windows of another shape or kind.
    """
    rows = np.asarray(rows)
    expected = (shape.window_samples, _CHANNELS)
    if rows.dtype != np.int8 or rows.ndim != 3 or rows.shape[1:] != expected:
        raise InputError(f"spectrogram: windows must be int8 (N, {expected[0]}, {_CHANNELS})")
    out = np.zeros((len(rows), shape.planes, ROWS, shape.pixels), np.int16)
    for first in range(0, len(rows), _WINDOWS_AT_ONCE):
        part = slice(first, first + _WINDOWS_AT_ONCE)
        sums, powers = _frames(rows[part], shape)
        if shape.planes == 3:
            for plane in range(3):
                for row, channel in ((0, plane), (BINS, plane + 3)):
                    out[part, plane, row] = sums[channel]
                    out[part, plane, row + 1 : row + BINS] = _octaves(powers[channel])
        else:
            for channel in range(_CHANNELS):
                row = channel * len(_BANDS)
                out[part, 0, row] = sums[channel]
                for band, (low, high) in enumerate(_BANDS[1:], start=1):
                    power = powers[channel][:, low - 1 : high].sum(axis=1)
                    out[part, 0, row + band] = _octaves(power)
    return out


def _frames(rows: Array, shape: SpectrogramShape) -> tuple[list[Array], list[Array]]:
    """Windows int8 (n, T, 6) -> of each channel the frames' sums (n, pixels) and the powers of
    bins 1 to 15 (n, 15, pixels), int64."""
    cosine, sine = tables()
    # float64 holds every sum of products here exactly, and its product of matrices is quick.
    waves = np.concatenate([cosine, sine]).astype(np.float64).T  # (32, 30)
    at = shape.starts[:, None] + np.arange(FRAME)  # (pixels, 32)
    sums, powers = [], []
    for channel in range(_CHANNELS):
        frames = rows[:, :, channel].astype(np.float64)[:, at]  # (n, pixels, 32)
        sums.append(frames.sum(axis=2).astype(np.int64))
        parts = ((frames @ waves).astype(np.int64) + (1 << (_SHIFT - 1))) >> _SHIFT
        real, imaginary = parts[..., : BINS - 1], parts[..., BINS - 1 :]
        powers.append((real * real + imaginary * imaginary).transpose(0, 2, 1))
    return sums, powers


def _octaves(power: Array) -> Array:
    """16 * log2(1 + power) in whole numbers: the exponent, and the four bits after the first."""
    v = power + 1
    # Below 2**53 frexp is exact: v = mantissa * 2**exponent with 1/2 <= mantissa < 1.
    mantissa, exponent = np.frexp(v.astype(np.float64))
    sixteenths = (mantissa * 32).astype(np.int64)  # 16 to 31
    return np.asarray(16 * (exponent - 1) + sixteenths - 16, np.int16)


def picture(values: Array) -> Array:
    """One value per base row and column (N, planes, 32, S) -> pixels (N, S, S, planes): pixel row i
    shows base row i * 32 / S."""
    pixels = values.shape[-1]
    shown = np.arange(pixels) * ROWS // pixels
    return np.ascontiguousarray(values[:, :, shown].transpose(0, 2, 3, 1))


@dataclass(frozen=True, eq=False)
class SpectrogramQuantization:
    """How levels become an engine's int8 input: float32 (planes * 32,) ``mean`` of the level and
    ``gain`` in quantization steps per level, plane by plane."""

    shape: SpectrogramShape
    mean: Array
    gain: Array
    zero_point: int


def quantize_spectrogram(rows: Array, quantization: SpectrogramQuantization) -> Array:
    """Windows int8 (N, T, 6), zero point 0 -> pictures int8 (N, S, S, planes).

    v = (level - mean) * gain in float32, rounded and clamped as `quantize_values`. Raises as
    `levels`.
    """
    shape = quantization.shape
    per_row = (shape.planes, ROWS, 1)
    mean = np.asarray(quantization.mean, np.float32).reshape(per_row)
    gain = np.asarray(quantization.gain, np.float32).reshape(per_row)
    found = levels(rows, shape).astype(np.float32)
    return picture(quantize_values(found, mean, gain, quantization.zero_point))

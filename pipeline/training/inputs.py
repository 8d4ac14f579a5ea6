"""From raw windows to what a network reads: normalized samples, or a normalized spectrogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.head import (
    SampleQuantization,
    SpectrogramShape,
    compand,
    levels,
    picture,
    quantize_samples,
)
from pipeline.models import ImageSize

# Standing subjects turn about the vertical by 0.02 rad/s, sitting ones by 0.007; walking reaches
# 3 rad/s. One int8 scale for both would round the first to nothing.
_GYROSCOPE_KNEE_RAD_S = 0.1


def gyroscope_knee(rad_s: float) -> tuple[float, ...]:
    """Knees of the six channels: the accelerometer linear, the gyroscope at ``rad_s``."""
    return (0.0, 0.0, 0.0, rad_s, rad_s, rad_s)


KNEE = gyroscope_knee(_GYROSCOPE_KNEE_RAD_S)
LINEAR = gyroscope_knee(0.0)


@dataclass(frozen=True)
class InputNormalization:
    """Per channel: ``knee`` in the channel's unit (0: linear), then mean and standard deviation of
    the companded values."""

    knee: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, x: Array) -> Array:
        """Raw windows (N, T, C) -> network inputs float32 (N, T, 1, C)."""
        companded = compand(x, np.asarray(self.knee, np.float32))
        mean, std = np.asarray(self.mean, np.float32), np.asarray(self.std, np.float32)
        normalized: Array = (companded - mean) / std
        return normalized[:, :, None, :]


def fit_normalization(x: Array, knee: tuple[float, ...] = KNEE) -> InputNormalization:
    """Statistics of the training subjects' windows (N, T, C)."""
    companded = compand(x, np.asarray(knee, np.float32))
    mean = companded.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    std = companded.std(axis=(0, 1), dtype=np.float64).astype(np.float32)
    return InputNormalization(
        knee, tuple(map(float, mean)), tuple(map(float, np.maximum(std, np.float32(1e-3))))
    )


# ---- inputs --------------------------------------------------------------------------------------

_INT8_STEPS = 127
_STD_LEAST = 1.0  # levels are whole numbers: variation below one of them carries no information


class SpectrogramCard(BaseModel):
    """What a card says of a network's picture: ``sample_scale`` of the int8 samples that it is made
    of, in standard deviations a step; mean and standard deviation of the levels of each base
    row, plane by plane."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    pixels: int
    planes: int
    sample_scale: float = Field(gt=0)
    mean: list[float]
    std: list[float]


@dataclass(frozen=True)
class SpectrogramInput:
    """``samples`` as for any network, in steps of ``sample_scale``; from these the levels of
    ``shape``, less ``mean`` over ``std`` of each base row (planes * 32)."""

    samples: InputNormalization
    sample_scale: float
    shape: SpectrogramShape
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        rows = self.shape.rows
        if len(self.mean) != rows or len(self.std) != rows or min(self.std) <= 0:
            raise InputError(f"spectrogram: mean and deviation of {rows} rows are needed")

    def __call__(self, x: Array) -> Array:
        """Raw windows (N, T, C) -> network inputs float32 (N, S, S, planes)."""
        per_row = (self.shape.planes, -1, 1)
        mean = np.asarray(self.mean, np.float32).reshape(per_row)
        std = np.asarray(self.std, np.float32).reshape(per_row)
        found = levels(quantized_samples(x, self.samples, self.sample_scale), self.shape)
        return picture((found.astype(np.float32) - mean) / std)

    @property
    def card(self) -> SpectrogramCard:
        """All of it but the samples' normalization."""
        return SpectrogramCard(
            pixels=self.shape.pixels,
            planes=self.shape.planes,
            sample_scale=self.sample_scale,
            mean=list(self.mean),
            std=list(self.std),
        )


NetworkInput = InputNormalization | SpectrogramInput


def quantized_samples(x: Array, samples: InputNormalization, scale: float) -> Array:
    """Raw windows (N, T, C) -> int8 (N, T, C) in steps of ``scale`` deviations about the mean, as
    firmware/lib/window keeps them."""
    gain = 1.0 / (np.asarray(samples.std, np.float64) * scale)
    knee, mean = np.asarray(samples.knee, np.float32), np.asarray(samples.mean, np.float32)
    return quantize_samples(x, SampleQuantization(knee, mean, gain.astype(np.float32), 0))


def fit_input(
    image: ImageSize | None, x: Array, knee: tuple[float, ...] = KNEE
) -> InputNormalization | SpectrogramInput:
    """Statistics of the training subjects' windows (N, T, C), for a network that reads samples
    (None) or pictures. Raises InputError for windows shorter than a frame of the spectrogram."""
    samples = fit_normalization(x, knee)
    if image is None:
        return samples
    shape = SpectrogramShape(x.shape[1], image.pixels, image.planes)
    scale = float(np.float32(np.abs(samples(x)).max() / _INT8_STEPS))
    found = levels(quantized_samples(x, samples, scale), shape)
    mean = found.mean(axis=(0, 3), dtype=np.float64).astype(np.float32).ravel()
    std = found.std(axis=(0, 3), dtype=np.float64).astype(np.float32).ravel()
    std = np.maximum(std, np.float32(_STD_LEAST))
    return SpectrogramInput(samples, scale, shape, tuple(map(float, mean)), tuple(map(float, std)))


def card_fields(network_input: NetworkInput) -> dict[str, Any]:
    """What a card holds of it: knee, mean, std of the samples, and the spectrogram if it is one."""
    picture_of = network_input if isinstance(network_input, SpectrogramInput) else None
    samples = (
        network_input.samples if isinstance(network_input, SpectrogramInput) else network_input
    )
    return {
        "knee": list(samples.knee),
        "mean": list(samples.mean),
        "std": list(samples.std),
        "spectrogram": picture_of.card if picture_of else None,
    }


def input_of_card(
    knee: Sequence[float],
    mean: Sequence[float],
    std: Sequence[float],
    window_samples: int,
    spectrogram: SpectrogramCard | None,
) -> NetworkInput:
    """The input that `card_fields` describes. Raises InputError where a spectrogram has another
    number of rows."""
    samples = InputNormalization(tuple(knee), tuple(mean), tuple(std))
    if spectrogram is None:
        return samples
    return SpectrogramInput(
        samples,
        spectrogram.sample_scale,
        SpectrogramShape(window_samples, spectrogram.pixels, spectrogram.planes),
        tuple(spectrogram.mean),
        tuple(spectrogram.std),
    )

"""From raw windows to what a network reads: normalized samples, or a normalized spectrogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.core.types import Array
from pipeline.data import WindowShape
from pipeline.head import (
    SampleQuantization,
    SpectrogramShape,
    compand,
    levels,
    picture,
    quantize_samples,
)
from pipeline.head.spectrogram import PIXELS_MAX, ROWS
from pipeline.models import ImageSize, backbone
from pipeline.models.weights import set_model_arrays

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
    """The picture that an image network sees of a window (docs/DESIGN.md). ``sample_scale``: of
    the window's int8 samples, in normalized units. ``mean`` and ``std`` of the levels of each base
    row, plane by plane."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    pixels: int = Field(ge=2, le=PIXELS_MAX)
    planes: Literal[1, 3]
    sample_scale: float = Field(gt=0)
    mean: list[float]
    std: list[float]

    @model_validator(mode="after")
    def _rows(self) -> Self:
        rows = self.planes * ROWS
        if len(self.mean) != rows or len(self.std) != rows:
            raise ValueError(f"{self.planes} planes have {rows} means and deviations")
        if not all(value > 0 for value in self.std):
            raise ValueError("standard deviations must be positive")
        return self

    @property
    def bytes(self) -> int:
        """Of one picture, int8."""
        return self.pixels * self.pixels * self.planes

    def shape(self, length: int) -> SpectrogramShape:
        """The picture of windows of ``length`` samples. Raises InputError for windows shorter than
        a frame."""
        return SpectrogramShape(length, self.pixels, self.planes)


@dataclass(frozen=True)
class SpectrogramInput:
    """``samples`` as for any network, in steps of ``card.sample_scale``; from these the levels of
    its picture, less ``mean`` over ``std`` of each base row (planes * 32)."""

    samples: InputNormalization
    card: SpectrogramCard

    def __call__(self, x: Array) -> Array:
        """Raw windows (N, T, C) -> network inputs float32 (N, S, S, planes)."""
        card, per_row = self.card, (self.card.planes, -1, 1)
        mean = np.asarray(card.mean, np.float32).reshape(per_row)
        std = np.asarray(card.std, np.float32).reshape(per_row)
        rows = quantized_samples(x, self.samples, card.sample_scale)
        found = levels(rows, card.shape(x.shape[1]))
        return picture((found.astype(np.float32) - mean) / std)


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
    card = {
        "pixels": image.pixels,
        "planes": image.planes,
        "sample_scale": scale,
        "mean": mean.tolist(),
        "std": np.maximum(std, np.float32(_STD_LEAST)).tolist(),
    }
    return SpectrogramInput(samples, SpectrogramCard.model_validate(card))


class NetworkCard(BaseModel):
    """What every card says of a trained network: what it was trained for, what it reads, and which
    weights it describes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str
    dataset: str
    split: str
    seed: int
    activities: list[str]
    rate_hz: float
    window_samples: int
    knee: list[float]
    mean: list[float]
    std: list[float]
    spectrogram: SpectrogramCard | None = None
    validation_subjects: list[str]
    validation_accuracy: float
    weights_sha256: str

    @property
    def shape(self) -> WindowShape:
        """The windows that the network takes, half a window apart."""
        return WindowShape(self.rate_hz, self.window_samples, self.window_samples // 2)

    @property
    def normalize(self) -> NetworkInput:
        """From raw windows to the network's inputs."""
        return input_of_card(self.knee, self.mean, self.std, self.spectrogram)

    def build(self, arrays: dict[str, Array], source: str) -> Any:
        """The tf_keras model with these weights. Raises as `set_model_arrays`."""
        model = backbone(self.backbone).build(
            self.window_samples, len(self.mean), len(self.activities), 0.0
        )
        set_model_arrays(model, arrays, source)
        return model


def card_fields(network_input: NetworkInput) -> dict[str, Any]:
    """What a card holds of it: knee, mean, std of the samples, and the spectrogram if it is one."""
    if isinstance(network_input, SpectrogramInput):
        return {**card_fields(network_input.samples), "spectrogram": network_input.card}
    samples = {name: list(values) for name, values in vars(network_input).items()}
    return {**samples, "spectrogram": None}


def input_of_card(
    knee: Sequence[float],
    mean: Sequence[float],
    std: Sequence[float],
    spectrogram: SpectrogramCard | None,
) -> NetworkInput:
    """The input that `card_fields` describes."""
    samples = InputNormalization(tuple(knee), tuple(mean), tuple(std))
    return SpectrogramInput(samples, spectrogram) if spectrogram else samples

"""How samples enter the extractor and activations leave it."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.compiler import TensorInfo, run_tflm
from pipeline.core.types import Array
from pipeline.head import (
    SampleQuantization,
    SpectrogramQuantization,
    quantize_samples,
    quantize_spectrogram,
)
from pipeline.training.inputs import SpectrogramCard

OUTPUT_BYTES_MAX = 16_384
"""A board stores many windows at the cut: a larger map does not fit."""


class Strict(BaseModel):
    """A part of bundle.json: no field too many, nothing that is not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Quantization(Strict):
    """real = (q - zero_point) * scale, q int8."""

    scale: float = Field(gt=0)
    zero_point: int = Field(ge=-128, le=127)


class Output(Quantization):
    """One output of the extractor: ``size`` int8 activations on a scale of their own."""

    size: int = Field(ge=1, le=OUTPUT_BYTES_MAX)


class Normalization(Strict):
    """Per channel, before quantization: (y - mean) / std of y = x / (|x| + knee); with knee 0,
    y = x. knee is in the channel's unit. A negative std turns the channel's sign, as the mirror
    image of the trained placement needs."""

    knee: list[float] = Field(min_length=6, max_length=6)
    mean: list[float] = Field(min_length=6, max_length=6)
    std: list[float] = Field(min_length=6, max_length=6)

    @field_validator("knee")
    @classmethod
    def _not_negative(cls, values: list[float]) -> list[float]:
        if not all(value == 0 or 1e-6 <= value <= 1e6 for value in values):
            raise ValueError("knees must be 0 or between 1e-6 and 1e6")
        return values

    @field_validator("std")
    @classmethod
    def _not_zero(cls, values: list[float]) -> list[float]:
        if not all(values):
            raise ValueError("standard deviations must not be 0")
        return values


class Interface(Strict):
    """How samples enter the extractor and activations leave it. ``input`` is how the extractor
    reads what it is given: the window, or a picture of it. A window at the cut is the int8
    activations of all ``outputs``, one output after the other."""

    normalization: Normalization
    spectrogram: SpectrogramCard | None = None
    input: Quantization
    outputs: list[Output] = Field(min_length=1, max_length=64)

    @property
    def cut_bytes(self) -> int:
        """B, bytes of a window at the cut."""
        return sum(output.size for output in self.outputs)

    @property
    def norm_gain(self) -> Array:
        """Quantization steps per unit of the companded channels, float32 (6,): 1 / (std * scale
        of the samples)."""
        scale = self.spectrogram.sample_scale if self.spectrogram else self.input.scale
        std = np.asarray(self.normalization.std, np.float64)
        return np.asarray(1.0 / (std * scale), np.float32)

    @property
    def norm_mean(self) -> Array:
        """Of the companded channels, float32 (6,)."""
        return np.asarray(self.normalization.mean, np.float32)

    @property
    def norm_knee(self) -> Array:
        """g and rad/s, float32 (6,)."""
        return np.asarray(self.normalization.knee, np.float32)

    @property
    def samples(self) -> SampleQuantization:
        """How the window turns samples into int8. A picture is made of samples whose zero is 0."""
        zero_point = 0 if self.spectrogram else self.input.zero_point
        return SampleQuantization(self.norm_knee, self.norm_mean, self.norm_gain, zero_point)

    @property
    def level_mean(self) -> Array:
        """Of the spectrogram's levels, float32 (planes * 32,); (0,) without one."""
        return np.asarray(self.spectrogram.mean if self.spectrogram else [], np.float32)

    @property
    def level_gain(self) -> Array:
        """Quantization steps per level, float32 (planes * 32,): 1 / (std * input scale); (0,)
        without a spectrogram."""
        std = np.asarray(self.spectrogram.std if self.spectrogram else [], np.float64)
        return np.asarray(1.0 / (std * self.input.scale), np.float32)

    def engine_input(self, x: Array) -> Array:
        """Raw windows (N, T, 6) -> what the firmware gives its engine, byte for byte: int8 (N, T,
        1, 6), or pictures int8 (N, S, S, planes).

        Raises InputError for values that are not finite and windows too short for a picture.
        """
        rows = quantize_samples(x, self.samples)
        if self.spectrogram is None:
            return rows[:, :, None, :]
        quantization = SpectrogramQuantization(
            self.spectrogram.shape(x.shape[1]),
            self.level_mean,
            self.level_gain,
            self.input.zero_point,
        )
        return quantize_spectrogram(rows, quantization)

    def run(self, extractor: bytes, x: Array) -> Array:
        """Run raw windows (N, T, 6) through an int8 ``extractor`` with this interface, in
        TFLite-Micro: windows at the cut, int8 (N, B). Raises as `run_tflm`."""
        if len(x) == 0:
            return np.zeros((0, self.cut_bytes), np.int8)
        outputs = run_tflm(extractor, self.engine_input(x)).outputs
        return np.concatenate([output.reshape(len(x), -1) for output in outputs], axis=1)


def output_of(tensor: TensorInfo) -> Output:
    """A compiled extractor's output as bundle.json says it."""
    return Output(size=tensor.size_bytes, scale=tensor.scale, zero_point=tensor.zero_point)

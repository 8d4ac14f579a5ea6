"""The bundle: the one folder that training hands on. Everything downstream reads it and nothing
else.

``bundle.json`` names every file with its SHA-256, and nothing in it depends on the time or the
machine, so equal training gives an equal bundle. The **model id** is the first 8 bytes of the
SHA-256 of bundle.json's content (canonical JSON without the id itself).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline.compiler import TensorInfo
from pipeline.errors import InputError
from pipeline.learn import LIMIT, Limits, Novelty, SampleQuantization, Smoother, dequantize
from pipeline.models.cards import read_card, write_card
from pipeline.models.weights import load_weights

Array = np.ndarray[Any, Any]

FORMAT = 2
MANIFEST = "bundle.json"
EXTRACTOR = "extractor.int8.tflite"
FULL_INT8 = "full.int8.tflite"
FULL_FLOAT = "full.float.tflite"
TAIL = "tail.npz"
_ACTIVITIES_MAX = 32
_UNKNOWN = "unknown"  # what the board says of a window that is like no activity
# HELLO_REPLY carries every name behind its length, beside 60 bytes of other fields, in 512.
_NAMES_BYTES_MAX = 440
FILES = (EXTRACTOR, FULL_INT8, FULL_FLOAT, TAIL)
LIMIT_MIN = 1e-6  # of a distance: a smaller one would be 0 in float32


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Quantization(_Strict):
    """real = (q - zero_point) * scale, q int8."""

    scale: float = Field(gt=0)
    zero_point: int = Field(ge=-128, le=127)


class Output(Quantization):
    """One output of the extractor: ``size`` int8 activations on a scale of their own."""

    size: int = Field(ge=1, le=4096)


class Normalization(_Strict):
    """Per channel, before quantization: (y - mean) / std of y = x / (|x| + knee); with knee 0,
    y = x. knee is in the channel's unit."""

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
    def _positive(cls, values: list[float]) -> list[float]:
        if not all(value > 0 for value in values):
            raise ValueError("standard deviations must be positive")
        return values


class Interface(_Strict):
    """How samples enter the extractor and activations leave it.

    ``features`` (F) counts the activations of all ``outputs``, one output after the other.
    """

    normalization: Normalization
    input: Quantization
    features: int = Field(ge=1, le=4096)
    outputs: list[Output] = Field(min_length=1, max_length=64)

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if self.features != sum(output.size for output in self.outputs):
            raise ValueError("features must be the sum of the outputs' sizes")
        return self

    @property
    def norm_gain(self) -> Array:
        """Quantization steps per unit of the companded channels, float32 (6,): 1 / (std * input
        scale)."""
        std = np.asarray(self.normalization.std, np.float64)
        return np.asarray(1.0 / (std * self.input.scale), np.float32)

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
        """How the window turns samples into int8."""
        return SampleQuantization(
            self.norm_knee, self.norm_mean, self.norm_gain, self.input.zero_point
        )

    def dequantize(self, features: Array) -> Array:
        """int8 activations (..., F) -> what the tail sees, float32 (..., F)."""
        sizes = [output.size for output in self.outputs]
        scales = np.repeat([np.float32(output.scale) for output in self.outputs], sizes)
        zero_points = np.repeat([output.zero_point for output in self.outputs], sizes)
        return dequantize(features, scales, zero_points)


class Learning(_Strict):
    """Constants of the on-device update (docs/LEARNING.md)."""

    rate: float = Field(gt=0)
    anchor: float = Field(ge=0)
    steps: int = Field(ge=1, le=1000)


class Calibration(_Strict):
    """Temperature scaling on the validation people (docs/SMOOTHING.md). The shipped tail is divided
    by ``temperature`` already; the errors are those of the deployed network with and without."""

    temperature: float = Field(gt=0)
    expected_calibration_error: float = Field(ge=0, le=1)
    expected_calibration_error_before: float = Field(ge=0, le=1)
    validation_windows: int = Field(ge=1)


class Unknown(_Strict):
    """When a window is like nothing known: its distance to the activity is above ``limit``, which
    a label widens to ``widen`` times the distance of its window. ``false_reject`` is the share of
    the validation people's windows that are unknown, at most ``false_reject_target``."""

    limit: float = Field(ge=LIMIT_MIN, le=float(LIMIT))
    widen: float = Field(ge=1, le=100)
    false_reject_target: float = Field(ge=0, le=1)
    false_reject: float = Field(ge=0, le=1)


class SmootherConstants(_Strict):
    """Probability that the activity changes between two windows, and beside an unknown one; 1 and
    1 switch smoothing off."""

    change: float = Field(ge=1e-6, le=1)
    change_moving: float = Field(ge=1e-6, le=1)


class Metrics(_Strict):
    """Accuracies on the test people of the named split."""

    test_windows: int = Field(ge=1)
    float_accuracy: float = Field(ge=0, le=1)
    int8_accuracy: float = Field(ge=0, le=1)
    int8_macro_f1: float = Field(ge=0, le=1)
    worst_subject: str
    worst_subject_accuracy: float = Field(ge=0, le=1)
    subject_accuracy: dict[str, float]


class Provenance(_Strict):
    """What it was made from."""

    dataset: str
    split: str
    seed: int
    train_subjects: list[str]
    validation_subjects: list[str]
    test_subjects: list[str]
    train_windows: int
    backbone: str
    pretrained_sha256: str
    tensorflow: str


class Bundle(Interface):
    """The content of bundle.json.

    ``parameters``: weights and biases of the whole network, tail included, batch norm folded.
    ``macs``: multiply-accumulates of one inference of the extractor.
    """

    format: Literal[2] = 2
    model_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    activities: list[str]
    rate_hz: float = Field(gt=0, le=1000)
    window_samples: int = Field(ge=8, le=1024)
    hop_samples: int = Field(ge=1, le=1024)
    channels: list[str] = Field(min_length=6, max_length=6)
    units: list[str] = Field(min_length=6, max_length=6)
    cut: Literal["fc"]
    learning: Learning
    calibration: Calibration
    unknown: Unknown
    smoother: SmootherConstants
    tflm_arena_bytes: int = Field(ge=1)
    macs: int = Field(ge=1)
    parameters: int = Field(ge=1)
    metrics: Metrics
    provenance: Provenance
    files: dict[str, str]

    @field_validator("activities")
    @classmethod
    def _names(cls, names: list[str]) -> list[str]:
        check_activities(names)
        return names

    @model_validator(mode="after")
    def _hop(self) -> Self:
        if self.hop_samples > self.window_samples:
            raise ValueError("hop_samples must be at most window_samples")
        return self

    def tail(self, directory: Path) -> tuple[Array, Array]:
        """The shipped tail: weights float32 (activities, features) and bias (activities,).

        Raises InputError for arrays of another shape and values that the board could not take.
        """
        weights = self._array(directory, "weights", (len(self.activities), self.features))
        bias = self._array(directory, "bias", (len(self.activities),))
        if not all((np.abs(values) <= LIMIT).all() for values in (weights, bias)):
            raise InputError(f"{directory / TAIL}: weights or bias are out of range")
        return weights, bias

    def novelty(self, directory: Path) -> Novelty:
        """Where the training people's windows lie, by activity, in the extractor's first output.

        Raises InputError as `tail`, and for values that the board could not take.
        """
        shape = (len(self.activities), self.outputs[0].size)
        center = self._array(directory, "novelty_center", shape)
        inverse_std = self._array(directory, "novelty_inverse_std", shape)
        if not (
            (np.abs(center) <= LIMIT).all() and ((inverse_std > 0) & (inverse_std < 1e9)).all()
        ):
            raise InputError(f"{directory / TAIL}: centers or deviations are out of range")
        return Novelty(center, inverse_std)

    def limits(self) -> Limits:
        """Up to which distance a window is known, before any label."""
        return Limits(len(self.activities), self.unknown.limit, self.unknown.widen)

    def new_smoother(self) -> Smoother:
        """A smoother with this bundle's constants."""
        return Smoother(len(self.activities), self.smoother.change, self.smoother.change_moving)

    def _array(self, directory: Path, name: str, shape: tuple[int, ...]) -> Array:
        arrays = load_weights(directory / TAIL)
        if name not in arrays:
            raise InputError(f"{directory / TAIL}: no array {name!r}")
        if arrays[name].shape != shape:
            raise InputError(f"{directory / TAIL}: shapes do not match {MANIFEST}")
        return arrays[name].astype(np.float32)


def check_activities(names: Sequence[str]) -> None:
    """Raises ValueError unless a board can say these names: in HELLO_REPLY, and as text beside
    "unknown"."""
    if not 2 <= len(names) <= _ACTIVITIES_MAX:
        raise ValueError(f"{len(names)} activities: give 2 to {_ACTIVITIES_MAX}")
    if len(set(names)) != len(names):
        raise ValueError("activities must differ from each other")
    for name in names:
        if not 1 <= len(name.encode()) <= 31 or not name.isprintable():
            raise ValueError(f"activity {name!r} must be 1 to 31 printable bytes")
        if name == _UNKNOWN:
            raise ValueError(f"no activity can be named {name!r}: the board says that of others")
    if sum(1 + len(name.encode()) for name in names) > _NAMES_BYTES_MAX:
        raise ValueError(f"activities' names must fit in {_NAMES_BYTES_MAX} bytes together")


def output_of(tensor: TensorInfo) -> Output:
    """A compiled extractor's output as bundle.json says it."""
    return Output(size=tensor.size_bytes, scale=tensor.scale, zero_point=tensor.zero_point)


def model_id_of(content: dict[str, Any]) -> str:
    """16 hex digits: the first 8 bytes of the SHA-256 of the canonical JSON of ``content``
    without its ``model_id``."""
    body = {key: value for key, value in content.items() if key != "model_id"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_bundle(directory: Path, content: dict[str, Any]) -> Bundle:
    """Seals a folder that already holds `FILES`: hashes them, derives the model id, writes
    bundle.json last, so that a folder with a bundle.json is a whole bundle."""
    content = {
        "format": FORMAT,
        **content,
        "files": {name: file_sha256(directory / name) for name in FILES},
    }
    bundle = Bundle.model_validate({**content, "model_id": "0" * 16})
    body = bundle.model_dump(mode="json")
    bundle = bundle.model_copy(update={"model_id": model_id_of(body)})
    write_card(directory / MANIFEST, bundle)
    return bundle


def _refuse_other_format(manifest: Path) -> None:
    """What is no JSON object, or names no format, is left to the schema."""
    try:
        content = json.loads(manifest.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found != FORMAT:
        raise InputError(
            f"{manifest}: format {found}, made by {'an older' if found < FORMAT else 'a newer'} "
            f"har; this one reads {FORMAT}: quantize again"
        )


def load_bundle(directory: Path) -> Bundle:
    """Reads and checks a bundle: schema, model id, and the hash of every file.

    Raises InputError naming the file and what is wrong with it.
    """
    manifest = directory / MANIFEST
    _refuse_other_format(manifest)
    bundle = read_card(Bundle, manifest, "make a bundle with `har quantize`")
    if model_id_of(bundle.model_dump(mode="json")) != bundle.model_id:
        raise InputError(f"{manifest}: changed after it was written (model id does not match)")
    if set(bundle.files) != set(FILES):
        raise InputError(f"{manifest}: must name exactly {', '.join(FILES)}")
    for name, digest in bundle.files.items():
        path = directory / name
        if not path.is_file():
            raise InputError(f"{path}: missing from the bundle; run `har quantize` again")
        if file_sha256(path) != digest:
            raise InputError(f"{path}: changed after the bundle was written; quantize again")
    if not all(math.isfinite(value) and abs(value) < 1e6 for value in bundle.norm_gain):
        raise InputError(f"{manifest}: normalization gives steps that float32 cannot hold")
    return bundle

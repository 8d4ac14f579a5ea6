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
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.errors import InputError
from pipeline.models.cards import read_card, write_card
from pipeline.models.weights import load_weights

FORMAT = 1
MANIFEST = "bundle.json"
EXTRACTOR = "extractor.int8.tflite"
FULL_INT8 = "full.int8.tflite"
FULL_FLOAT = "full.float.tflite"
TAIL = "tail.npz"
# HELLO_REPLY carries every name behind its length, beside 60 bytes of other fields, in 512.
_NAMES_BYTES_MAX = 440
FILES = (EXTRACTOR, FULL_INT8, FULL_FLOAT, TAIL)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Quantization(_Strict):
    """real = (q - zero_point) * scale, q int8."""

    scale: float = Field(gt=0)
    zero_point: int = Field(ge=-128, le=127)


class Normalization(_Strict):
    """Per channel, before quantization: (x - mean) / std; units of the channels."""

    mean: list[float] = Field(min_length=6, max_length=6)
    std: list[float] = Field(min_length=6, max_length=6)

    @field_validator("std")
    @classmethod
    def _positive(cls, values: list[float]) -> list[float]:
        if not all(value > 0 for value in values):
            raise ValueError("standard deviations must be positive")
        return values


class Learning(_Strict):
    """Constants of the on-device update (docs/LEARNING.md)."""

    rate: float = Field(gt=0)
    anchor: float = Field(ge=0)
    steps: int = Field(ge=1, le=1000)


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


class Bundle(_Strict):
    """The content of bundle.json. ``directory`` is where it was read from or written to."""

    format: Literal[1] = 1
    model_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    activities: list[str] = Field(min_length=2, max_length=32)
    rate_hz: float = Field(gt=0, le=1000)
    window_samples: int = Field(ge=8, le=1024)
    hop_samples: int = Field(ge=1, le=1024)
    channels: list[str] = Field(min_length=6, max_length=6)
    units: list[str] = Field(min_length=6, max_length=6)
    normalization: Normalization
    cut: Literal["fc"]
    features: int = Field(ge=1, le=4096)
    input: Quantization
    feature: Quantization
    learning: Learning
    tflm_arena_bytes: int = Field(ge=1)
    macs: int = Field(ge=1)
    metrics: Metrics
    provenance: Provenance
    files: dict[str, str]

    @field_validator("activities")
    @classmethod
    def _names(cls, names: list[str]) -> list[str]:
        if len(set(names)) != len(names):
            raise ValueError("activities must differ from each other")
        for name in names:
            if not 1 <= len(name.encode()) <= 31 or not name.isprintable():
                raise ValueError(f"activity {name!r} must be 1 to 31 printable bytes")
        if sum(1 + len(name.encode()) for name in names) > _NAMES_BYTES_MAX:
            raise ValueError(f"activities' names must fit in {_NAMES_BYTES_MAX} bytes together")
        return names

    def tail(self, directory: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The shipped tail: weights float32 (activities, features) and bias (activities,)."""
        arrays = load_weights(directory / TAIL)
        shape = (len(self.activities), self.features)
        try:
            weights, bias = arrays["weights"], arrays["bias"]
        except KeyError as error:
            raise InputError(f"{directory / TAIL}: no array {error}") from None
        if weights.shape != shape or bias.shape != shape[:1]:
            raise InputError(f"{directory / TAIL}: shapes do not match {MANIFEST}")
        return weights.astype(np.float32), bias.astype(np.float32)

    @property
    def norm_gain(self) -> np.ndarray[Any, Any]:
        """Quantization steps per g and per rad/s, float32 (6,)."""
        return norm_gain(self.normalization, self.input)

    @property
    def norm_mean(self) -> np.ndarray[Any, Any]:
        """g and rad/s, float32 (6,)."""
        return np.asarray(self.normalization.mean, np.float32)


def norm_gain(normalization: Normalization, source: Quantization) -> np.ndarray[Any, Any]:
    """Quantization steps per g and per rad/s, float32 (6,): 1 / (std * input scale)."""
    std = np.asarray(normalization.std, np.float64)
    return (1.0 / (std * source.scale)).astype(np.float32)


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


def load_bundle(directory: Path) -> Bundle:
    """Reads and checks a bundle: schema, model id, and the hash of every file.

    Raises InputError naming the file and what is wrong with it.
    """
    manifest = directory / MANIFEST
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

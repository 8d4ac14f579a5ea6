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
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, PrivateAttr, field_validator, model_validator

from pipeline.bundle.interface import Interface, Strict
from pipeline.bundle.limits import EXEMPLARS_MAX, REPLAY_MAX, ROWS_MAX, check_activities, check_rows
from pipeline.compiler import CompiledModel, compile_model
from pipeline.core.errors import InputError
from pipeline.core.files import restore
from pipeline.core.types import Array
from pipeline.head import (
    LIMIT,
    BoardTwin,
    CutScales,
    Head,
    HeadShape,
    Learner,
    Learning,
    Limits,
    Novelty,
    Replay,
    Smoother,
    check_parameters,
)
from pipeline.head.memory import LearningMemory, learning_memory
from pipeline.head.spectrogram import FRAME
from pipeline.models.weights import load_weights, read_card, write_card
from pipeline.training.calibration import Calibration

FORMAT = 6
MANIFEST = "bundle.json"
EXTRACTOR = "extractor.int8.tflite"
FULL_INT8 = "full.int8.tflite"
FULL_FLOAT = "full.float.tflite"
HEAD = "head.npz"
FILES = (EXTRACTOR, FULL_INT8, FULL_FLOAT, HEAD)
LIMIT_MIN = 1e-6  # of a distance: a smaller one would be 0 in float32


class HeadSizes(Strict):
    """What lies between the extractor and the dense layer: ``frozen`` features, and a map
    (``map_length``, ``channels``) that a depthwise convolution (``kernel``, ``stride``) and a
    pointwise one (``filters``) turn into as many more. 0, and stride 1, where the cut has none."""

    frozen: int = Field(ge=1, le=4096)
    map_length: int = Field(ge=0, le=1024)
    channels: int = Field(ge=0, le=1024)
    filters: int = Field(ge=0, le=1024)
    kernel: int = Field(ge=0, le=64)
    stride: int = Field(ge=1, le=64)

    @property
    def map_bytes(self) -> int:
        """Of the int8 map."""
        return self.map_length * self.channels


class LearningConstants(Strict):
    """Constants of learning on the device (docs/LEARNING.md)."""

    rate: float = Field(gt=0, le=100)
    rate_convolution: float = Field(ge=0, le=100)
    keep: float = Field(ge=0, le=1)
    steps: int = Field(ge=1, le=1000)
    replay_every: int = Field(ge=0, le=1000)
    hold_every: int = Field(ge=0, le=1000)
    evidence: int = Field(ge=0, le=1000)


class ReplaySizes(Strict):
    """``capacity``: labelled windows that the device keeps. ``exemplars``: windows of training
    subjects that ship, of all activities together."""

    capacity: int = Field(ge=1, le=REPLAY_MAX)
    exemplars: int = Field(ge=0, le=EXEMPLARS_MAX)


class Unknown(Strict):
    """When a window is like nothing known: its distance to the activity is above ``limit``, which
    a label widens to ``widen`` times the distance of its window. ``false_reject`` is the share of
    the validation subjects' windows that are unknown, at most ``false_reject_target``."""

    limit: float = Field(ge=LIMIT_MIN, le=float(LIMIT))
    widen: float = Field(ge=1, le=100)
    false_reject_target: float = Field(ge=0, le=1)
    false_reject: float = Field(ge=0, le=1)


class SmootherConstants(Strict):
    """Probability that the activity changes between two windows, and next to an unknown one; 1 and
    1 switch smoothing off."""

    change: float = Field(ge=1e-6, le=1)
    change_moving: float = Field(ge=1e-6, le=1)


class Metrics(Strict):
    """Accuracies on the test subjects of the named split."""

    test_windows: int = Field(ge=1)
    float_accuracy: float = Field(ge=0, le=1)
    int8_accuracy: float = Field(ge=0, le=1)
    int8_macro_f1: float = Field(ge=0, le=1)
    worst_subject: str
    worst_subject_accuracy: float = Field(ge=0, le=1)
    subject_accuracy: dict[str, float]


class Provenance(Strict):
    """What it was made from. ``bundle``: the shipped network that it is, or was trained on from
    your own recordings; "" for one of a data set."""

    bundle: str = ""
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


@dataclass(frozen=True)
class _Files:
    """The sealed files in ``directory``, each read once."""

    directory: Path = field(compare=False)

    @cached_property
    def extractor(self) -> bytes:
        return (self.directory / EXTRACTOR).read_bytes()

    @cached_property
    def compiled(self) -> CompiledModel:
        return compile_model(self.extractor)

    @cached_property
    def streaming(self) -> dict[int, CompiledModel]:
        """By hop; filled when asked for."""
        return {}

    @cached_property
    def arrays(self) -> dict[str, Array]:
        return load_weights(self.directory / HEAD)


class Bundle(Interface):
    """The content of bundle.json, and the files that it seals.

    ``rows`` (R): activities that there is room for, the shipped ones (K) first. ``features`` (F):
    what the dense layer sees. ``parameters``: weights and biases of the whole network, head
    included, batch norm folded. ``macs``: multiply-accumulates of one inference of the extractor.
    ``placement``: where on the body it was trained ("" for unknown). ``metrics`` None: there was
    nobody to test on. ``hop_samples``: between the windows that are trained and judged on, and,
    unless there are fewer ``answer_samples``, between a board's answers.
    """

    format: Literal[6] = 6
    model_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    activities: list[str]
    placement: str
    rate_hz: float = Field(gt=0, le=1000)
    window_samples: int = Field(ge=8, le=1024)
    hop_samples: int = Field(ge=1, le=1024)
    answer_samples: int | None = Field(None, ge=1, le=1024, exclude_if=lambda given: given is None)
    channels: list[str] = Field(min_length=6, max_length=6)
    units: list[str] = Field(min_length=6, max_length=6)
    cut: Literal["fc", "fxc1", "fxc2"]
    rows: int = Field(ge=2, le=ROWS_MAX)
    features: int = Field(ge=1, le=4096)
    head: HeadSizes
    learning: LearningConstants
    replay: ReplaySizes
    calibration: Calibration
    unknown: Unknown
    smoother: SmootherConstants
    tflm_arena_bytes: int = Field(ge=1)
    macs: int = Field(ge=1)
    parameters: int = Field(ge=1)
    metrics: Metrics | None
    provenance: Provenance
    files: dict[str, str]
    _files: _Files = PrivateAttr(default=_Files(Path()))

    @field_validator("activities")
    @classmethod
    def _names(cls, names: list[str]) -> list[str]:
        check_activities(names)
        return names

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        if self.hop_samples > self.window_samples:
            raise ValueError("hop_samples must be at most window_samples")
        if self.answer_samples and self.answer_samples not in answer_steps(self.hop_samples)[1:]:
            raise ValueError("answer_samples must be hop_samples, halved once or more")
        if self.spectrogram and self.cut != "fc":
            raise ValueError("an image network has cut fc only")
        if self.spectrogram and self.window_samples < FRAME:
            raise ValueError(f"a spectrogram needs windows of {FRAME} samples")
        check_rows(self.activities, self.rows)
        head, sizes = self.head, [output.size for output in self.outputs]
        convolutions = (head.map_length, head.channels, head.filters)
        if self.cut == "fc":
            fits = not any(convolutions) and head.kernel == 0
        else:
            fits = all(convolutions) and len(sizes) > 1 and sizes[-1] == head.map_bytes
            fits = fits and (1 <= head.kernel <= head.map_length) == (self.cut == "fxc2")
        if not fits or (head.kernel == 0 and head.stride != 1):
            raise ValueError(f"the head's sizes are not those of cut {self.cut}")
        if self.features != head.frozen + head.filters:
            raise ValueError("features must be the frozen and the learned ones together")
        if sum(sizes) != head.frozen + head.map_bytes:
            raise ValueError("the outputs' sizes must be the frozen features and the map")
        return self

    def at(self, directory: Path) -> Bundle:
        """Return the same bundle with its files in ``directory``."""
        moved = self.model_copy()
        moved._files = _Files(directory)
        return moved

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self._files.directory

    @property
    def extractor(self) -> bytes:
        """The int8 .tflite up to the cut."""
        return self._files.extractor

    @property
    def compiled(self) -> CompiledModel:
        """The extractor as C, compiled once. Raises as `compile_model`."""
        return self._files.compiled

    @property
    def answer_every(self) -> int:
        """Samples between a board's answers."""
        return self.answer_samples or self.hop_samples

    @property
    def streams(self) -> bool:
        """Whether only the compiled engine can run it: it answers more often than windows are
        judged."""
        return self.answer_samples is not None

    @property
    def engine(self) -> CompiledModel:
        """The extractor as a board runs it: streaming, where it answers more often than windows are
        judged. Raises as `compile_model`."""
        if self.answer_samples is None:
            return self.compiled
        hop, made = self.answer_samples, self._files.streaming
        if hop not in made:
            made[hop] = compile_model(self.extractor, hop=hop)
        return made[hop]

    @property
    def engine_input_bytes(self) -> int:
        """What the engine reads of one window."""
        if self.spectrogram:
            return self.spectrogram.bytes
        return self.window_samples * len(self.channels)

    @property
    def shape(self) -> HeadShape:
        """Sizes of the head."""
        return HeadShape(self.features, self.rows, **self.head.model_dump())

    @property
    def learning_memory(self) -> LearningMemory:
        """What learning with this bundle takes of a board."""
        kept = self.replay
        return learning_memory(self.shape, len(self.activities), kept.capacity, kept.exemplars)

    def scales(self) -> CutScales:
        """From int8 activations at the cut to what the head computes with. Raises InputError as
        `new_head`."""
        scale, offset = (
            self._array(name, (self.features,)) for name in ("feature_scale", "feature_offset")
        )
        return CutScales(scale, offset, self.map_scale, self.map_zero_point)

    @property
    def map_scale(self) -> float:
        """Of the map at the cut: value = (q - map_zero_point) * map_scale; 1 and 0 without one."""
        return self.outputs[-1].scale if self.head.map_length else 1.0

    @property
    def map_zero_point(self) -> int:
        """Beside `map_scale`."""
        return self.outputs[-1].zero_point if self.head.map_length else 0

    def new_head(self) -> Head:
        """The factory head, about to learn. Raises InputError for arrays of another shape and
        values that the board could not take."""
        shape = self.shape
        parameters = self._array("parameters", (shape.parameters,))
        return Head(shape, self.scales(), parameters, len(self.activities))

    def new_learner(self) -> Learner:
        """The factory head with all that learns it, nothing labelled. Raises InputError as
        `new_head`."""
        return Learner(
            self.new_head(),
            Replay(self.shape.window_bytes, self.replay.capacity, self.rows, *self.exemplars()),
            Learning(**self.learning.model_dump()),
        )

    def exemplars(self) -> tuple[Array, Array]:
        """The shipped windows at the cut, int8 (E, B), and their activities, uint8 (E,). Raises
        InputError as `new_head`."""
        count = self.replay.exemplars
        windows = self._array("exemplars", (count, self.cut_bytes), np.int8)
        of = self._array("exemplar_activities", (count,), np.uint8)
        if not (of < len(self.activities)).all():
            raise InputError(
                f"{self.directory / HEAD}: an exemplar is of no activity of the model's"
            )
        return windows, of

    def novelty(self) -> Novelty:
        """Where the training subjects' windows lie, by activity, in the extractor's first output,
        standardized. Raises InputError as `new_head`."""
        shape = (len(self.activities), self.outputs[0].size)
        center = self._array("novelty_center", shape)
        inverse_std = self._array("novelty_inverse_std", shape)
        if not (inverse_std > 0).all():
            raise InputError(f"{self.directory / HEAD}: deviations are out of range")
        return Novelty(center, inverse_std)

    def limits(self) -> Limits:
        """Up to which distance a window is known, before any label."""
        return Limits(len(self.activities), self.unknown.limit, self.unknown.widen, self.rows)

    def new_smoother(self, roots: int = 0) -> Smoother:
        """A smoother with this bundle's constants, of windows every ``hop_samples`` samples, or, by
        ``roots``, of more frequent ones."""
        chances = self.smoother.change, self.smoother.change_moving
        return Smoother(len(self.activities), *chances, roots)

    @property
    def smoother_roots(self) -> int:
        """Of the board's smoother, where smoothing is on: answers that are closer than windows
        count less each."""
        smooths = self.smoother.change < 1.0
        return answer_steps(self.hop_samples).index(self.answer_every) if smooths else 0

    def new_twin(self) -> BoardTwin:
        """What a board with this bundle computes from the cut on, nothing labelled. Raises
        InputError as `new_head`."""
        smoother = self.new_smoother(self.smoother_roots)
        return BoardTwin(self.new_learner(), self.novelty(), self.limits(), smoother)

    def at_cut(self, x: Array) -> Array:
        """Raw windows (N, T, 6) -> windows at the cut, int8 (N, B), by TFLite-Micro."""
        return self.run(self.extractor, x)

    def _array(self, name: str, shape: tuple[int, ...], kind: Any = np.float32) -> Array:
        path, arrays = self.directory / HEAD, self._files.arrays
        if name not in arrays:
            raise InputError(f"{path}: no array {name!r}")
        values = arrays[name]
        if values.shape != shape or values.dtype != kind:
            raise InputError(f"{path}: {name}: shape or kind is not that of {MANIFEST}")
        if kind is np.float32:
            check_parameters(values, f"{path}: {name}")
        return values


def answer_steps(hop_samples: int) -> list[int]:
    """What a bundle's answers can be apart, samples: as far as its windows, or that halved once or
    more, which the smoother needs (docs/SMOOTHING.md)."""
    steps = [hop_samples]
    while steps[-1] % 2 == 0:
        steps.append(steps[-1] // 2)
    return steps


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
    return bundle.at(directory)


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
    restore(directory)
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
    gains = (*bundle.norm_gain, *bundle.level_gain)
    if not all(math.isfinite(value) and abs(value) < 1e6 for value in gains):
        raise InputError(f"{manifest}: normalization gives steps that float32 cannot hold")
    return bundle.at(directory)

"""A case learned by the firmware's own learner, compiled for this machine, from the same labelled
windows that TensorFlow trains on.

The source network up to the cut is quantized and runs in TFLite-Micro; behind it stands the tail in
float32: the last convolutions as the source network has them, and a dense layer of zeros for the
target's activities. The windows are labelled one by one, each of them once in every pass.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pipeline.data import Windows
from pipeline.device.firmware import ROOT
from pipeline.errors import InputError
from pipeline.evaluation.learner_program import LearnerProgram, build_learner
from pipeline.export import Bundle, emit, load_bundle
from pipeline.export.bundle import EXTRACTOR, LearningConstants, write_bundle
from pipeline.export.room import REPLAY_MAX
from pipeline.fxcy.domains import Domain, Examples
from pipeline.models import backbone
from pipeline.sweep import made_once
from pipeline.training.metrics import score
from pipeline.training.pretrained import Pretrained
from pipeline.training.task import HOP_SAMPLES
from pipeline.training.train import TrainCard, TrainedModel

Array = np.ndarray[Any, Any]
Show = Callable[[str, float], None]

CUTS = ("fc", "fxc1", "fxc2")
"""Cases that a board learns."""

_PROGRAM = "har_learner"
_WINDOWS = "windows.npz"
# What decides a device's row, beside the network and the data.
_SOURCES = ("firmware/lib/learn", "firmware/tools", "pipeline/export", "pipeline/compiler")


@dataclass(frozen=True)
class DeviceSettings:
    """``passes`` over the labelled windows, ``steps`` of gradient descent for a label, the rates
    as shares of those that boards ship with. ``keep``: of the distance to the start, per label; a
    start that knows nothing of the target is no anchor. ``replay``: labelled windows that are kept,
    None for all of them, which is more than a board has room for."""

    passes: int = 1
    steps: int = 64
    rate: float = 1.0
    rate_convolution: float = 1.0
    keep: float = 1.0
    replay: int | None = None


def learn_on_device(
    pretrained: Pretrained,
    target: Domain,
    cut: str,
    seed: int,
    settings: DeviceSettings | None = None,
    *,
    folder: Path | None = None,
    show: Show = lambda *_: None,
) -> dict[str, Any]:
    """Learns the target's activities behind ``cut`` of a source network, in the order that ``seed``
    draws, and measures on the target's test people what was learned.

    ``folder`` keeps what all seeds share: the learner, and the windows as they leave the quantized
    extractor. ``show(what is being done, share done)``. Returns accuracy, macro_f1,
    subject_accuracy by person, labels given, updates of the tail, the replay's windows, gradient
    steps, seconds.

    Raises:
        InputError: a cut that this network or a board does not have, no sensor data, or more
            windows than a learner keeps.
        WorldError: the learner cannot be built.
    """
    settings = settings or DeviceSettings()
    if cut not in CUTS or target.task is None:
        raise InputError(f"{target.name}, case {cut}: a board learns {', '.join(CUTS)} of sensors")
    if settings.replay is None and len(target.train) > REPLAY_MAX:
        raise InputError(
            f"{target.name}: {len(target.train)} labelled windows, of which a learner keeps "
            f"{REPLAY_MAX}; give fewer"
        )
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="har-fxcy-")))
        show("quantizing", 0.0)
        key = _key(pretrained, target, cut, settings)
        place = folder / f"{target.name.replace('+', '_')}-{cut}-{key[:16]}"
        made_once(place, lambda part: _prepare(pretrained, target, cut, settings, part))
        train, test = _kept_windows(place)
        learner = stack.enter_context(LearnerProgram(place / _PROGRAM))
        rng = np.random.default_rng(seed)
        for number in range(settings.passes):
            show(
                f"learning, pass {number + 1} of {settings.passes}",
                0.5 + 0.5 * number / settings.passes,
            )
            order = rng.permutation(len(train))
            learner.label(train[order], target.train.y[order])
        said = learner.predict(test, "learned")
        updates = learner.state().updates
    scores = score(target.test.y, said, target.test.subjects, len(target.activities))
    labels = settings.passes * len(train)
    return {
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "subject_accuracy": scores.subject_accuracy,
        "labels": labels,
        "updates": updates,
        "replay": _room(target, settings),
        "steps": labels * settings.steps,
        "seconds": time.monotonic() - began,
    }


def _room(target: Domain, settings: DeviceSettings) -> int:
    """Labelled windows that are kept."""
    return len(target.train) if settings.replay is None else settings.replay


def _key(pretrained: Pretrained, target: Domain, cut: str, settings: DeviceSettings) -> str:
    """SHA-256 over all that what is kept depends on, this project's sources among them."""
    learned = (settings.steps, settings.rate, settings.rate_convolution, settings.keep)
    what = (pretrained.card.weights_sha256, target.activities, cut, learned)
    digest = hashlib.sha256(repr((what, _room(target, settings))).encode())
    for side in (target.train, target.test):  # labels are given later
        digest.update(side.x.tobytes())
    for path in sorted(path for part in _SOURCES for path in (ROOT / part).rglob("*")):
        if path.suffix in (".c", ".h", ".py"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _prepare(
    pretrained: Pretrained, target: Domain, cut: str, settings: DeviceSettings, place: Path
) -> None:
    """Makes the learner's program and the windows at the cut."""
    from pipeline.export.deployed import run_extractor

    bundle = _bundle(pretrained, target, cut, settings, place / "bundle")
    with TemporaryDirectory(prefix="har-fxcy-") as workplace:
        generated = Path(workplace) / "generated"
        emit(place / "bundle", generated)
        build_learner(generated, place / _PROGRAM, Path(workplace) / "build")
    extractor = (place / "bundle" / EXTRACTOR).read_bytes()
    train, test = (run_extractor(extractor, bundle, s.x) for s in (target.train, target.test))
    np.savez(place / _WINDOWS, train=train, test=test)


def _kept_windows(place: Path) -> tuple[Array, Array]:
    """Training and test windows at the cut, int8 (N, B)."""
    with np.load(place / _WINDOWS, allow_pickle=False) as kept:
        return kept["train"], kept["test"]


def _bundle(
    pretrained: Pretrained, target: Domain, cut: str, settings: DeviceSettings, directory: Path
) -> Bundle:
    """The source network for the target's activities, as `har quantize` makes it, with constants
    for learning all of them from nothing."""
    from pipeline.export.quantize import quantize

    assert target.task is not None
    split = target.task.split
    validation = target.task.windows.for_subjects(split.validation)
    windows = _windows(
        target, [target.train, Examples(validation.x, validation.y, validation.subjects)]
    )
    quantize(
        _untrained(pretrained, target),
        windows,
        split,
        directory,
        cut=cut,
        spare=0,
        replay=_room(target, settings),
        exemplars=0,
        smoothing=False,
        rejecting=False,
    )
    content = load_bundle(directory).model_dump(mode="json")
    shipped = content["learning"]
    content["learning"] = LearningConstants(
        rate=shipped["rate"] * settings.rate,
        rate_convolution=shipped["rate_convolution"] * settings.rate_convolution,
        keep=settings.keep,
        steps=settings.steps,
        replay_every=0,
        hold_every=0,
        evidence=0,
    ).model_dump(mode="json")
    return write_bundle(directory, content)


def _untrained(pretrained: Pretrained, target: Domain) -> TrainedModel:
    """The source network with a dense layer of zeros for the target's activities."""
    card, task = pretrained.card, target.task
    assert task is not None
    network, source = backbone(card.backbone), pretrained.model()
    features = network.head(source)[0].shape[1]
    rows = len(target.activities)
    zeros = np.zeros((rows, features), np.float32), np.zeros(rows, np.float32)
    return TrainedModel(
        TrainCard(
            backbone=card.backbone,
            dataset=target.name,
            split=target.split,
            seed=0,
            activities=list(target.activities),
            rate_hz=target.rate_hz,
            window_samples=card.window_samples,
            hop_samples=HOP_SAMPLES,
            knee=card.knee,
            mean=card.mean,
            std=card.std,
            train_subjects=list(task.split.train),
            validation_subjects=list(task.split.validation),
            test_subjects=list(task.split.test),
            train_windows=len(target.train),
            validation_accuracy=0.0,
            pretrained_sha256=card.weights_sha256,
            weights_sha256="",
        ),
        network.with_head(source, *zeros),
    )


def _windows(target: Domain, sides: list[Examples]) -> Windows:
    """Examples of sensors as windows; of where they were cut nothing is kept."""
    x, y, subjects = (
        np.concatenate([getattr(side, name) for side in (*sides, target.test)])
        for name in ("x", "y", "subjects")
    )
    nowhere = np.zeros(len(y), np.int64)
    return Windows(x, y, target.activities, subjects, subjects, nowhere, nowhere)

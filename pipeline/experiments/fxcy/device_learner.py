"""A case learned by the firmware's own learner, compiled for this machine, from the same labelled
windows that TensorFlow trains on; and by the same rule in TensorFlow.

The source network up to the cut is quantized and runs in TFLite-Micro; after it stands the head in
float32: the last convolutions as the source network has them, and a dense layer of zeros for the
target's activities. The windows are labelled one by one.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pipeline.bundle import Bundle, emit, load_bundle
from pipeline.bundle.bundle import LearningConstants, write_bundle
from pipeline.bundle.limits import REPLAY_MAX
from pipeline.core.digests import sources_digest
from pipeline.core.errors import InputError
from pipeline.core.files import build_cached
from pipeline.core.types import Array
from pipeline.data import Windows
from pipeline.experiments.fxcy.device_rule import CutWindows, RuleInTensorFlow
from pipeline.experiments.fxcy.domains import Domain, Examples
from pipeline.models import backbone
from pipeline.sim.build import ROOT
from pipeline.sim.learner_program import LearnerProgram, build_learner
from pipeline.training.metrics import score
from pipeline.training.pretrained import Pretrained
from pipeline.training.task import HOP_SAMPLES
from pipeline.training.train import TrainCard, TrainedModel

Show = Callable[[str, float], None]

CUTS = ("fc", "fxc1", "fxc2")
"""Cases that a board learns."""

_PROGRAM = "har_learner"
_WINDOWS = "windows.npz"
# What decides a device's row, besides the network and the data.
_SOURCES = (
    *("firmware/lib/head/*.[ch]", "firmware/tools/*.[ch]"),
    *("pipeline/bundle/*.py", "pipeline/compiler/*.py"),
)


@dataclass(frozen=True)
class DeviceSettings:
    """``steps`` of gradient descent for a label. ``replay``: labelled windows that are kept, None
    for all of them, which is more than a board has room for."""

    steps: int = 64
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
    """Learns the target's activities after ``cut`` of a source network, in the order that ``seed``
    draws, and measures on the target's test subjects what was learned.

    ``folder`` keeps what all seeds share: the learner, and the windows as they leave the quantized
    extractor. ``show(what is being done, share done)``. Returns accuracy, macro_f1 and
    subject_accuracy by subject; the same of the rule in TensorFlow, as ``tensorflow``; labels
    given, updates of the head, ``kept_windows`` and the learner's RAM with them, ``kept_bytes``.

    Raises:
        InputError: a cut that this network or a board does not have, no sensor data, or more
            windows than a learner keeps.
        ExternalError: the learner cannot be built.
    """
    settings = settings or DeviceSettings()
    if cut not in CUTS or target.task is None:
        raise InputError(f"{target.name}, case {cut}: a board learns {', '.join(CUTS)} of sensors")
    if settings.replay is None and len(target.train) > REPLAY_MAX:
        raise InputError(
            f"{target.name}: {len(target.train)} labelled windows, of which a learner keeps "
            f"{REPLAY_MAX}; give fewer"
        )
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="har-fxcy-")))
        show("quantizing", 0.0)
        key = _key(pretrained, target, cut, settings)
        place = folder / f"{target.name.replace('+', '_')}-{cut}-{key[:16]}"
        build_cached(place, lambda part: _prepare(pretrained, target, cut, settings, part))
        bundle = load_bundle(place / "bundle")
        with np.load(place / _WINDOWS, allow_pickle=False) as kept:
            train, test = kept["train"], kept["test"]
        learner = stack.enter_context(LearnerProgram(place / _PROGRAM))
        order = np.random.default_rng(seed).permutation(len(train))
        show("learning", 0.5)
        learner.label(train[order], target.train.y[order])
        said = learner.predict(test, "learned")
        updates = learner.state().updates
    show("learning by the same rule in TensorFlow", 0.7)
    also = _in_tensorflow(pretrained, target, cut, order, bundle)
    return {
        **_figures(target, said),
        "tensorflow": _figures(target, also),
        "labels": len(order),
        "updates": updates,
        "kept_windows": bundle.replay.capacity,
        "kept_bytes": bundle.learning_memory.ram_bytes,
    }


def _figures(target: Domain, said: Array) -> dict[str, Any]:
    scores = score(target.test.y, said, target.test.subjects, len(target.activities))
    return {
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "subject_accuracy": scores.subject_accuracy,
    }


def _in_tensorflow(
    pretrained: Pretrained, target: Domain, cut: str, order: Array, bundle: Bundle
) -> Array:
    """What the same rule, with the bundle's constants and in float32, says of the test windows."""
    network, source = backbone(pretrained.card.backbone), pretrained.model()
    extractor, head = network.extractor(source, cut), network.float_head(source, cut)

    def at_the_cut(windows: Array) -> CutWindows:
        inputs = pretrained.card.normalize(windows)
        outputs = extractor.predict(inputs, batch_size=512, verbose=0)
        return CutWindows.of(outputs if isinstance(outputs, list) else [outputs], head)

    activities = len(target.activities)
    rule = RuleInTensorFlow(head, at_the_cut(target.train.x), activities, bundle.learning)
    rule.learn(target.train.y, order, bundle.replay.capacity)
    return rule.predict(at_the_cut(target.test.x))


def _room(target: Domain, settings: DeviceSettings) -> int:
    """Labelled windows that are kept."""
    return len(target.train) if settings.replay is None else settings.replay


def _key(pretrained: Pretrained, target: Domain, cut: str, settings: DeviceSettings) -> str:
    """SHA-256 over all that what is kept depends on, this project's sources among them."""
    what = (pretrained.card.weights_sha256, target.activities, cut, settings.steps)
    digest = hashlib.sha256(repr((what, _room(target, settings))).encode())
    for side in (target.train, target.test):  # labels are given later
        digest.update(side.x.tobytes())
    digest.update(sources_digest(ROOT, _SOURCES).encode())
    return digest.hexdigest()


def _prepare(
    pretrained: Pretrained, target: Domain, cut: str, settings: DeviceSettings, place: Path
) -> None:
    """Makes the learner's program and the windows at the cut."""
    bundle = _bundle(pretrained, target, cut, settings, place / "bundle")
    with TemporaryDirectory(prefix="har-fxcy-") as workplace:
        generated = Path(workplace) / "generated"
        emit(bundle, generated)
        build_learner(generated, place / _PROGRAM, Path(workplace) / "build")
    train, test = (bundle.at_cut(s.x) for s in (target.train, target.test))
    np.savez(place / _WINDOWS, train=train, test=test)


def _bundle(
    pretrained: Pretrained, target: Domain, cut: str, settings: DeviceSettings, directory: Path
) -> Bundle:
    """The source network for the target's activities, as `har quantize` makes it, with constants
    for learning all of them from nothing."""
    from pipeline.bundle.quantize import quantize

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
        rate=shipped["rate"],
        rate_convolution=shipped["rate_convolution"],
        keep=1.0,  # a start that knows nothing of the target is no anchor
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

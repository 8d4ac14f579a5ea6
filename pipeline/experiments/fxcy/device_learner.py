"""A case learned by the firmware's own learner, compiled for this machine, from the same labelled
windows that TensorFlow trains on; and by the same rule in TensorFlow.

The source network up to the cut is quantized and runs in TFLite-Micro; after it stands the head in
float32: the last convolutions as the source network has them, and a dense layer of zeros for the
target's activities. The windows are labelled one by one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pipeline.bundle import Bundle, emit, load_bundle
from pipeline.bundle.bundle import LearningConstants, write_bundle
from pipeline.bundle.factory_head import standardization_of
from pipeline.bundle.limits import REPLAY_MAX
from pipeline.core.digests import sources_digest
from pipeline.core.errors import InputError
from pipeline.core.files import build_cached, read_npz, write_npz
from pipeline.core.types import Array
from pipeline.data import Windows
from pipeline.experiments.fxcy.domains import Domain
from pipeline.head import Replay
from pipeline.models import FloatHead, backbone
from pipeline.sim.build import ROOT
from pipeline.sim.learner_program import LearnerProgram, build_learner
from pipeline.training.metrics import score
from pipeline.training.pretrained import Pretrained
from pipeline.training.train import TrainCard, TrainedModel

_TRUST_LEAST = 5  # of 255
CUTS = ("fc", "fxc1", "fxc2")
"""Cases that a board learns."""
_PROGRAM = "har_learner"
_WINDOWS = "windows.npz"
# What decides a device's row, besides the network and the data.
_SOURCES = (
    *("firmware/lib/head/*.[ch]", "firmware/tools/*.[ch]"),
    *("pipeline/bundle/*.py", "pipeline/compiler/*.py"),
)


@dataclass(frozen=True, eq=False)
class CutWindows:
    """Windows as they leave the source network at a cut, float32: ``frozen`` (N, F0) features and a
    ``map`` (N, T, C), of size 0 at cut fc."""

    frozen: Array
    map: Array

    @classmethod
    def of(cls, outputs: list[Array], head: FloatHead) -> CutWindows:
        """From the outputs of `Backbone.extractor`, the map last."""
        count = len(outputs[0])
        *pooled, last = outputs if head.map_length else [*outputs, np.zeros((count, 0))]
        features = [each.reshape(count, -1) for each in pooled]
        frozen = np.concatenate([np.zeros((count, 0)), *features], axis=1)
        shape = (count, head.map_length, head.channels)
        return cls(frozen.astype(np.float32), last.reshape(shape).astype(np.float32))


class RuleInTensorFlow:
    """A head that learns from ``labelled`` as the device's does: its dense layer begins with zeros
    for ``activities`` of them, its convolutions as ``head`` has them, and its features are
    standardized by those of ``labelled``.

    Raises InputError for constants of a rule that keeps or ships exemplars to judge by.
    """

    def __init__(
        self, head: FloatHead, labelled: CutWindows, activities: int, constants: LearningConstants
    ) -> None:
        import tensorflow as tf

        if constants.replay_every or constants.hold_every:
            raise InputError("this rule neither ships exemplars nor holds windows back")
        self._head, self._labelled, self._constants = head, labelled, constants
        self._activities = activities
        plain = standardization_of(self._learned_features(labelled))
        self._mean = tf.constant(plain.mean, tf.float32)
        self._std = tf.constant(plain.std, tf.float32)
        self._start = [
            *(tf.constant(part, tf.float32) for part in head.convolutions),
            tf.zeros((activities, head.weights.shape[1])),
            tf.zeros(activities),
        ]
        self._learn = tf.function(self._labels, jit_compile=True, autograph=False)

    def learn(self, y: Array, order: Array, kept: int) -> None:
        """Labels the windows in ``order``, each with its activity of ``y`` (N,), of which ``kept``
        stay to be drawn again."""
        import tensorflow as tf

        chosen = drawn(y[order], self._activities, self._constants.steps, kept)
        places = order[chosen]
        self.parameters = self._learn(
            tf.constant(places, tf.int32),
            tf.constant(y, tf.int32),
            tf.constant(self._labelled.frozen),
            tf.constant(self._labelled.map),
        )

    def predict(self, windows: CutWindows) -> Array:
        """The activity of each window (N,)."""
        import tensorflow as tf

        logits = self._logits(
            self.parameters, tf.constant(windows.frozen), tf.constant(windows.map)
        )
        return np.asarray(tf.argmax(logits, axis=1))

    def _learned_features(self, windows: CutWindows) -> Array:
        import tensorflow as tf

        convolutions = [tf.constant(part, tf.float32) for part in self._head.convolutions]
        frozen, mapped = tf.constant(windows.frozen), tf.constant(windows.map)
        return np.asarray(self._features(convolutions, frozen, mapped))

    def _features(self, convolutions: list[Any], frozen: Any, mapped: Any) -> Any:
        """Features (B, F) of the dense layer, before they are standardized."""
        import tensorflow as tf

        head = self._head
        if not head.map_length:
            return frozen
        *depthwise, pointwise, bias = convolutions
        if head.kernel:
            kernel, kernel_bias = depthwise
            ends = head.map_length - head.kernel + 1
            taps = [mapped[:, at : at + ends : head.stride] for at in range(head.kernel)]
            mapped = tf.nn.relu(
                tf.add_n([tap * kernel[at] for at, tap in enumerate(taps)]) + kernel_bias
            )
        hidden = tf.nn.relu(tf.einsum("btc,mc->btm", mapped, pointwise) + bias)
        return tf.concat([frozen, tf.reduce_mean(hidden, axis=1)], axis=1)

    def _logits(self, parameters: list[Any], frozen: Any, mapped: Any) -> Any:
        import tensorflow as tf

        *convolutions, weights, bias = parameters
        x = (self._features(convolutions, frozen, mapped) - self._mean) / self._std
        return tf.matmul(x, weights, transpose_b=True) + bias

    def _labels(self, places: Any, y: Any, frozen: Any, mapped: Any) -> Any:
        """All labels: ``places`` (labels, steps) says which window each step is on."""
        import tensorflow as tf

        def one(place: Any) -> tuple[Any, Any]:
            return tf.gather(frozen, place[None]), tf.gather(mapped, place[None])

        def label(at: Any, trust: Any, *parameters: Any) -> tuple[Any, ...]:
            new = places[at, 0]
            said = tf.nn.softmax(self._logits(list(parameters), *one(new)))[0, y[new]]
            # The factory head knows nothing: it gives each activity the same probability.
            share = tf.maximum(said, 1.0 / self._activities)
            weight = tf.maximum(tf.floor(share**0.75 * 255.0 + 0.5), _TRUST_LEAST) / 255.0
            trust = tf.tensor_scatter_nd_update(trust, [[new]], [weight])
            pulled = [
                start + self._constants.keep * (now - start)
                for start, now in zip(self._start, parameters, strict=True)
            ]

            def step(number: Any, *now: Any) -> tuple[Any, ...]:
                place = places[at, number]
                return (number + 1, *self._step(list(now), *one(place), y[place], trust[place]))

            steps = self._constants.steps
            _, *learned = tf.while_loop(lambda n, *_: n < steps, step, (0, *pulled))
            return (at + 1, trust, *learned)

        count = tf.shape(places)[0]
        first = (0, tf.zeros(tf.shape(y)[0]), *self._start)
        _, _, *learned = tf.while_loop(lambda at, *_: at < count, label, first)
        return learned

    def _step(self, parameters: list[Any], frozen: Any, mapped: Any, label: Any, trust: Any) -> Any:
        """One gradient step of the cross-entropy, times ``trust``, at the rates of the device."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(parameters)
            logits = self._logits(parameters, frozen, mapped)
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(label[None], logits)[0]
        gradients = tape.gradient(loss, parameters)
        dense = len(parameters) - 2
        rates = [self._constants.rate_convolution] * dense + [self._constants.rate] * 2
        return [
            value - rate * trust * gradient
            for value, rate, gradient in zip(parameters, rates, gradients, strict=True)
        ]


def drawn(labels: Array, activities: int, steps: int, kept: int) -> Array:
    """Which label's window each step is on (labels, steps), where ``labels`` (n,) are given one
    after the other: the new one first, then what the device's store draws of ``kept``."""
    store = Replay(4, kept, activities, np.zeros((0, 4), np.int8), np.zeros(0, np.uint8))
    chosen = np.zeros((len(labels), steps), np.int32)
    for number, activity in enumerate(labels):
        ticket = np.array([number], "<i4").view(np.int8)
        store.put(store.place(int(activity), False), ticket, int(activity), 1, False)
        chosen[number, 0] = number
        for step in range(1, steps):
            found = store.draw()
            assert found is not None
            chosen[number, step] = found[0].view("<i4")[0]
    return chosen


def learn_on_device(
    pretrained: Pretrained,
    target: Domain,
    cut: str,
    seed: int,
    folder: Path,
    *,
    steps: int = 64,
) -> dict[str, Any]:
    """Learns the target's activities after ``cut`` of a source network, in the order that ``seed``
    draws, and measures on the target's test subjects what was learned.

    ``folder`` keeps what all seeds share: the learner, and the windows as they leave the quantized
    extractor. ``steps`` of gradient descent for a label. Returns accuracy, macro_f1 and
    subject_accuracy by subject; the same of the rule in TensorFlow, as ``tensorflow``; labels
    given, updates of the head, ``kept_windows`` and the learner's RAM with them, ``kept_bytes``.

    Raises:
        InputError: a cut that this network or a board does not have, or no sensor data.
        ExternalError: the learner cannot be built.
    """
    if cut not in CUTS or target.task is None:
        raise InputError(f"{target.name}, case {cut}: a board learns {', '.join(CUTS)} of sensors")
    key = _key(pretrained, target, cut, steps)
    place = folder / f"{target.name.replace('+', '_')}-{cut}-{key[:16]}"
    build_cached(place, lambda part: _prepare(pretrained, target, cut, steps, part))
    bundle, windows = load_bundle(place / "bundle"), read_npz(place / _WINDOWS)
    order = np.random.default_rng(seed).permutation(len(target.train))
    with LearnerProgram(place / _PROGRAM) as learner:
        learner.label(windows["train"][order], target.train.y[order])
        said = learner.predict(windows["test"], "learned")
        updates = learner.state().updates
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


def _room(target: Domain) -> int:
    """Labelled windows that are kept: all that a learner has room for."""
    return min(len(target.train), REPLAY_MAX)


def _key(pretrained: Pretrained, target: Domain, cut: str, steps: int) -> str:
    """SHA-256 over all that what is kept depends on, this project's sources among them."""
    what = (pretrained.card.weights_sha256, target.activities, cut, steps)
    digest = hashlib.sha256(repr((what, _room(target))).encode())
    for side in (target.train, target.test):  # labels are given later
        digest.update(side.x.tobytes())
    digest.update(sources_digest(ROOT, _SOURCES).encode())
    return digest.hexdigest()


def _prepare(pretrained: Pretrained, target: Domain, cut: str, steps: int, place: Path) -> None:
    """Makes the learner's program and the windows at the cut."""
    bundle = _bundle(pretrained, target, cut, steps, place / "bundle")
    with TemporaryDirectory(prefix="har-fxcy-") as workplace:
        generated = Path(workplace) / "generated"
        emit(bundle, generated)
        build_learner(generated, place / _PROGRAM, Path(workplace) / "build")
    train, test = (bundle.at_cut(s.x) for s in (target.train, target.test))
    write_npz(place / _WINDOWS, {"train": train, "test": test})


def _bundle(
    pretrained: Pretrained, target: Domain, cut: str, steps: int, directory: Path
) -> Bundle:
    """The source network for the target's activities, as `har quantize` makes it, with constants
    for learning all of them from nothing."""
    from pipeline.bundle.quantize import quantize

    assert target.task is not None
    source, network = pretrained.model(), backbone(pretrained.card.backbone)
    rows, features = len(target.activities), network.head(source)[0].shape[1]
    zeros = np.zeros((rows, features), np.float32), np.zeros(rows, np.float32)
    task = replace(target.task, windows=_windows(target, target.task.validation))
    quantize(
        TrainedModel(TrainCard.of(pretrained.card, task, 0), network.with_head(source, *zeros)),
        task,
        directory,
        cut=cut,
        spare=0,
        replay=_room(target),
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
        steps=steps,
        replay_every=0,
        hold_every=0,
        evidence=0,
    ).model_dump(mode="json")
    return write_bundle(directory, content)


def _windows(target: Domain, validation: Windows) -> Windows:
    """The examples of both sides and the validation windows; where they were cut is not kept."""
    x, y, subjects = (
        np.concatenate([getattr(side, name) for side in (target.train, validation, target.test)])
        for name in ("x", "y", "subjects")
    )
    nowhere = np.zeros(len(y), np.int64)
    return Windows(x, y, target.activities, subjects, subjects, nowhere, nowhere)

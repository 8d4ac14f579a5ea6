"""The firmware's learning rule in TensorFlow: what a device's row is compared with.

The same windows in the same order, and of what was labelled before the same draws; but float32 of
the source network where the device has int8 at the cut, TensorFlow's gradients instead of the
firmware's, and sums in whatever order TensorFlow likes. docs/LEARNING.md has the rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.bundle.bundle import LearningConstants
from pipeline.bundle.factory_head import standardization_of
from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.head import Replay
from pipeline.models import FloatHead

_TRUST_LEAST = 5  # of 255


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

"""Gradient steps on the part of a network that learns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from pipeline.core.types import Array
from pipeline.experiments.fxcy.networks import CaseNetwork

_PREDICT_BATCH = 128


class Teacher:
    """Adam (Kingma, Ba 2015) on the cross-entropy of a learner's logits.

    A step is traced once and used for every seed of the case: tracing a deep network takes longer
    than a seed, and `fit` would set up its pipeline of data again in every epoch.
    """

    def __init__(self, learner: Any) -> None:
        import tensorflow as tf
        import tf_keras

        self._optimizer = optimizer = tf_keras.optimizers.Adam()
        variables = learner.trainable_variables
        optimizer.build(variables)
        loss_of = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        given = [tf.TensorSpec(entry.shape, entry.dtype) for entry in learner.inputs]

        def step(x: list[Any], y: Any) -> None:
            with tf.GradientTape() as tape:
                loss = loss_of(y, learner(x, training=True))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        self._step = tf.function(step, input_signature=[given, tf.TensorSpec([None], tf.int64)])
        self._call = tf.function(lambda x: learner(x, training=False), input_signature=[given])

    @staticmethod
    @lru_cache(maxsize=1)
    def of(network: CaseNetwork) -> Teacher:
        """The teacher of a network, kept as long as the next job has the same."""
        return Teacher(network.learner)

    def restart(self, rate: float) -> None:
        """Forgets all moments."""
        for variable in self._optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype.as_numpy_dtype))
        self._optimizer.learning_rate = rate

    def epoch(self, x: Sequence[Array], y: Array, order: Array, batch: int) -> None:
        """One pass over the windows in ``order``: ``x`` (N, ...) each, ``y`` (N,) int64."""
        import tensorflow as tf

        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            self._step([tf.constant(values[chosen]) for values in x], tf.constant(y[chosen]))

    def logits(self, x: Sequence[Array]) -> Array:
        """(N, K)."""
        import tensorflow as tf

        parts = [
            self._call([tf.constant(values[at : at + _PREDICT_BATCH]) for values in x]).numpy()
            for at in range(0, len(x[0]), _PREDICT_BATCH)
        ]
        return np.concatenate(parts)

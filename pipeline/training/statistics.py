"""Batch statistics of a network, set to what given windows really give."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.core.types import Array


def set_batch_statistics(model: Any, inputs: Array) -> None:
    """Sets mean and variance of every batch normalization of a tf_keras model, each after the
    ones before it, to those of ``inputs`` (N, T, 1, C): no running mean, so nothing depends on how
    long one has averaged. As many windows as fit into memory with one layer's outputs."""
    import tf_keras

    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            before = tf_keras.Model(model.input, layer.input)
            values = before.predict(inputs, batch_size=512, verbose=0)
            layer.moving_mean.assign(values.mean(axis=(0, 1, 2), dtype=np.float64))
            layer.moving_variance.assign(values.var(axis=(0, 1, 2), dtype=np.float64))

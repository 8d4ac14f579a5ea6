"""Networks as people have them: made in Keras, converted by plain TFLiteConverter, compiled."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.types import Array
from pipeline.sim.parity import run_parity

pytestmark = pytest.mark.slow("builds networks in TensorFlow and converts them")

INPUTS = 60


def converted(model: Any, samples: list[Array]) -> bytes:
    """With the converter's own defaults: int8 inside, float32 in and out. ``samples``: of each
    input of the model (N, ...)."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rows[i : i + 1] for rows in samples] for i in range(len(samples[0]))
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")
        content: bytes = converter.convert()
    return content


def assert_equals_the_oracle(content: bytes, folder: Path) -> None:
    path = folder / "net.tflite"
    path.write_bytes(content)
    report = run_parity(path, INPUTS, 0, "host")
    assert (report.compared, report.mismatches) == (INPUTS, 0)
    assert report.distinct_outputs > INPUTS / 2, "a net with few answers proves little"


def noise(shapes: list[tuple[int, ...]], scales: list[float]) -> list[Array]:
    rng = np.random.default_rng(0)
    return [
        rng.normal(0, scale, (100, *shape)).astype(np.float32)
        for shape, scale in zip(shapes, scales, strict=True)
    ]


def test_branches_for_accelerometer_and_gyroscope_with_float_borders(tmp_path: Path) -> None:
    import tf_keras
    from tf_keras import layers

    tf_keras.utils.set_random_seed(0)
    shapes: list[tuple[int, ...]] = [(64, 1, 3), (32, 1, 3)]
    inputs = [layers.Input(shape) for shape in shapes]
    features = []
    for x in inputs:
        x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, (5, 1), strides=2)(x)))
        x = layers.DepthwiseConv2D((3, 1), padding="same", activation="relu")(x)
        features.append(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(16, activation="relu")(layers.Concatenate()(features))
    model = tf_keras.Model(inputs, layers.Dense(6, activation="softmax")(x))
    assert_equals_the_oracle(converted(model, noise(shapes, [1.0, 3.0])), tmp_path)

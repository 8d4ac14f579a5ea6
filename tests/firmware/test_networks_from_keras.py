"""Networks as people have them: made in Keras, converted by plain TFLiteConverter, compiled."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.compiler import compile_model
from pipeline.core.types import Array
from pipeline.sim.parity import run_parity

pytestmark = pytest.mark.slow("builds networks in TensorFlow and converts them")

INPUTS = 60
WINDOW = (64, 6)
NETWORKS: dict[str, Callable[[Any], Any]] = {}


def network(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Of ``keras``, Keras 3 or tf_keras."""
    NETWORKS[function.__name__] = function
    return function


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


@network
def convolutions_batch_norm_flatten_dense(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(WINDOW),
            layers.Conv1D(16, 5, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling1D(2),
            layers.Conv1D(24, 3, activation="relu"),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )


@network
def dilated_causal_convolutions_with_residuals(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input(WINDOW)
    x = layers.Conv1D(16, 1)(source)
    for dilation in (1, 2, 4):
        y = x
        for _ in range(2):
            y = layers.Conv1D(16, 3, padding="causal", dilation_rate=dilation, activation="relu")(y)
        x = layers.Add()([x, y])
    return keras.Model(source, layers.Dense(4, activation="softmax")(x[:, -1, :]))


@network
def squeeze_and_excite(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input(WINDOW)
    x = layers.Conv1D(16, 5, activation="relu")(source)
    s = layers.GlobalAveragePooling1D()(x)
    s = layers.Dense(16, activation="sigmoid")(layers.Dense(4, activation="relu")(s))
    x = layers.Multiply()([x, layers.Reshape((1, 16))(s)])
    return keras.Model(source, layers.Dense(4)(layers.GlobalMaxPooling1D()(x)))


@network
def squeeze_and_excite_of_images(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((24, 24, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="swish")(source)
    s = layers.GlobalAveragePooling2D(keepdims=True)(x)
    s = layers.Conv2D(16, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="swish")(s))
    x = layers.Multiply()([x, s])
    x = layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal")(x)
    return keras.Model(source, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


@network
def separable_convolutions(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input(WINDOW),
            layers.SeparableConv1D(16, 5, padding="same", activation="relu"),
            layers.SeparableConv1D(24, 5, strides=2, activation="tanh"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4),
        ]
    )


@network
def sensors_apart_from_one_input(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input(WINDOW)
    branches = []
    for sensor in (source[:, :, :3], source[:, :, 3:]):
        x = layers.Permute((2, 1))(layers.Conv1D(8, 5, activation="relu")(sensor))
        branches.append(layers.Flatten()(layers.AveragePooling1D(2)(x)))
    return keras.Model(
        source, layers.Dense(4, activation="softmax")(layers.Concatenate()(branches))
    )


def test_convolutions_and_lstms_of_tf_keras(tmp_path: Path) -> None:
    import tf_keras
    from tf_keras import layers

    tf_keras.utils.set_random_seed(3)
    model = tf_keras.Sequential(
        [
            layers.Input(WINDOW, batch_size=1),
            layers.Conv1D(16, 5, strides=2, activation="relu"),
            layers.MaxPooling1D(2),
            layers.LSTM(12, return_sequences=True),
            layers.LSTM(12),
            layers.Dense(4, activation="softmax"),
        ]
    )
    content = converted(model, noise([WINDOW], [1.0]))
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in compile_model(content).operators
    assert_equals_the_oracle(content, tmp_path)


@pytest.mark.parametrize("library", ["tf_keras", "keras"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_either_keras_equals_the_oracle(
    name: str, library: str, tmp_path: Path
) -> None:
    keras = importlib.import_module(library)
    keras.utils.set_random_seed(1)
    model = NETWORKS[name](keras)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            rng = np.random.default_rng(2)
            layer.set_weights([rng.uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    shape = tuple(model.inputs[0].shape[1:])
    assert_equals_the_oracle(converted(model, noise([shape], [1.0])), tmp_path)

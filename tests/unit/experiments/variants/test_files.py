"""Figures of .tflite files, and what pruning and fake quantization leave in them.

One small network, converted as every variant."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pipeline.bundle.convert import parameter_count, to_float, to_float16, to_int8
from pipeline.compiler.oracle import tflm_arena_bytes
from pipeline.core.errors import CheckFailed
from pipeline.experiments.variants.engines import file_figures, predict_int8, predict_litert
from pipeline.experiments.variants.optimize import FineTuning, prune, quantization_aware

STEPS, BATCH = 12, 16


def _draw(rng: np.random.Generator) -> tuple[Any, Any]:
    """Which of two channels is the larger."""
    x = rng.normal(size=(STEPS * BATCH, 8, 1, 2)).astype(np.float32)
    y = (x.mean(axis=(1, 2)) @ [1.0, -1.0] > 0).astype(np.int64)
    return x, y


@pytest.fixture(scope="module")
def network() -> Iterator[Any]:
    import tf_keras
    from tf_keras import layers

    from pipeline.training.seeds import seed_everything

    seed_everything(3)
    inputs = layers.Input((8, 1, 2))
    x = layers.Conv2D(16, (3, 1), use_bias=False, name="first")(inputs)
    x = layers.BatchNormalization(momentum=0.8)(x)
    x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D((3, 1), name="depthwise")(x)
    x = layers.Flatten()(x)
    model = tf_keras.Model(inputs, layers.Dense(2, name="logits")(x))
    model.compile(
        tf_keras.optimizers.Adam(1e-2),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    x, y = _draw(np.random.default_rng(0))
    model.fit(x, y, epochs=20, verbose=0)
    yield model
    tf_keras.backend.clear_session()


@pytest.fixture(scope="module")
def pruned(network: Any) -> Any:
    return prune(network, 0.75, _draw, STEPS, FineTuning(4, 1e-2, BATCH), seed=0)


def _zeros(model: Any, layer: str) -> float:
    return float((model.get_layer(layer).get_weights()[0] == 0).mean())


def test_every_variant_has_the_same_parameters_in_fewer_bytes(network: Any) -> None:
    x, _ = _draw(np.random.default_rng(1))
    files = [to_float(network), to_float16(network), to_int8(network, x[:50])]
    floats, halves, bytes_ = (file_figures(content) for content in files)
    assert floats.parameters == halves.parameters == bytes_.parameters == parameter_count(files[0])
    assert halves.weight_bytes < 0.55 * floats.weight_bytes
    assert bytes_.weight_bytes < 0.45 * floats.weight_bytes
    assert (floats.bytes, floats.bias_bytes, halves.bias_bytes) == (len(files[0]), 0, 0)
    assert bytes_.bias_bytes == 4 * (16 + 16 + 2)


@pytest.mark.slow("prunes and trains")
def test_pruning_leaves_the_share_asked_for_in_all_but_depthwise_kernels(
    network: Any, pruned: Any
) -> None:
    assert _zeros(pruned, "first") == pytest.approx(0.75, abs=0.02)
    assert _zeros(pruned, "logits") == pytest.approx(0.75, abs=0.02)
    assert _zeros(pruned, "depthwise") == 0.0
    assert _zeros(network, "first") == 0.0  # what it was made from is what it was
    dense, sparse = (file_figures(to_float(model)) for model in (network, pruned))
    assert sparse.bytes == pytest.approx(dense.bytes, rel=0.02)
    assert sparse.compressed_bytes < 0.9 * dense.compressed_bytes
    assert sparse.nonzero < 0.5 * sparse.parameters


def test_pruning_goes_on_from_what_was_learned(pruned: Any) -> None:
    x, y = _draw(np.random.default_rng(2))
    assert (predict_litert(to_float(pruned), x) == y).mean() > 0.8


@pytest.mark.slow("trains with fake quantization")
def test_quantization_aware_training_keeps_zeros_if_told_to(pruned: Any) -> None:
    plan = FineTuning(1, 1e-4, BATCH)
    aware = quantization_aware(pruned, _draw, STEPS, plan, 0, keep_zeros=True)
    x, y = _draw(np.random.default_rng(2))
    content = to_int8(aware, x[:50])
    figures = file_figures(content)
    assert figures.nonzero < 0.5 * figures.parameters

    from pipeline.compiler import compile_model

    source = compile_model(content).inputs[0]
    q = np.clip(np.round(x / source.scale) + source.zero_point, -128, 127).astype(np.int8)
    answers = predict_int8(content, q)
    assert (answers.classes == y).mean() > 0.8
    assert (answers.engine, answers.checked) == ("compiled", 16)


def test_tflm_runs_float32_and_refuses_float16(network: Any) -> None:
    assert tflm_arena_bytes(to_float(network)) > 1000
    with pytest.raises(CheckFailed, match="DEQUANTIZE"):
        tflm_arena_bytes(to_float16(network))


def test_a_layer_that_the_library_cannot_quantize_is_named() -> None:
    import tf_keras
    from tf_keras import layers

    inputs = layers.Input((4,))
    x = layers.Dense(2)(layers.Rescaling(0.5, name="halved")(inputs))
    with pytest.raises(CheckFailed, match=r"cannot quantize.*halved"):
        quantization_aware(tf_keras.Model(inputs, x), _draw, STEPS, FineTuning(1, 1e-4), 0)

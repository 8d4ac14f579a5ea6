"""Several outputs of the extractor: their order, and what the head sees of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.bundle import emit, load_bundle
from pipeline.bundle.bundle import FULL_FLOAT, Bundle, write_bundle
from pipeline.bundle.convert import parameter_count, to_float, to_int8
from pipeline.bundle.quantize import deployed_scores
from pipeline.compiler import compile_model, run_tflm
from pipeline.core.errors import InputError
from pipeline.models import backbone
from pipeline.training import TrainedModel
from pipeline.training.task import Task


@pytest.fixture(scope="module")
def features(task: Task, trained: TrainedModel, bundle_directory: Path) -> tuple[Any, Any]:
    """What the float network and the deployed extractor say of the test people, (N, F) each, as
    the activations are: not standardized."""
    x = task.windows.for_subjects(task.split.test).x
    bundle = load_bundle(bundle_directory)
    int8 = bundle.at_cut(x)
    sizes = [output.size for output in bundle.outputs]
    zero_points = np.repeat([output.zero_point for output in bundle.outputs], sizes)
    scales = np.repeat([output.scale for output in bundle.outputs], sizes)
    return trained.features(x), (int8.astype(np.float64) - zero_points) * scales


def test_outputs_come_stage_by_stage(
    bundle_directory: Path, trained: TrainedModel, features: tuple[Any, Any]
) -> None:
    """Each activation belongs to the float activation of the same number and to no other stage:
    stages of one width cannot have changed places."""
    bundle = load_bundle(bundle_directory)
    sizes = [output.size for output in bundle.outputs]
    assert sizes == [output.shape[1] for output in trained.extractor("fc").outputs]
    assert len(set(sizes)) < len(sizes), "two stages of one width are the hard case"
    expected, got = features
    assert got.shape == expected.shape
    bounds = np.cumsum([0, *sizes])
    for (start, stop), output in zip(pairwise(bounds), bundle.outputs, strict=True):
        error = np.abs(got[:, start:stop] - expected[:, start:stop]).mean()
        assert error < 4 * output.scale
        lively = expected[:, start:stop].std(axis=0) > 4 * output.scale
        assert lively.sum() >= 3
        for f in np.flatnonzero(lively) + start:
            assert np.corrcoef(expected[:, f], got[:, f])[0, 1] > 0.9


@pytest.mark.parametrize("count", [2, 3, 11])
def test_conversion_keeps_the_order_of_outputs_of_one_size(count: int) -> None:
    """Whatever order the converter prefers. Output i is i + 1 times the input."""
    import tf_keras

    source = tf_keras.Input((4, 1, 2))
    outputs = [
        tf_keras.layers.Flatten()(
            tf_keras.layers.DepthwiseConv2D(
                1, use_bias=False, depthwise_initializer=tf_keras.initializers.Constant(i + 1.0)
            )(source)
        )
        for i in range(count)
    ]
    order = np.random.default_rng(count).permutation(count)
    network = tf_keras.Model(source, [outputs[i] for i in order])
    windows = np.random.default_rng(0).uniform(-1, 1, (30, 4, 1, 2)).astype(np.float32)
    model = to_int8(network, windows)
    compiled = compile_model(model)
    assert len(compiled.outputs) == count
    scales = np.array([info.scale for info in compiled.outputs])
    assert (np.argsort(np.argsort(scales)) == order).all()
    one = np.full((1, 4, 1, 2), 127, np.int8)
    gains = [
        float((got[0].reshape(-1)[0] - info.zero_point) * info.scale)
        for got, info in zip(run_tflm(model, one).outputs, compiled.outputs, strict=True)
    ]
    top = (127 - compiled.inputs[0].zero_point) * compiled.inputs[0].scale
    np.testing.assert_allclose(gains, (order + 1.0) * top, rtol=0.02)


@pytest.mark.parametrize("type_", ["float", "int8"])
def test_the_variables_alone_convert_to_the_file_of_the_whole_keras_model(
    type_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    network = backbone("dscnn:k3:4s4-4s4").build(128, 6, 3, 0.0)
    rng = np.random.default_rng(0)
    network.set_weights([rng.uniform(0.1, 1.0, w.shape) for w in network.get_weights()])
    windows = rng.normal(size=(8, 128, 1, 6)).astype(np.float32)

    def converted() -> bytes:
        return to_float(network) if type_ == "float" else to_int8(network, windows)

    alone = converted()
    make = tf.lite.TFLiteConverter.from_concrete_functions
    monkeypatch.setattr(
        "tensorflow.lite.TFLiteConverter.from_concrete_functions",
        lambda functions, _: make(functions, network),
    )
    assert converted() == alone


def test_metrics_are_those_of_the_deployed_pair(task: Task, cut_directory: Path) -> None:
    bundle = load_bundle(cut_directory)
    scores = deployed_scores(
        bundle.extractor, bundle, bundle.new_head(), task.windows.for_subjects(task.split.test)
    )
    assert round(scores.accuracy, 6) == bundle.metrics.int8_accuracy
    assert scores.n == bundle.metrics.test_windows


def test_parameters_are_all_weights_and_biases_with_batch_norm_folded(
    bundle_directory: Path, trained: TrainedModel
) -> None:
    """Per convolution its kernel and one bias per filter; the dense layers as they are."""
    counted = 0
    for layer in trained.model.layers:
        if "Conv2D" in type(layer).__name__:
            counted += prod(layer.weights[0].shape) + layer.output.shape[-1]
        elif type(layer).__name__ == "Dense":
            counted += layer.count_params()
    assert load_bundle(bundle_directory).parameters == counted
    assert parameter_count((bundle_directory / FULL_FLOAT).read_bytes()) == counted


def test_outputs_that_are_not_the_extractors_are_not_emitted(
    bundle_directory: Path, tmp_path: Path
) -> None:
    import shutil

    directory = Path(shutil.copytree(bundle_directory, tmp_path / "bundle"))
    content = load_bundle(directory).model_dump(mode="json")
    for name in ("format", "model_id", "files"):
        del content[name]
    content["outputs"][0]["zero_point"] += 1
    bundle = write_bundle(directory, content)
    with pytest.raises(InputError, match="outputs are not those"):
        emit(bundle, tmp_path / "generated")


@pytest.mark.parametrize("end", ["inputs", "outputs"])
def test_an_extractor_that_is_float_outside_is_not_emitted(
    bundle_directory: Path, tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = load_bundle(bundle_directory)
    floats = tuple(replace(info, is_float=True) for info in getattr(bundle.compiled, end))
    compiled = replace(bundle.compiled, **{end: floats})
    monkeypatch.setattr(Bundle, "compiled", property(lambda _: compiled))
    with pytest.raises(InputError, match=f"its {end[:-1]}s? (is|are) not"):
        emit(bundle, tmp_path / "generated")

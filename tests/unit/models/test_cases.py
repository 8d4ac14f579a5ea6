"""FxCy: the cases train the layers that the original trained, and nothing in front of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.models import Backbone, backbone, model_macs
from pipeline.models.cases import convolutions, dense_layers, first_trained, trained_layers
from pipeline.models.graph import (
    layer_macs,
    layers_in_order,
    nanojoules,
    output_floats,
    split_model,
)


@cache
def built(name: str) -> tuple[Backbone, Any]:
    network = backbone(name)
    return network, network.build(128, 6, 6, 0.0)


@pytest.mark.slow("builds networks of hundreds of layers")
@pytest.mark.parametrize(
    ("last", "layers"), [(1, 3), (2, 5), (4, 8), (5, 16), (6, 20), (8, 23), (10, 31)]
)
def test_efficientnet_s_layers_are_counted_as_in_the_original(last: int, layers: int) -> None:
    network, model = built("efficientnetb0@224")
    names = trained_layers(model, network, f"fxc{last}")
    assert len(names) == layers
    assert names[-1] == "top_activation"
    assert first_trained(model, network, f"fxc{last}") == names[0]


@pytest.mark.slow("builds networks of hundreds of layers")
@pytest.mark.parametrize(
    ("name", "macs"), [("efficientnetb0", 20_070_400), ("efficientnetb2", 24_285_184)]
)
def test_the_last_convolution_takes_what_was_published(name: str, macs: int) -> None:
    _, model = built(f"{name}@224")
    assert layer_macs(model)["top_conv"] == macs
    published = {"efficientnetb0": 64_735.2 - 510.0, "efficientnetb2": 78_273.5 - 560.9}[name]
    assert nanojoules(macs) == pytest.approx(published, abs=0.1)


def test_multiply_accumulates_are_those_counted_by_hand() -> None:
    from tf_keras import Model, layers

    inputs = x = layers.Input((8, 6, 4))
    x = layers.Conv2D(10, (3, 2), strides=2, padding="same", groups=2, name="conv")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.SeparableConv2D(5, 1, name="separable")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Dense(7, name="dense")(layers.Flatten(name="flat")(x))
    model = Model(inputs, x)
    assert layer_macs(model) == {
        "conv": 4 * 3 * 10 * (3 * 2 * 4 // 2),
        "depthwise": 2 * 1 * 20 * 9,
        "separable": 2 * 20 * 1 + 2 * 20 * 5,
        "dense": 2 * 5 * 7,
    }
    assert model_macs(model) == sum(layer_macs(model).values())
    floats = output_floats(model)
    assert (floats["conv"], floats["norm"], floats["flat"], floats["dense"]) == (120, 10, 10, 7)


def test_the_small_cnn_has_six_convolutions_and_two_dense_layers() -> None:
    network, model = built("smallcnn")
    assert len(convolutions(model)) == 6
    assert trained_layers(model, network, "fxc1") == (
        *("conv3b", "conv3b_norm", "conv3b_relu"),
        "conv3_pool",
    )
    assert trained_layers(model, network, "fc") == trained_layers(model, network, "last_dense")
    assert first_trained(model, network, "fc") == "dense1"
    assert first_trained(model, network, "last_dense") == "dropout"


@pytest.mark.parametrize("name", ["dscnn", "smallcnn", "squeezenet"])
def test_the_deepest_case_is_the_whole_network(name: str) -> None:
    network, model = built(name)
    deepest = f"fxc{len(convolutions(model))}"
    whole = trained_layers(model, network, "whole")
    assert trained_layers(model, network, deepest) == whole
    assert trained_layers(model, network, "scratch") == whole
    assert {layer.name for layer in layers_in_order(model) if layer.weights} == {
        *(name for name in whole if model.get_layer(name).weights),
        *(layer.name for layer in model.layers if type(layer).__name__ == "Dense"),
    }
    lengths = [
        len(trained_layers(model, network, f"fxc{y}"))
        for y in range(1, len(convolutions(model)) + 1)
    ]
    assert lengths == sorted(set(lengths))


@pytest.mark.parametrize(
    ("name", "case", "said"),
    [
        ("smallcnn", "fxc7", "case fxc7 is deeper than smallcnn, .*: the deepest is fxc6"),
        ("dscnn", "fxc10", "the deepest is fxc9"),
        ("dscnn", "last_dense", "dscnn has one dense layer only; take fc"),
        ("dscnn", "fxc0", "no case 'fxc0'; dscnn has fc, fxc1 to fxc9, whole and scratch"),
        ("smallcnn", "half", "smallcnn has last_dense, fc, fxc1 to fxc6"),
    ],
)
def test_a_case_that_is_none_gets_one_line(name: str, case: str, said: str) -> None:
    network, model = built(name)
    with pytest.raises(InputError, match=said) as caught:
        first_trained(model, network, case)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("dscnn", ("fc", "fxc1", "fxc4", "whole")),
        ("smallcnn", ("last_dense", "fc", "fxc2", "whole")),
        ("squeezenet", ("fxc1", "fxc2")),  # beside a branch, before both
        ("mobilenetv2", ("fxc26",)),  # within a residual block
    ],
)
def test_the_two_parts_are_the_network(name: str, cases: tuple[str, ...]) -> None:
    network = backbone(name)
    model = network.build(128, 6, 4, 0.3)  # its own: splitting freezes layers
    rng = np.random.default_rng(2)
    for variable in model.weights:  # as if trained: batch norms that do something
        variable.assign(np.abs(variable.numpy() + rng.normal(0, 0.05, variable.shape)))
    x = rng.normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    expected = model(x, training=False).numpy()
    for case in cases:
        frozen, trained = split_model(model, first_trained(model, network, case))
        crossing = frozen(x, training=True)  # frozen batch norms do not heed it
        logits = trained(crossing, training=False).numpy()
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5, err_msg=case)
        assert not frozen.trainable_weights
        behind = {*trained_layers(model, network, case), *network.heads}
        if case != "last_dense":
            behind.update(dense_layers(model))
        assert {layer.name for layer in trained.layers if layer.weights} == {
            name for name in behind if model.get_layer(name).weights
        }


def test_training_the_trained_part_moves_the_network_behind_the_cut_alone() -> None:
    network = backbone("dscnn_small")
    model = network.build(128, 6, 4, 0.0)
    _, trained = split_model(model, first_trained(model, network, "fxc1"))
    before = {variable.name: variable.numpy() for variable in model.weights}
    rng = np.random.default_rng(3)
    inputs = [rng.normal(size=(16, *t.shape[1:])).astype(np.float32) for t in trained.inputs]
    trained.compile("adam", "mse")
    trained.fit(inputs, rng.normal(size=(16, 4)).astype(np.float32), verbose=0)
    moved = {v.name.split("/")[0] for v in model.weights if (v.numpy() != before[v.name]).any()}
    expected = {*trained_layers(model, network, "fxc1"), *network.heads}
    assert moved == {name for name in expected if model.get_layer(name).weights}


def test_a_split_at_no_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer nowhere"):
        split_model(built("dscnn")[1], "nowhere")

"""Counts of what a case takes, against counts by hand and the original's figures."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.experiments.fxcy.energy import count_cost
from pipeline.experiments.fxcy.learn import case_network
from pipeline.models import backbone
from pipeline.models.cases import trained_layers
from pipeline.models.graph import layer_macs, nanojoules, output_floats


@pytest.fixture(scope="module")
def chain() -> Any:
    """conv 1a -> relu -> conv 1b -> flatten -> dense, on maps of 4 x 1."""
    from tf_keras import Model, layers

    inputs = x = layers.Input((4, 1, 2), name="window")
    x = layers.Conv2D(3, 1, name="first")(x)  # 4 * 2 * 3 = 24 MACs, 9 parameters
    x = layers.ReLU(name="relu")(x)
    x = layers.Conv2D(5, 1, name="second")(x)  # 4 * 3 * 5 = 60 MACs, 20 parameters
    x = layers.Flatten(name="flatten")(x)
    return Model(inputs, layers.Dense(7, name="dense")(x))  # 20 * 7 = 140 MACs, 147 parameters


def _count(model: Any, *trained: str) -> Any:
    floats = {**output_floats(model), "window": 8}
    return count_cost(model, trained, layer_macs(model), floats)


def test_the_dense_layer_alone_takes_no_input_gradient(chain: Any) -> None:
    cost = _count(chain, "dense")
    assert cost.forward_macs == 140
    assert cost.training_macs == (24 + 60 + 140) + 140 + 147
    assert cost.parameters == 147
    assert cost.memory_bytes == 4 * (2 * 147 + 20)  # what the dense layer was given


def test_input_gradients_stop_at_the_first_layer_that_learns(chain: Any) -> None:
    cost = _count(chain, "second", "dense")
    assert cost.forward_macs == 60 + 140
    assert cost.training_macs == 224 + (60 + 140) + 140 + 167
    assert cost.memory_bytes == 4 * (2 * 167 + 12 + 20)


def test_a_whole_network_passes_gradients_to_all_but_its_first_layer(chain: Any) -> None:
    cost = _count(chain, "first", "relu", "second", "flatten", "dense")
    assert cost.training_macs == 224 + 224 + (60 + 140) + 176
    assert cost.memory_bytes == 4 * (2 * 176 + 8 + 12 + 20)


def test_dense_layers_of_frozen_stages_get_no_input_gradient() -> None:
    network = case_network("dscnn_small", "fxc1", 128, 6, 4)
    macs = layer_macs(network.model)
    cost = count_cost(network.model, network.trained, macs, output_floats(network.model))
    trained = [macs[name] for name in network.trained if name in macs]
    assert cost.forward_macs == sum(trained)
    behind = macs["block4_logits"]  # the only one that reads what learns
    assert cost.training_macs == sum(macs.values()) + sum(trained) + behind + cost.parameters


@pytest.mark.slow("builds networks of hundreds of layers")
@pytest.mark.parametrize(
    ("name", "nanojoule"), [("efficientnetb0@224", 64_225.28), ("efficientnetb2@224", 77_712.59)]
)
def test_what_fxc1_takes_more_than_fc_is_as_published(name: str, nanojoule: float) -> None:
    network = backbone(name)
    model = network.build(128, 6, 100, 0.0)
    macs = layer_macs(model)
    more = sum(macs.get(layer, 0) for layer in trained_layers(model, network, "fxc1"))
    assert nanojoules(more) == pytest.approx(nanojoule, rel=1e-6)

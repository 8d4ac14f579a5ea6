"""A network divided for a case: a frozen part, run once, and a part that learns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.experiments.fxcy.settings import LAST_DENSE, SCRATCH, cases_by_depth, default_cases
from pipeline.models import backbone as find_backbone
from pipeline.models.cases import convolutions, dense_layers, first_trained, trained_layers
from pipeline.models.graph import split_model

# Source networks were trained for longer than a case is, and the usual momentum of 0.99 or 0.999
# would not forget their statistics, or those of initialization, in so few steps.
_MOMENTUM = 0.9
# Variables of the layers that networks here consist of, and where their initializers are.
_INITIALIZERS = {
    "kernel": "kernel_initializer",
    "depthwise_kernel": "depthwise_initializer",
    "pointwise_kernel": "pointwise_initializer",
    "bias": "bias_initializer",
    "gamma": "gamma_initializer",
    "beta": "beta_initializer",
    "moving_mean": "moving_mean_initializer",
    "moving_variance": "moving_variance_initializer",
}


@dataclass(frozen=True, eq=False)
class CaseNetwork:
    """``model``: the whole network, logits of the target's activities. ``frozen``: from network
    inputs to what ``learner`` reads (one tensor or several), None where everything learns; both
    share their layers with ``model``. ``extractor_layers``: what learns of the feature extractor,
    ``dense_layers``: what learns after it."""

    model: Any
    frozen: Any | None
    learner: Any
    extractor_layers: tuple[str, ...]
    dense_layers: tuple[str, ...]
    case: str

    @property
    def trained(self) -> tuple[str, ...]:
        """Names of all layers that learn."""
        return (*self.extractor_layers, *self.dense_layers)

    def start(self, arrays: dict[str, Array], seed: int) -> None:
        """Sets every variable to where the case begins: ``arrays``, the source network's, by name;
        dense layers that learn again, and with case scratch all layers, drawn with ``seed``."""
        rng = np.random.default_rng(seed)
        fresh = set(self.dense_layers)
        for layer in self.model.layers:
            if layer.name in fresh or self.case == SCRATCH:
                initialize(layer, rng)
                continue
            for variable in layer.weights:
                name = variable.name.removesuffix(":0")
                if name not in arrays or arrays[name].shape != tuple(variable.shape):
                    raise InputError(f"the source network has no weights for {name}; make it again")
                variable.assign(arrays[name])

    def frozen_outputs(self, inputs: Array) -> list[Array]:
        """Network inputs (N, ...) -> what the learner reads, float32."""
        if self.frozen is None:
            return [inputs]
        outputs = self.frozen.predict(inputs, batch_size=128, verbose=0)
        return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def initialize(layer: Any, rng: np.random.Generator) -> None:
    """Draws the layer's variables again, by their own initializers."""
    left = {variable.name for variable in layer.weights}
    for name, where in _INITIALIZERS.items():
        variable = getattr(layer, name, None)
        if variable is None or getattr(variable, "name", None) not in left:
            continue
        initializer = getattr(layer, where)
        config = initializer.get_config()
        if "seed" in config:
            config["seed"] = int(rng.integers(1 << 31))
        drawn = type(initializer).from_config(config)
        variable.assign(drawn(shape=variable.shape, dtype=variable.dtype))
        left.discard(variable.name)
    if left:
        raise AssertionError(f"{layer.name}: no initializer for {', '.join(sorted(left))}")


@lru_cache(maxsize=1)
def _whole_network(backbone: str, length: int, channels: int, activities: int) -> Any:
    """Kept from one job to the next: a deep network takes seconds to build."""
    import tf_keras

    tf_keras.backend.clear_session()
    return find_backbone(backbone).build(length, channels, activities, 0.0)


@lru_cache(maxsize=1)
def case_network(
    backbone: str, case: str, length: int, channels: int, activities: int
) -> CaseNetwork:
    """The network of ``case``; its variables hold whatever the last job left, so `start` it.

    Raises InputError for a case that the network does not have.
    """
    network = find_backbone(backbone)
    model = _whole_network(backbone, length, channels, activities)
    layers = trained_layers(model, network, case)
    dense = network.heads if case == LAST_DENSE else dense_layers(model)
    everything = convolutions(model)[0] in layers
    frozen, learner = None, model
    if not everything:
        frozen, learner = split_model(model, first_trained(model, network, case))
    for layer in learner.layers:
        layer.trainable = True
        if type(layer).__name__ == "BatchNormalization":
            layer.momentum = _MOMENTUM
        elif type(layer).__name__ == "Dropout":
            layer.rate = 0.0  # nothing random but order and initial values
    return CaseNetwork(model, frozen, learner, layers, tuple(dense), case)


def cases_of(backbone: str, length: int = 128, channels: int = 6) -> tuple[str, ...]:
    """What is compared of ``backbone`` where no cases are asked for."""
    if ":" not in backbone and (listed := default_cases(backbone)):
        return listed  # without building the network, which takes seconds
    depth = len(convolutions(_whole_network(backbone, length, channels, 2)))
    return default_cases(backbone, depth) or cases_by_depth(depth)


def check_case(backbone: str, case: str, length: int = 128, channels: int = 6) -> None:
    """InputError for a case that the network does not have."""
    trained_layers(_whole_network(backbone, length, channels, 2), find_backbone(backbone), case)

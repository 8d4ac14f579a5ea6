"""What a case costs: the original's estimate, counted training, and a device's memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.models.graph import nanojoules, nodes


@dataclass(frozen=True)
class Cost:
    """Of one window. ``forward_macs``: forward multiply-accumulates of the trained layers alone.
    ``training_macs``: of a training step on one window: forward through the whole network,
    backward through what is trained, and one multiply-accumulate for each trained parameter (a
    plain gradient step). ``parameters``: trained ones. ``memory_bytes``: float32, the trained
    parameters, their gradients, and the activations that one backward pass reads."""

    forward_macs: int
    training_macs: int
    parameters: int
    memory_bytes: int

    @property
    def energy_nj(self) -> float:
        """By the original's formula."""
        return nanojoules(self.forward_macs)

    @property
    def training_energy_nj(self) -> float:
        """Of a training step on one window."""
        return nanojoules(self.training_macs)


def count_cost(
    model: Any, trained: Collection[str], macs: Mapping[str, int], floats: Mapping[str, int]
) -> Cost:
    """Counts a case of ``model``, a functional tf_keras one, in which the layers ``trained`` learn.

    ``macs``: forward multiply-accumulates by layer; ``floats``: values in each layer's output. The
    gradient of a layer's weights takes its forward MACs once more, and so does the gradient of its
    input, which is only needed where something before the layer learns. Batch normalizations,
    activations and poolings count nothing, as in the original.
    """
    learning = {name for name in trained if model.get_layer(name).count_params()}
    fed = _feeds(model)
    downstream = _downstream(fed, learning)
    forward = sum(macs.get(name, 0) for name in learning)
    parameters = sum(
        int(variable.shape.num_elements())
        for name in learning
        for variable in model.get_layer(name).trainable_variables
    )
    return Cost(
        forward_macs=forward,
        training_macs=(
            sum(macs.values())
            + forward
            + sum(macs.get(name, 0) for name in downstream)
            + parameters
        ),
        parameters=parameters,
        memory_bytes=4 * (2 * parameters + _activations(model, fed, learning, downstream, floats)),
    )


def _activations(
    model: Any,
    fed: Mapping[str, tuple[str, ...]],
    learning: Collection[str],
    downstream: Collection[str],
    floats: Mapping[str, int],
) -> int:
    """Values that backward reads: what every learning layer was given, what came out of an
    activation (which gives its slope), and both factors of a product."""
    kept = {source for name in learning for source in fed[name]}
    for name in downstream:
        kind = type(model.get_layer(name)).__name__
        if kind in ("ReLU", "Activation"):
            kept.add(name)
        elif kind == "Multiply":
            kept.update(fed[name])
    return sum(floats.get(name, 0) for name in kept)


def _feeds(model: Any) -> dict[str, tuple[str, ...]]:
    """By layer, forward: the layers whose outputs it reads."""
    return {
        node.layer.name: tuple(layer.name for layer, *_ in node.iterate_inbound())
        for node in nodes(model)
    }


def _downstream(fed: Mapping[str, tuple[str, ...]], learning: Collection[str]) -> set[str]:
    """Layers that read, directly or not, what a learning layer wrote."""
    found: set[str] = set()
    for name, sources in fed.items():
        if any(source in learning or source in found for source in sources):
            found.add(name)
    return found

"""The layers of a functional tf_keras model in forward order, and the same layers called again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def nodes(model: Any) -> list[Any]:
    """The calls of layers that make up a functional model, inputs first: each comes after those
    whose outputs it reads. Every layer is called once; what else its layers were called in does
    not count. Raises ValueError for a model of another kind."""
    if not hasattr(model, "_nodes_by_depth"):
        raise ValueError(f"{model.name} is not a functional model")
    made = {id(layer): number for number, layer in enumerate(model.layers)}
    depths = sorted(model._nodes_by_depth, reverse=True)
    return [
        node
        for depth in depths
        for node in sorted(model._nodes_by_depth[depth], key=lambda node: made[id(node.layer)])
    ]


def layers_in_order(model: Any) -> list[Any]:
    """The layers without the inputs, in the order of `nodes`."""
    return [node.layer for node in nodes(model) if not node.is_input]


def output_of(model: Any, name: str) -> Any:
    """The tensor that layer ``name`` gives in this model. Raises ValueError for no such layer."""
    for node in nodes(model):
        if node.layer.name == name:
            return node.outputs
    raise ValueError(f"{model.name} has no layer {name}")


def shapes_of(node: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of a call with one output: the shapes of its first input and of its output, without the
    batch."""
    read, written = node.keras_inputs[0], node.outputs
    return tuple(read.shape[1:]), tuple(written.shape[1:])


def replay(
    calls: list[Any], tensors: dict[int, Any], again: Callable[[Any], Any | None]
) -> dict[int, Any]:
    """Calls layers again. ``tensors``: by id of the old tensor, what stands for it, filled with
    what each call gives; ``again(layer)``: the layer to call, None to hand on what it reads."""
    for node in calls:
        read = [tensors[id(tensor)] for tensor in node.keras_inputs]
        layer = again(node.layer)
        if layer is None:
            written = read[0]
        else:
            supply: dict[str, list[Any]] = {}
            for tensor, stands in zip(node.keras_inputs, read, strict=True):
                supply.setdefault(str(id(tensor)), []).append(stands)
            args, kwargs = node.map_arguments(supply)
            written = layer(*args, **kwargs)
        tensors[id(node.outputs)] = written
    return tensors

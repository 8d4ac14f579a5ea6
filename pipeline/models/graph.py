"""A functional tf_keras model as layers in forward order: called again, counted, divided."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
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


# ---- macs ----------------------------------------------------------------------------------------

PICOJOULES_PER_MAC = 3.2  # 45 nm CMOS, memory access ignored (Horowitz 2014)


def nanojoules(macs: float) -> float:
    """Energy of so many multiply-accumulates, after ``ENERGY = FLOPS / 2 * E_mac`` (Fragkou,
    Katsaros 2023)."""
    return macs * PICOJOULES_PER_MAC / 1000.0


def layer_macs(model: Any) -> dict[str, int]:
    """Multiply-accumulates of one input by layer, in forward order: convolutions (grouped,
    depthwise, separable) and dense layers; layers without any are left out."""
    counts = {node.layer.name: _macs(node) for node in nodes(model) if not node.is_input}
    return {name: count for name, count in counts.items() if count}


def model_macs(model: Any) -> int:
    """Multiply-accumulates of one input through the whole model."""
    return sum(layer_macs(model).values())


def output_floats(model: Any) -> dict[str, int]:
    """Activations of one input by layer, in forward order, all layers with one output."""
    calls = [node for node in nodes(model) if not node.is_input]
    return {node.layer.name: prod(shapes_of(node)[1]) for node in calls}


def _macs(node: Any) -> int:
    kind = type(node.layer).__name__
    if kind not in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense"):
        return 0
    layer, (read, written) = node.layer, shapes_of(node)
    if kind == "Dense":
        return int(prod(written) * read[-1])
    positions, channels = prod(written[:2]), read[2]
    taps = prod(layer.kernel_size)
    if kind == "Conv2D":
        return int(positions * written[2] * taps * channels // layer.groups)
    depthwise = channels * layer.depth_multiplier
    count = positions * depthwise * taps
    if kind == "SeparableConv2D":
        count += positions * depthwise * written[2]
    return int(count)


# ---- parts ---------------------------------------------------------------------------------------


def split_model(model: Any, first_trained: str) -> tuple[Any, Any]:
    """Divides a functional tf_keras model before layer ``first_trained``: everything that comes
    before it in forward order is frozen, it and the rest is trained.

    Gives the frozen part, from the model's input to all tensors that cross (one, or a list), and
    the trained part, from these to the logits. Both share the model's layers, and those of the
    frozen part are made not trainable: their batch norms keep to their moving statistics. The
    frozen part of a split before the first layer hands its input on.

    Raises ValueError for a layer that the model does not have.
    """
    import tf_keras

    calls = nodes(model)
    names = [node.layer.name for node in calls]
    if first_trained not in names:
        raise ValueError(f"{model.name} has no layer {first_trained}")
    at = names.index(first_trained)
    before, after = calls[:at], calls[at:]
    given = {id(node.outputs): node.outputs for node in before}
    crossing = {
        id(tensor): tensor for node in after for tensor in node.keras_inputs if id(tensor) in given
    }
    for node in calls:
        node.layer.trainable = node not in before

    frozen = tf_keras.Model(model.input, list(crossing.values()), name=f"{model.name}_frozen")
    entries = [
        tf_keras.layers.Input(tensor.shape[1:], name=f"{tensor._keras_history.layer.name}_entry")
        for tensor in crossing.values()
    ]
    tensors: dict[int, Any] = dict(zip(crossing, entries, strict=True))
    replay(after, tensors, lambda layer: layer)
    trained = tf_keras.Model(entries, tensors[id(model.output)], name=f"{model.name}_trained")
    return frozen, trained

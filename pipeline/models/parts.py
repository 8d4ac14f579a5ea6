"""A network in two parts: the frozen one and the trained one after it."""

from __future__ import annotations

from typing import Any

from pipeline.models.graph import nodes, replay


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

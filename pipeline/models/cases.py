"""FxCy: which layers of a pretrained network are trained on the target (Fragkou & Katsaros 2023).

The extractor is everything before the vector that the dense layers read. Case ``fc`` trains the
dense layers alone, ``last_dense`` the classifier alone, ``fxc1``, ``fxc2``, ... the dense layers
and the extractor from its last, second last, ... convolution on, ``whole`` and ``scratch`` all.
"""

from __future__ import annotations

import re
from typing import Any

from pipeline.core.errors import InputError
from pipeline.models.backbones import Backbone
from pipeline.models.graph import layers_in_order

_CONVOLUTIONS = ("Conv2D", "SeparableConv2D", "DepthwiseConv2D")
_HEAD = ("AveragePooling2D", "GlobalAveragePooling2D", "Flatten", "Dropout", "Dense")


def convolutions(model: Any) -> tuple[str, ...]:
    """The extractor's convolutions in forward order: plain, depthwise, separable, those of
    squeeze-and-excitation among them.

    Of an EfficientNet without the depthwise one of the last block, as it is in no count of the
    original's: there the last 1, 2, 4, 5, 6, 8 and 10 convolutions are 3, 5, 8, 16, 20, 23 and 31
    layers.
    """
    names = [layer.name for layer in layers_in_order(model) if _kind(layer) in _CONVOLUTIONS]
    if model.name.startswith("efficientnet"):
        last = [name for name in names if _kind(model.get_layer(name)) == "DepthwiseConv2D"][-1]
        names.remove(last)
    return tuple(names)


def trained_layers(model: Any, backbone: Backbone, case: str) -> tuple[str, ...]:
    """The extractor's layers that ``case`` trains, in forward order: from its y-th last convolution
    to its end, those without weights too. Raises InputError for a case that the network has not.
    """
    names = [layer.name for layer in layers_in_order(model)]
    ordered = convolutions(model)
    end = _head_start(model)
    if case in ("last_dense", "fc"):
        _check_last_dense(backbone, model, case)
        return ()
    if case in ("whole", "scratch"):
        return tuple(names[names.index(ordered[0]) : end])
    match = re.fullmatch(r"fxc([1-9]\d*)", case)
    if not match:
        raise InputError(
            f"no case {case!r}; {backbone.name} has "
            f"{'last_dense, ' if _inner_dense(backbone, model) else ''}fc, fxc1 to "
            f"fxc{len(ordered)}, whole and scratch"
        )
    if int(match[1]) > len(ordered):
        raise InputError(
            f"case {case} is deeper than {backbone.name}, which has {len(ordered)} convolutions: "
            f"the deepest is fxc{len(ordered)}"
        )
    return tuple(names[names.index(ordered[-int(match[1])]) : end])


def first_trained(model: Any, backbone: Backbone, case: str) -> str:
    """The first layer that ``case`` trains, where `split_model` divides the network: a dense layer,
    or the dropout before it, of the cases that train no convolution. Raises InputError as
    `trained_layers`."""
    extractor = trained_layers(model, backbone, case)
    if extractor:
        return extractor[0]
    layers = layers_in_order(model)
    wanted = set(dense_layers(model) if case == "fc" else backbone.heads)
    first = next(i for i, layer in enumerate(layers) if layer.name in wanted)
    while _kind(layers[first - 1]) == "Dropout":
        first -= 1
    return str(layers[first].name)


def dense_layers(model: Any) -> tuple[str, ...]:
    """All dense layers in forward order."""
    return tuple(layer.name for layer in layers_in_order(model) if _kind(layer) == "Dense")


def _inner_dense(backbone: Backbone, model: Any) -> bool:
    return bool(set(dense_layers(model)) - set(backbone.heads))


def _check_last_dense(backbone: Backbone, model: Any, case: str) -> None:
    if case == "last_dense" and not _inner_dense(backbone, model):
        raise InputError(f"case last_dense: {backbone.name} has one dense layer only; take fc")


def _head_start(model: Any) -> int:
    """Where, in forward order, the part after the extractor begins."""
    layers = layers_in_order(model)
    last = max(i for i, layer in enumerate(layers) if _kind(layer) in _CONVOLUTIONS)
    return next(i for i in range(last, len(layers)) if _kind(layers[i]) in _HEAD)


def _kind(layer: Any) -> str:
    return type(layer).__name__

"""The registry of backbones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.models import dscnn
from pipeline.models.float_tail import FloatTail
from pipeline.models.weights import model_arrays, set_model_arrays

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Backbone:
    """A named network.

    ``build(length, channels, activities, dropout)`` gives a tf_keras model from windows
    (N, length, 1, channels), normalized, to logits (N, activities). ``cuts`` maps the name of a
    cut to the layers whose outputs cross it, and ``behind(model, cut, weights, bias)`` gives what
    is behind it, with that dense layer. ``heads`` names, in the order of the features at cut
    ``fc``, the dense layers whose sum the logits are; the first has the bias.
    """

    name: str
    build: Callable[[int, int, int, float], Any]
    cuts: Mapping[str, tuple[str, ...]]
    behind: Callable[[Any, str, Array, Array], FloatTail]
    heads: tuple[str, ...]

    def extractor(self, model: Any, cut: str) -> Any:
        """The part of ``model`` before ``cut``, as a model of its own that shares the weights; a
        list of outputs, one per layer of ``cuts``.

        Raises InputError for a cut that this backbone does not have.
        """
        import tf_keras

        outputs = [model.get_layer(layer).output for layer in self._layers(cut)]
        return tf_keras.Model(model.input, outputs, name=f"extractor_{cut}")

    def tail(self, model: Any, cut: str) -> FloatTail:
        """The part of ``model`` behind ``cut``. Raises InputError as `extractor`."""
        self._layers(cut)
        return self.behind(model, cut, *self.head(model))

    def _layers(self, cut: str) -> tuple[str, ...]:
        if cut not in self.cuts:
            raise InputError(
                f"backbone {self.name} has no cut {cut!r}; it has {', '.join(self.cuts)}"
            )
        return self.cuts[cut]

    def features(self, model: Any, inputs: Array) -> Array:
        """Network inputs (N, T, 1, C) -> float32 features (N, F) at cut ``fc``, stage by stage."""
        outputs = self.extractor(model, "fc").predict(inputs, batch_size=512, verbose=0)
        return np.concatenate(outputs, axis=1)

    def head(self, model: Any) -> tuple[Array, Array]:
        """The classifier behind cut ``fc``: weights (K, F) and bias (K,)."""
        parts = [model.get_layer(name).get_weights() for name in self.heads]
        weights = np.concatenate([part[0] for part in parts]).T
        return np.ascontiguousarray(weights), parts[0][1]

    def with_head(self, model: Any, weights: Array, bias: Array) -> Any:
        """A copy of ``model`` with weights (K, F) and bias (K,) behind cut ``fc``, for any K."""
        _, length, _, channels = model.input_shape
        copy = self.build(length, channels, len(bias), 0.0)
        frozen = {
            name: value
            for name, value in model_arrays(model).items()
            if name.split("/")[0] not in self.heads
        }
        set_model_arrays(copy, {**model_arrays(copy), **frozen}, f"backbone {self.name}")
        start = 0
        for number, name in enumerate(self.heads):
            layer = copy.get_layer(name)
            stop = start + int(layer.kernel.shape[0])
            kernel = weights[:, start:stop].T
            layer.set_weights([kernel, bias] if number == 0 else [kernel])
            start = stop
        return copy


# Points of the accuracy-size front that `har search` draws (docs/RESULTS.md).
_SHIPPED = {
    "dscnn": dscnn.Shape(5, ((48, 2), (64, 2), (96, 1), (96, 2), (112, 1))),
    "dscnn_small": dscnn.Shape(5, ((32, 2), (48, 2), (64, 1), (64, 2), (76, 1))),
}


def backbone_names() -> tuple[str, ...]:
    """All backbones that have a name of their own."""
    return tuple(_SHIPPED)


def shape_of(name: str) -> dscnn.Shape:
    """The shape behind ``name``: one of `backbone_names`, or written out as
    ``dscnn:k5:32s2-48s2``. InputError says what there is."""
    if name in _SHIPPED:
        return _SHIPPED[name]
    if name.startswith("dscnn:"):
        return dscnn.parse(name)
    raise InputError(f"unknown backbone {name!r}; known: {', '.join(backbone_names())}")


def backbone(name: str) -> Backbone:
    """The backbone called ``name``, as `shape_of` reads it."""
    shape = shape_of(name)

    def build(length: int, channels: int, activities: int, dropout: float = 0.0) -> Any:
        return dscnn.build(shape, length, channels, activities, dropout)

    def behind(model: Any, cut: str, weights: Array, bias: Array) -> FloatTail:
        return dscnn.tail(shape, model, cut, weights, bias)

    heads = tuple(f"{stage}_logits" for stage in dscnn.stage_names(shape))
    return Backbone(name, build, dscnn.cuts(shape), behind, heads)

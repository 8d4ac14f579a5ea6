"""The registry of backbones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError
from pipeline.models import dscnn


@dataclass(frozen=True)
class Backbone:
    """A named network.

    ``build(length, channels, activities, dropout)`` gives a tf_keras model from windows
    (N, length, 1, channels), normalized, to logits (N, activities). ``cuts`` maps the name of a
    cut to the layer whose output crosses it.
    """

    name: str
    build: Callable[[int, int, int, float], Any]
    cuts: Mapping[str, str]

    def extractor(self, model: Any, cut: str) -> Any:
        """The part of ``model`` before ``cut``, as a model of its own that shares the weights.

        Raises InputError for a cut that this backbone does not have.
        """
        import tf_keras

        if cut not in self.cuts:
            raise InputError(
                f"backbone {self.name} has no cut {cut!r}; it has {', '.join(self.cuts)}"
            )
        return tf_keras.Model(
            model.input, model.get_layer(self.cuts[cut]).output, name=f"{self.name}_{cut}"
        )


_BACKBONES = {
    "dscnn": Backbone("dscnn", dscnn.build, dscnn.CUTS),
}


def backbone_names() -> tuple[str, ...]:
    """All backbones that `backbone` knows."""
    return tuple(_BACKBONES)


def backbone(name: str) -> Backbone:
    """The backbone called ``name``; InputError names the known ones."""
    try:
        return _BACKBONES[name]
    except KeyError:
        raise InputError(
            f"unknown backbone {name!r}; known: {', '.join(backbone_names())}"
        ) from None

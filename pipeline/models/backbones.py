"""The registry of backbones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.models import applications, dscnn, images, smallcnn, squeezenet
from pipeline.models.float_head import FloatHead
from pipeline.models.graph import output_of
from pipeline.models.images import ImageSize
from pipeline.models.weights import model_arrays, set_model_arrays


@dataclass(frozen=True)
class Backbone:
    """A named network.

    ``build(length, channels, activities, dropout)`` gives a flat tf_keras model from windows
    (N, length, 1, channels), normalized, to logits (N, activities). A network with an ``image``
    reads pictures (N, pixels, pixels, planes) instead, whatever the window. ``cuts`` maps the name
    of a cut to the layers whose outputs cross it, and ``after_cut(model, cut, weights, bias)``
    gives the layers after it, with that dense layer. ``heads`` names, in the order of the features
    at cut ``fc``, the dense layers whose sum the logits are; the first has the bias.
    """

    name: str
    build: Callable[[int, int, int, float], Any]
    cuts: Mapping[str, tuple[str, ...]]
    after_cut: Callable[[Any, str, Array, Array], FloatHead]
    heads: tuple[str, ...]
    image: ImageSize | None = None

    def extractor(self, model: Any, cut: str) -> Any:
        """The part of ``model`` before ``cut``, as a separate model that shares the weights; with
        one output per layer of ``cuts``, a list where there are several.

        Raises InputError for a cut that this backbone does not have.
        """
        import tf_keras

        outputs = [output_of(model, layer) for layer in self._layers(cut)]
        return tf_keras.Model(model.input, outputs, name=f"extractor_{cut}")

    def float_head(self, model: Any, cut: str) -> FloatHead:
        """The part of ``model`` after ``cut``. Raises InputError as `extractor`."""
        self._layers(cut)
        return self.after_cut(model, cut, *self.head(model))

    def _layers(self, cut: str) -> tuple[str, ...]:
        if cut not in self.cuts:
            raise InputError(
                f"backbone {self.name} has no cut {cut!r}; it has {', '.join(self.cuts)}"
            )
        return self.cuts[cut]

    def features(self, model: Any, inputs: Array) -> Array:
        """Network inputs (N, ...) -> float32 features (N, F) at cut ``fc``, stage by stage."""
        outputs = self.extractor(model, "fc").predict(inputs, batch_size=512, verbose=0)
        return np.concatenate(outputs if isinstance(outputs, list) else [outputs], axis=1)

    def head(self, model: Any) -> tuple[Array, Array]:
        """The classifier after cut ``fc``: weights (K, F) and bias (K,)."""
        parts = [model.get_layer(name).get_weights() for name in self.heads]
        weights = np.concatenate([part[0] for part in parts]).T
        return np.ascontiguousarray(weights), parts[0][1]

    def with_head(self, model: Any, weights: Array, bias: Array) -> Any:
        """A copy of ``model`` with weights (K, F) and bias (K,) after cut ``fc``, for any K."""
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
_OWN_IMAGES = ("smallcnn", "squeezenet")
_KNOWN = (
    *_SHIPPED,
    *_OWN_IMAGES,
    "mobilenetv2",
    "efficientnetb0",
    "efficientnetb2",
    "or another of Keras' applications (vgg16, resnet50, inceptionv3, ...)",
)


def backbone_names() -> tuple[str, ...]:
    """The networks over samples that have a name of their own."""
    return tuple(_SHIPPED)


def image_backbone_names() -> tuple[str, ...]:
    """The networks over pictures; a width and pixels can follow each name (`images.parse`)."""
    return (*_OWN_IMAGES, *applications.NAMES)


def family(name: str) -> str:
    """A name without size and pixels: ``mobilenetv2`` of ``MobileNetV2:0.5@96``, ``dscnn`` of
    ``dscnn_small``."""
    return name.lower().partition("@")[0].partition(":")[0].removesuffix("_small")


def shape_of(name: str) -> dscnn.Shape:
    """The shape that ``name`` means: one of `backbone_names`, or written out as
    ``dscnn:k5:32s2-48s2``. InputError says what there is."""
    if name in _SHIPPED:
        return _SHIPPED[name]
    if name.startswith("dscnn:"):
        return dscnn.parse(name)
    if re.split("[:@]", name.lower())[0] in image_backbone_names():
        raise InputError(
            f"backbone {name!r} reads pictures; here a network over samples is needed: "
            f"{', '.join(backbone_names())}"
        )
    raise InputError(f"unknown backbone {name!r}; known: {', '.join(_KNOWN)}")


def backbone(name: str) -> Backbone:
    """The backbone called ``name``: as `shape_of` reads it, or one of `image_backbone_names` in
    any case, with a width where it has several and with pixels: ``mobilenetv2:0.5@96``.

    Raises InputError for an invalid name, a width or pixels that it does not have.
    """
    if re.split("[:@]", name.lower())[0] in image_backbone_names():
        return _image_backbone(images.parse(name))
    shape = shape_of(name)

    def build(length: int, channels: int, activities: int, dropout: float = 0.0) -> Any:
        return dscnn.build(shape, length, channels, activities, dropout)

    def after_cut(model: Any, cut: str, weights: Array, bias: Array) -> FloatHead:
        return dscnn.float_head(shape, model, cut, weights, bias)

    heads = tuple(f"{stage}_logits" for stage in dscnn.stage_names(shape))
    return Backbone(name, build, dscnn.cuts(shape), after_cut, heads)


def initial_arrays(name: str, weights: str) -> dict[str, Array] | None:
    """What the backbone called ``name`` can begin with, by variable name: its convolutions'
    ``imagenet`` weights, None where there are none for it.

    Raises InputError as `backbone` and for other ``weights``, ExternalError where they cannot be
    downloaded.
    """
    if weights != "imagenet":
        raise InputError(f"no weights {weights!r} to start from; there are: imagenet")
    network = backbone(name)
    if network.image is None or (read := images.parse(name)).network in _OWN_IMAGES:
        return None
    return applications.imagenet_arrays(read, network.image)


def _image_backbone(name: images.ImageName) -> Backbone:
    make: Callable[[ImageSize, int, float], Any]
    if name.network == "squeezenet":
        size = images.size_of(name, squeezenet.LEAST_PIXELS, squeezenet.PLANES)
        make = partial(squeezenet.build, name.width or squeezenet.WIDTH)
    elif name.network == "smallcnn":
        size = images.size_of(name, smallcnn.LEAST_PIXELS, smallcnn.PLANES)
        images.check_one_width(name)
        make = smallcnn.build
    else:
        least = applications.least_pixels(name.network)
        size = images.size_of(name, least, applications.PLANES)
        if not applications.has_widths(name.network):
            images.check_one_width(name)
        make = partial(applications.build, name)

    def build(_length: int, _channels: int, activities: int, dropout: float = 0.0) -> Any:
        return make(size, activities, dropout)

    def after_cut(_model: Any, _cut: str, weights: Array, bias: Array) -> FloatHead:
        return FloatHead(0, 0, 0, 0, 1, (), weights, bias)

    cuts = {"fc": (images.FEATURES,)}
    return Backbone(name.text, build, cuts, after_cut, (images.LOGITS,), size)

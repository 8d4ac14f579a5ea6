"""The networks of tf_keras.applications, with our own classifier after their convolutions.

Rebuilt layer by layer, so that a network differs from the original in nothing but this: layers that
prepare pictures of 0 to 255 are left out, as spectrograms arrive normalized; layers that the
original leaves unnamed have names that do not depend on what was built before; batch norms follow
few steps quickly; blocks are not dropped; and the mean over the map is an average pool.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from pipeline.core.errors import ExternalError
from pipeline.core.types import Array
from pipeline.models.graph import nodes, replay
from pipeline.models.images import (
    MOMENTUM,
    ImageName,
    ImageSize,
    classified,
    dense_features,
    global_features,
)

PLANES = 3
_FAMILIES = {
    "ConvNeXt": "Tiny Small Base Large XLarge",
    "DenseNet": "121 169 201",
    "EfficientNet": "B0 B1 B2 B3 B4 B5 B6 B7",
    "EfficientNetV2": "B0 B1 B2 B3 S M L",
    "Inception": "V3 ResNetV2",
    "MobileNet": "V2 V3Small V3Large",
    "NASNet": "Mobile Large",
    "RegNetX": "002 004 006 008 016 032 040 064 080 120 160 320",
    "RegNetY": "002 004 006 008 016 032 040 064 080 120 160 320",
    "ResNet": "50 101 152 50V2 101V2 152V2",
    "ResNetRS": "50 101 152 200 270 350 420",
    "VGG": "16 19",
}
CONSTRUCTORS = (
    *("MobileNet", "Xception"),
    *(family + member for family, members in _FAMILIES.items() for member in members.split()),
)
NAMES = {constructor.lower(): constructor for constructor in CONSTRUCTORS}

_LEAST_PIXELS = {"inceptionv3": 75, "inceptionresnetv2": 75, "xception": 71}
_DENSE = {"vgg16": (4096, 4096), "vgg19": (4096, 4096)}  # the others pool globally
_WIDTHS = {"mobilenetv2": 0.35}  # of which the original has several; the board's by default
_PREPARING = ("Rescaling", "Normalization")


def least_pixels(network: str) -> int:
    """Fewest pixels a side that a network of `NAMES` takes."""
    return _LEAST_PIXELS.get(network, 32)


def has_widths(network: str) -> bool:
    """Whether a name may give the network a width."""
    return network in _WIDTHS


def build(name: ImageName, size: ImageSize, activities: int, dropout: float) -> Any:
    """Pictures (N, pixels, pixels, planes), normalized -> logits (N, activities)."""
    original = _original(name, size, None)
    inputs, x = _rebuilt(original, size)
    units = _DENSE.get(name.network)
    features = dense_features(x, units) if units else global_features(x)
    return classified(inputs, features, activities, dropout, name.network)


def imagenet_arrays(name: ImageName, size: ImageSize) -> dict[str, Array]:
    """The convolutions' ImageNet weights by variable name, for `build`'s network; tf_keras
    downloads and keeps them. Raises ExternalError where they cannot be had."""
    import contextlib
    import sys

    import tf_keras

    from pipeline.models.weights import model_arrays

    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for one JSON document
            original = _original(name, size, "imagenet")
    except Exception as error:  # tf_keras raises what urllib and h5py give it
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExternalError(f"ImageNet weights of {name.text}: {reason}") from None
    inputs, x = _rebuilt(original, size, weights=True)
    return model_arrays(tf_keras.Model(inputs, x))


def _original(name: ImageName, size: ImageSize, weights: str | None) -> Any:
    import tf_keras

    constructor = getattr(tf_keras.applications, NAMES[name.network])
    options: dict[str, Any] = {}
    if name.network in _WIDTHS:
        options["alpha"] = _WIDTHS[name.network] if name.width is None else name.width
    return constructor(
        include_top=False,
        weights=weights,
        input_shape=(size.pixels, size.pixels, size.planes),
        **options,
    )


def _rebuilt(original: Any, size: ImageSize, weights: bool = False) -> tuple[Any, Any]:
    """Input and last map of the network built again, with the ``weights`` it has if wanted."""
    from tf_keras import layers

    calls = nodes(original)
    names = _lasting_names([node.layer for node in calls if not node.is_input])
    made: list[tuple[Any, Any]] = []

    def again(layer: Any) -> Any | None:
        if type(layer).__name__ in _PREPARING:
            return None
        changed: dict[str, Any] = {"name": names[layer.name]}
        if isinstance(layer, layers.BatchNormalization):
            changed["momentum"] = MOMENTUM
        elif isinstance(layer, layers.Dropout):
            changed["rate"] = 0.0  # EfficientNets drop a fifth of their blocks, for 350 epochs
        copy = type(layer).from_config({**layer.get_config(), **changed})
        made.append((layer, copy))
        return copy

    inputs = layers.Input((size.pixels, size.pixels, size.planes), name="image")
    tensors = {id(node.outputs): inputs for node in calls if node.is_input}
    replay([node for node in calls if not node.is_input], tensors, again)
    if weights:
        for layer, copy in made:
            copy.set_weights(layer.get_weights())
    return inputs, tensors[id(original.output)]


def _lasting_names(layers: list[Any]) -> dict[str, str]:
    """Names that Keras numbered by what it had built before -> names numbered within the network;
    the others as they are."""
    seen: Counter[str] = Counter()
    names = {}
    for layer in layers:
        kind = type(layer).__name__.lower()
        unnumbered = re.sub(r"_\d+$", "", layer.name).replace("_", "")
        names[layer.name] = layer.name
        if unnumbered == kind or layer.name.startswith("tf."):
            seen[kind] += 1
            names[layer.name] = f"{kind}_{seen[kind]}"
    return names

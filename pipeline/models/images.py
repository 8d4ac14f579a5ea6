"""What networks that read pictures have in common: their size, their names, their last layers.

A window becomes a picture (pixels, pixels, planes), a spectrogram. All networks end the same way:
convolutions; ``pool`` and ``flatten`` or ``features``; dense layers of their own, if any; dropout;
``logits``. ``features`` is the vector that the classifier sees, cut ``fc``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pipeline.core.errors import InputError

FEATURES = "features"
LOGITS = "logits"
_NAME = re.compile(r"([a-z][a-z0-9]*)(?::(\d+(?:\.\d+)?))?(?:@(\d+))?")
_PIXELS_MAX = 512
# Of batch norm's moving statistics. A data set of windows is small: with Keras' 0.99, or the 0.999
# of its MobileNetV2, some 1000 steps would still remember how they began.
MOMENTUM = 0.9


@dataclass(frozen=True)
class ImageSize:
    """A picture of ``pixels`` x ``pixels`` with ``planes`` values in each."""

    pixels: int
    planes: int


@dataclass(frozen=True)
class ImageName:
    """E.g. ``mobilenetv2:0.5@96``: the network, its width and the pixels a side, None where the
    name leaves them out."""

    network: str
    width: float | None = None
    pixels: int | None = None

    @property
    def text(self) -> str:
        """As `parse` reads it."""
        width = "" if self.width is None else f":{self.width:g}"
        return self.network + width + ("" if self.pixels is None else f"@{self.pixels}")


def parse(name: str) -> ImageName:
    """Reads a name in any case. Raises InputError for an invalid text."""
    match = _NAME.fullmatch(name.lower())
    if not match:
        raise InputError(f"backbone {name!r}: write NETWORK, NETWORK:WIDTH or NETWORK@PIXELS")
    width = None if match[2] is None else float(match[2])
    pixels = None if match[3] is None else int(match[3])
    if width is not None and not 0 < width <= 4:
        raise InputError(f"backbone {name!r}: the width is above 0 and at most 4")
    return ImageName(match[1], width, pixels)


def size_of(name: ImageName, least: int, planes: int) -> ImageSize:
    """The picture of a network that needs ``least`` pixels a side, and has them if its name says
    nothing. Raises InputError for fewer, or for more than anything here can train."""
    pixels = least if name.pixels is None else name.pixels
    if not least <= pixels <= _PIXELS_MAX:
        raise InputError(f"backbone {name.text!r}: give it {least} to {_PIXELS_MAX} pixels a side")
    return ImageSize(pixels, planes)


def check_one_width(name: ImageName) -> None:
    """InputError where the name gives a width: the network has only one."""
    if name.width is not None:
        raise InputError(f"backbone {name.text!r}: {name.network} has one width only")


def convolution(x: Any, filters: int, kernel: int, name: str, stride: int = 1) -> Any:
    """Same padding, batch norm, ReLU: layers ``name``, ``name_norm``, ``name_relu``."""
    from tf_keras import layers

    x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def global_features(x: Any) -> Any:
    """Maps (N, H, W, C) -> their means (N, C), layer ``features``."""
    from tf_keras import layers

    # AVERAGE_POOL_2D instead of MEAN: TFLM computes it faster.
    x = layers.AveragePooling2D((x.shape[1], x.shape[2]), name="pool")(x)
    return layers.Flatten(name=FEATURES)(x)


def dense_features(x: Any, units: tuple[int, ...]) -> Any:
    """Maps (N, H, W, C) -> a vector after dense layers ``dense1``, ``dense2``, ... with ReLU, the
    last of which is layer ``features``."""
    from tf_keras import layers

    x = layers.Flatten(name="flatten")(x)
    for number, count in enumerate(units, 1):
        last = number == len(units)
        x = layers.Dense(count, name=f"dense{number}")(x)
        x = layers.ReLU(name=FEATURES if last else f"dense{number}_relu")(x)
    return x


def classified(inputs: Any, features: Any, activities: int, dropout: float, name: str) -> Any:
    """The whole model, from ``inputs`` to logits (N, activities)."""
    from tf_keras import Model, layers

    x = layers.Dropout(dropout, name="dropout")(features)
    return Model(inputs, layers.Dense(activities, name=LOGITS)(x), name=name)

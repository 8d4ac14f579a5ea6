"""squeezenet: SqueezeNet 1.1 (Iandola et al. 2016) with batch norm after each convolution, which
the original does not have: it trains from any start, and costs nothing once folded.

The last 1 x 1 convolution to the classes and the mean over the map change places, which is the same
sum: the mean is the vector of features, and one dense layer follows.
"""

from __future__ import annotations

from typing import Any

from pipeline.models.images import ImageSize, classified, convolution, global_features

LEAST_PIXELS = 32
PLANES = 3
WIDTH = 0.5  # as much of the original's filters as leaves room for the rest on the board
_STEM = 64
# (squeeze, expand) of fire2, fire3, ...; before which of them maps are halved.
_FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
_HALVED = (2, 4, 6)


def build(width: float, size: ImageSize, activities: int, dropout: float) -> Any:
    """Pictures (N, pixels, pixels, planes) -> logits (N, activities), ``width`` of the filters."""
    from tf_keras import layers

    def filters(count: int) -> int:
        return max(4, 4 * round(count * width / 4))  # kernels take four at a time

    inputs = layers.Input((size.pixels, size.pixels, size.planes), name="image")
    x = convolution(inputs, filters(_STEM), 3, "conv1", stride=2)
    for number, (squeeze, expand) in enumerate(_FIRES, 2):
        fire = f"fire{number}"
        if number in _HALVED:
            x = layers.MaxPooling2D(3, 2, "same", name=f"{fire}_pool")(x)
        x = convolution(x, filters(squeeze), 1, f"{fire}_squeeze")
        near = convolution(x, filters(expand), 1, f"{fire}_expand1")
        wide = convolution(x, filters(expand), 3, f"{fire}_expand3")
        x = layers.Concatenate(name=f"{fire}_concat")([near, wide])
    return classified(inputs, global_features(x), activities, dropout, "squeezenet")

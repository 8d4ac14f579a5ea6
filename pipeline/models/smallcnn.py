"""smallcnn: the small network of the FxCy comparison (Fragkou & Katsaros 2023): six convolutions
and two dense layers on pictures of 32 x 32."""

from __future__ import annotations

from typing import Any

from pipeline.models.images import ImageSize, classified, convolution, dense_features

LEAST_PIXELS = 32
PLANES = 1
_FILTERS = (32, 64, 128)
_DENSE = 128


def build(size: ImageSize, activities: int, dropout: float) -> Any:
    """Pictures (N, pixels, pixels, planes) -> logits (N, activities)."""
    from tf_keras import layers

    inputs = x = layers.Input((size.pixels, size.pixels, size.planes), name="image")
    for block, filters in enumerate(_FILTERS, 1):
        for half in "ab":
            x = convolution(x, filters, 3, f"conv{block}{half}")
        x = layers.MaxPooling2D(name=f"conv{block}_pool")(x)
    return classified(inputs, dense_features(x, (_DENSE,)), activities, dropout, "smallcnn")

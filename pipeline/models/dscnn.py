"""dscnn: a depthwise-separable convolutional network over (time, 1, channels).

Valid padding throughout, so that feeding new samples to a streaming engine gives bit for bit what
the full window gives. Depthwise-separable blocks after Howard et al. 2017 (MobileNets).
"""

from __future__ import annotations

from typing import Any

KERNEL = 5
STEM = (32, 2)  # filters, stride
BLOCKS = ((48, 2), (64, 1), (64, 2), (96, 1))  # filters, stride

CUTS = {"fc": "features", "fxc1": f"block{len(BLOCKS)}_depthwise_relu"}


def build(length: int, channels: int, activities: int, dropout: float = 0.0) -> Any:
    """Windows (N, length, 1, channels), normalized -> logits (N, activities)."""
    from tf_keras import Model, layers

    def normalized_relu(x: Any, name: str) -> Any:
        x = layers.BatchNormalization(name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    inputs = layers.Input((length, 1, channels), name="window")
    filters, stride = STEM
    x = layers.Conv2D(filters, (KERNEL, 1), (stride, 1), "valid", use_bias=False, name="stem")(
        inputs
    )
    x = normalized_relu(x, "stem")
    for number, (filters, stride) in enumerate(BLOCKS, 1):
        # Keras wants equal strides in a depthwise layer; the second axis has length 1 anyway.
        x = layers.DepthwiseConv2D(
            (KERNEL, 1), (stride, stride), "valid", use_bias=False, name=f"block{number}_depthwise"
        )(x)
        x = normalized_relu(x, f"block{number}_depthwise")
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"block{number}_pointwise")(x)
        x = normalized_relu(x, f"block{number}_pointwise")
    # AVERAGE_POOL_2D instead of MEAN: TFLM computes it faster and our engine can stream it.
    x = layers.AveragePooling2D((x.shape[1], 1), name="pool")(x)
    x = layers.Flatten(name="features")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return Model(inputs, layers.Dense(activities, name="logits")(x), name="dscnn")

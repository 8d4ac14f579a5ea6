"""dscnn: a depthwise-separable convolutional network over (time, 1, channels).

Valid padding throughout, so that feeding new samples to a streaming engine gives bit for bit what
the full window gives. Depthwise-separable blocks after Howard et al. 2017 (MobileNets).

The classifier sees the pooled activations of **every** stage, not of the last one alone: early
stages keep what is common to all motion, which is what a frozen extractor hands to a new task.
Each stage has a dense layer of its own and the logits are their sum. That equals one dense layer
over all features, and lets each stage be quantized on its own scale: a concatenation would force
the widest scale on all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.models.float_head import FloatHead

_NAME = re.compile(r"dscnn:k(\d+):(\d+s\d+(?:-\d+s\d+)+)")
_NORM_EPSILON = 1e-3
_NORM_VARIABLES = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclass(frozen=True)
class Shape:
    """``kernel``: length of every temporal kernel, samples. ``stages``: (filters, stride) of the
    stem and of each depthwise-separable block after it."""

    kernel: int
    stages: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        """E.g. ``dscnn:k5:32s2-48s2-64s1``; `parse` reads it back."""
        return f"dscnn:k{self.kernel}:" + "-".join(f"{f}s{s}" for f, s in self.stages)


def parse(name: str) -> Shape:
    """The shape that a name as `Shape.name` gives it describes; InputError for any other text."""
    match = _NAME.fullmatch(name)
    if not match:
        raise InputError(f"backbone {name!r}: write it as dscnn:k5:32s2-48s2-64s1")
    pairs = [stage.split("s") for stage in match[2].split("-")]
    shape = Shape(int(match[1]), tuple((int(f), int(s)) for f, s in pairs))
    if shape.kernel < 1 or any(f < 1 or s < 1 for f, s in shape.stages):
        raise InputError(f"backbone {name!r}: kernel, filters and strides are at least 1")
    return shape


def stage_names(shape: Shape) -> tuple[str, ...]:
    """stem, block1, block2, ..."""
    return ("stem", *(f"block{number}" for number in range(1, len(shape.stages))))


def cuts(shape: Shape) -> dict[str, tuple[str, ...]]:
    """Layers whose outputs cross each cut: the pooled features of the frozen stages, and, after
    those, what the last pointwise convolution reads (``fxc1``) or the last depthwise one
    (``fxc2``)."""
    stages = stage_names(shape)
    features = tuple(f"{stage}_features" for stage in stages)
    before = "stem" if len(stages) == 2 else f"{stages[-2]}_pointwise"
    return {
        "fc": features,
        "fxc1": (*features[:-1], f"{stages[-1]}_depthwise_relu"),
        "fxc2": (*features[:-1], f"{before}_relu"),
    }


def float_head(shape: Shape, model: Any, cut: str, weights: Array, bias: Array) -> FloatHead:
    """The head after ``cut`` of a tf_keras model: its last convolutions, and the dense layer of
    all stages, weights (K, F) and bias (K,)."""
    if cut == "fc":
        return FloatHead(0, 0, 0, 0, 1, (), weights, bias)
    last = stage_names(shape)[-1]
    _, map_length, _, channels = model.get_layer(cuts(shape)[cut][-1]).output_shape
    kernel, scale, shift = _folded(model, f"{last}_pointwise")  # kernel (1, 1, C, M)
    convolutions = [(kernel[0, 0] * scale).T, shift]
    if cut == "fxc2":
        kernel, scale, shift = _folded(model, f"{last}_depthwise")  # kernel (J, 1, C, 1)
        convolutions = [kernel[:, 0, :, 0] * scale, shift, *convolutions]
    return FloatHead(
        map_length=int(map_length),
        channels=int(channels),
        filters=shape.stages[-1][0],
        kernel=shape.kernel if cut == "fxc2" else 0,
        stride=shape.stages[-1][1] if cut == "fxc2" else 1,
        convolutions=tuple(values.astype(np.float32) for values in convolutions),
        weights=weights,
        bias=bias,
    )


def _folded(model: Any, name: str) -> tuple[Array, Array, Array]:
    """Of a convolution and the batch norm after it, float64: the kernel as Keras has it, what to
    multiply each output channel of it with, and the bias."""
    (kernel,) = model.get_layer(name).get_weights()
    scale, shift = _scale_and_shift(*model.get_layer(f"{name}_norm").get_weights())
    return kernel.astype(np.float64), scale, shift


def _scale_and_shift(
    gamma: Array, beta: Array, mean: Array, variance: Array
) -> tuple[Array, Array]:
    """What a batch norm multiplies each channel with and then adds, float64."""
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + _NORM_EPSILON)
    return scale, beta.astype(np.float64) - mean.astype(np.float64) * scale


def folded(arrays: dict[str, Array]) -> dict[str, Array]:
    """The variables of the same network, by name as `model_arrays` gives them, with each batch norm
    folded into the kernel of its convolution, in float64: it is left to add a bias, times exactly
    1. A conversion then has nothing to round, and gives the same constants on every processor.

    Raises InputError where a batch norm lacks a variable or its convolution.
    """
    result = dict(arrays)
    for name in [name for name in arrays if name.endswith("_norm/gamma")]:
        norm = name.removesuffix("/gamma")
        layer = norm.removesuffix("_norm")
        depthwise = f"{layer}/depthwise_kernel"  # (J, 1, C, 1)
        kernel = depthwise if depthwise in arrays else f"{layer}/kernel"  # (J, 1, C, M)
        variables = [f"{norm}/{variable}" for variable in _NORM_VARIABLES]
        for needed in (kernel, *variables):
            if needed not in arrays:
                raise InputError(f"no weights for {needed}; made for another network?")
        scale, shift = _scale_and_shift(*(arrays[variable] for variable in variables))
        shaped = scale[:, None] if kernel == depthwise else scale
        result[kernel] = (arrays[kernel].astype(np.float64) * shaped).astype(np.float32)
        one, zero = np.ones(scale.shape, np.float32), np.zeros(scale.shape, np.float32)
        values = (one, shift.astype(np.float32), zero, one - np.float32(_NORM_EPSILON))
        result.update(zip(variables, values, strict=True))
    return result


def build(shape: Shape, length: int, channels: int, activities: int, dropout: float = 0.0) -> Any:
    """Windows (N, length, 1, channels), normalized -> logits (N, activities).

    Raises InputError when the window is too short for the strides.
    """
    from tf_keras import Model, layers

    def normalized_relu(x: Any, name: str) -> Any:
        x = layers.BatchNormalization(epsilon=_NORM_EPSILON, name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_relu")(x)

    def check(x: Any) -> None:
        if x.shape[1] < shape.kernel:
            raise InputError(f"backbone {shape.name}: too deep for a window of {length} samples")

    inputs = x = layers.Input((length, 1, channels), name="window")
    stages = []
    for stage, (filters, stride) in zip(stage_names(shape), shape.stages, strict=True):
        check(x)
        if stage == "stem":
            x = layers.Conv2D(
                filters, (shape.kernel, 1), (stride, 1), "valid", use_bias=False, name="stem"
            )(x)
            x = normalized_relu(x, "stem")
        else:
            # Keras wants equal strides in a depthwise layer; the second axis has length 1 anyway.
            x = layers.DepthwiseConv2D(
                (shape.kernel, 1),
                (stride, stride),
                "valid",
                use_bias=False,
                name=f"{stage}_depthwise",
            )(x)
            x = normalized_relu(x, f"{stage}_depthwise")
            x = layers.Conv2D(filters, 1, use_bias=False, name=f"{stage}_pointwise")(x)
            x = normalized_relu(x, f"{stage}_pointwise")
        stages.append((stage, x))
    logits = []
    for stage, x in stages:
        # AVERAGE_POOL_2D instead of MEAN: TFLM computes it faster and an engine can stream it.
        x = layers.AveragePooling2D((x.shape[1], 1), name=f"{stage}_pool")(x)
        x = layers.Flatten(name=f"{stage}_features")(x)
        x = layers.Dropout(dropout, name=f"{stage}_dropout")(x)
        logits.append(layers.Dense(activities, use_bias=stage == "stem", name=f"{stage}_logits")(x))
    return Model(inputs, layers.Add(name="logits")(logits), name="dscnn")

"""What a forward pass of a tf_keras model takes: multiply-accumulates and activations, by layer.

Counted as the literature on these networks does: convolutions and dense layers alone.
"""

from __future__ import annotations

from math import prod
from typing import Any

from pipeline.models.graph import nodes, shapes_of

PICOJOULES_PER_MAC = 3.2  # 45 nm CMOS, memory access ignored (Horowitz 2014)


def nanojoules(macs: float) -> float:
    """Energy of so many multiply-accumulates, after ``ENERGY = FLOPS / 2 * E_mac`` (Fragkou,
    Katsaros 2023)."""
    return macs * PICOJOULES_PER_MAC / 1000.0


def layer_macs(model: Any) -> dict[str, int]:
    """Multiply-accumulates of one input by layer, in forward order: convolutions (grouped,
    depthwise, separable) and dense layers; layers without any are left out."""
    counts = {node.layer.name: _macs(node) for node in nodes(model) if not node.is_input}
    return {name: count for name, count in counts.items() if count}


def model_macs(model: Any) -> int:
    """Multiply-accumulates of one input through the whole model."""
    return sum(layer_macs(model).values())


def output_floats(model: Any) -> dict[str, int]:
    """Activations of one input by layer, in forward order, all layers with one output."""
    calls = [node for node in nodes(model) if not node.is_input]
    return {node.layer.name: prod(shapes_of(node)[1]) for node in calls}


def _macs(node: Any) -> int:
    kind = type(node.layer).__name__
    if kind not in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense"):
        return 0
    layer, (read, written) = node.layer, shapes_of(node)
    if kind == "Dense":
        return int(prod(written) * read[-1])
    positions, channels = prod(written[:2]), read[2]
    taps = prod(layer.kernel_size)
    if kind == "Conv2D":
        return int(positions * written[2] * taps * channels // layer.groups)
    depthwise = channels * layer.depth_multiplier
    count = positions * depthwise * taps
    if kind == "SeparableConv2D":
        count += positions * depthwise * written[2]
    return int(count)

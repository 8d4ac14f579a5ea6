"""The head, float32, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.core.types import Array


@dataclass(frozen=True, eq=False)
class FloatHead:
    """The layers after a cut, float32, batch norm folded into the convolutions.

    A map (``map_length``, ``channels``) enters a depthwise convolution of ``kernel`` taps and
    ``stride`` (kernel 0 and stride 1: there is none) and a pointwise one with ``filters``, whose
    mean over time follows the ``frozen`` features in what the dense layer sees. All of them
    are 0 and stride is 1 at cut ``fc``.

    ``convolutions``: depthwise (J, C), its bias (C,), pointwise (M, C), its bias (M,), without
    those that the cut leaves in the extractor. ``weights`` (K, F) and ``bias`` (K,): the dense
    layer.
    """

    map_length: int
    channels: int
    filters: int
    kernel: int
    stride: int
    convolutions: tuple[Array, ...]
    weights: Array
    bias: Array

    @property
    def frozen(self) -> int:
        """Pooled features of the stages before the cut."""
        return int(self.weights.shape[1]) - self.filters

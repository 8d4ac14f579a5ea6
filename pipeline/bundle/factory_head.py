"""The head as it ships: standardized features, temperature folded in, room for more activities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.bundle.interface import Output
from pipeline.core.types import Array
from pipeline.head import CutScales, Head, HeadShape, without_denormals
from pipeline.models import FloatHead

# Keeps a feature that training subjects never moved from being blown up.
_STD_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Standardization:
    """Mean and standard deviation (F,) of the dense layer's features, float64: few labels go far
    where all features have zero mean and unit variance."""

    mean: Array
    std: Array

    def __call__(self, features: Array) -> Array:
        """(..., N) -> (..., N) float64, of the first N features."""
        n = features.shape[-1]
        return np.asarray((features - self.mean[:n]) / self.std[:n])


def standardization_of(features: Array) -> Standardization:
    """Of the training subjects' windows, features (M, F)."""
    features = np.asarray(features, np.float64)
    return Standardization(features.mean(axis=0), features.std(axis=0) + _STD_LEAST)


def shipped_head(
    head: FloatHead,
    outputs: Sequence[Output],
    standardization: Standardization,
    temperature: float,
    rows: int,
) -> Head:
    """The head after an extractor with these outputs, for ``rows`` activities, of which the K of
    the dense layer ship.

    Its logits are those of the dense layer on the features as they are, over ``temperature``: what
    standardizing does to the features, weights and bias take back.
    """
    activities, features = head.weights.shape
    shape = HeadShape(
        features,
        rows,
        head.frozen,
        head.map_length,
        head.channels,
        head.filters,
        head.kernel,
        head.stride,
    )
    mean, std = standardization.mean, standardization.std
    weights = np.zeros((rows, features))
    bias = np.zeros(rows)
    weights[:activities] = head.weights * (std / temperature)
    bias[:activities] = (head.bias + head.weights @ mean) / temperature
    parts = [*head.convolutions, weights, bias]
    parameters = np.concatenate([without_denormals(part).ravel() for part in parts])
    return Head(shape, _scales(head, outputs, standardization), parameters, activities)


def _scales(
    head: FloatHead, outputs: Sequence[Output], standardization: Standardization
) -> CutScales:
    """Learned features leave the pointwise convolution in real units; frozen ones are int8."""
    frozen = outputs[:-1] if head.map_length else outputs
    sizes = [output.size for output in frozen]
    learned = head.filters
    step = np.append(np.repeat([o.scale for o in frozen], sizes), np.ones(learned))
    zero = np.append(np.repeat([o.zero_point for o in frozen], sizes), np.zeros(learned))
    scale = step / standardization.std
    offset = -(zero * step + standardization.mean) / standardization.std
    last = outputs[-1] if head.map_length else None
    return CutScales(
        without_denormals(scale),
        without_denormals(offset),
        last.scale if last else 1.0,
        last.zero_point if last else 0,
    )

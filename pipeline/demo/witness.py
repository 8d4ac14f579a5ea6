"""The second, independent computation of what a board computes.

The extractor runs in TFLite-Micro's own interpreter, the tail in NumPy; no line is shared with the
firmware. Everything a board answers must equal this to the bit.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.compiler.oracle import run_tflm
from pipeline.device.messages import decode_samples, encode_samples
from pipeline.export.bundle import EXTRACTOR, Bundle
from pipeline.export.convert import quantize_windows
from pipeline.learn import Learning, Tail, dequantize

Array = np.ndarray[Any, Any]


class Witness:
    """A twin of one board: the bundle's extractor and a tail that learns as the board's does."""

    def __init__(self, bundle: Bundle, directory: Path) -> None:
        self._bundle = bundle
        self._extractor = (directory / EXTRACTOR).read_bytes()
        weights, bias = bundle.tail(directory)
        self.tail = Tail(weights, bias)
        self._learning = Learning(
            rate=bundle.learning.rate, anchor=bundle.learning.anchor, steps=bundle.learning.steps
        )

    def features(self, x: Array) -> Array:
        """Raw windows (N, T, 6) as a host would send them -> int8 activations (N, F)."""
        wire, _ = encode_samples(x.reshape(-1, x.shape[-1]))
        received = decode_samples(wire).reshape(x.shape)
        bundle = self._bundle
        quantized = quantize_windows(
            received, bundle.norm_mean, bundle.norm_gain, bundle.input.zero_point
        )
        return run_tflm(self._extractor, quantized).outputs[0].reshape(len(x), -1)

    def predict(self, features: Array) -> Array:
        """int8 activations (F,) -> probabilities float32 (K,) of the tail as it stands."""
        return self.tail.predict(self._dequantize(features))

    def learn(self, features: Array, label: int) -> None:
        """One labelled window."""
        self.tail.update(self._dequantize(features), label, self._learning)

    def _dequantize(self, features: Array) -> Array:
        return dequantize(features, self._bundle.feature.scale, self._bundle.feature.zero_point)

    @staticmethod
    def features_crc(features: Array) -> int:
        """As PREDICTION carries it."""
        return zlib.crc32(features.tobytes())

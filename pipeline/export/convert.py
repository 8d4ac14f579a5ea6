"""tf_keras model -> .tflite, float32 and int8, in the one way that TFLite-Micro agrees with.

- From a concrete function at batch 1, so that every variable is frozen and every shape known.
- Dense layers per-tensor: Arduino's ports of TFLM ignore per-channel scales there, silently.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _converter(model: Any) -> Any:
    import tensorflow as tf

    signature = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter


def _convert(converter: Any) -> bytes:
    """Converts with the converter's chatter, which comes from C++, kept off the terminal."""
    import logging
    import tempfile

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            return bytes(converter.convert())
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def to_float(model: Any) -> bytes:
    """float32 in and out."""
    return _convert(_converter(model))


def to_int8(model: Any, representative: Array) -> bytes:
    """int8 weights, activations, input and output.

    ``representative``: network inputs (N, ...) float32 as in training; their ranges set the
    scales of the activations.
    """
    import tensorflow as tf

    def samples() -> Iterator[list[Array]]:
        for window in representative:
            yield [window[None].astype(np.float32)]

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return _convert(converter)


def quantize_windows(x: Array, mean: Array, gain: Array, zero_point: int) -> Array:
    """Raw windows (N, T, 6) -> int8 (N, T, 1, 6) exactly as firmware/lib/window does it."""
    from pipeline.learn import quantize_samples

    quantized: Array = quantize_samples(x, mean, gain, zero_point)
    return quantized[:, :, None, :]

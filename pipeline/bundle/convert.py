"""tf_keras model -> .tflite, float32 and int8, in the one way that TFLite-Micro agrees with.

- From a concrete function at batch 1, so that every variable is frozen and every shape known. With
  it go the variables that it reads: of a whole Keras model every layer would be traced once more,
  for the same file at five times the cost.
- Dense layers per-tensor: Arduino's ports of TFLM ignore per-channel scales there, silently.
- Outputs in the model's order: the converter writes several in an order of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from pipeline.core.errors import ExternalError
from pipeline.core.types import Array


def _converter(model: Any) -> Any:
    import tensorflow as tf

    signature = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(signature)
    owner = tf.Module()
    owner.read = list(function.variables)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], owner)
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
            return _in_model_order(converter.convert())
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def _in_model_order(converted: bytes) -> bytes:
    """The same file, its outputs in the order of the model's.

    The signature names them output_0, output_1, ... in that order, whatever order the converter
    has put the tensors in; engines know the tensors' order only.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = bytearray(converted)
    model = schema.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    if graph.OutputsLength() < 2:
        return converted
    if model.SignatureDefsLength() != 1:
        raise ExternalError("this TensorFlow names no outputs; install what the lock file names")
    signature = model.SignatureDefs(0)
    named = [signature.Outputs(i) for i in range(signature.OutputsLength())]
    numbered = {int(each.Name().rpartition(b"_")[2]): each.TensorIndex() for each in named}
    outputs = graph.OutputsAsNumpy()  # a view: assigning writes into the file
    wanted = [numbered[number] for number in sorted(numbered)]
    if sorted(wanted) != sorted(outputs.tolist()):
        raise ExternalError("this TensorFlow names other outputs; install what the lock file names")
    outputs[:] = wanted
    return bytes(content)


def parameter_count(full_float: bytes) -> int:
    """Weights and biases of a float32 .tflite: its constants, batch norm folded in by the
    converter (shapes and the like are int32)."""
    from pipeline.compiler.reader import read_model

    constants = (t for t in read_model(full_float).tensors if t.data is not None)
    return sum(prod(constant.shape) for constant in constants if constant.type == "FLOAT32")


def to_float(model: Any) -> bytes:
    """float32 in and out."""
    return _convert(_converter(model))


def to_float16(model: Any) -> bytes:
    """float16 weights, which the interpreter widens; float32 in, out and in between."""
    import tensorflow as tf

    converter = _converter(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return _convert(converter)


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

"""What a .tflite file holds, and what it answers in the LiteRT interpreter."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from math import prod

import numpy as np

from pipeline.compiler.reader import RawTensor, read_model
from pipeline.core.types import Array

_KINDS = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
}
_GZIP_LEVEL = 9


@dataclass(frozen=True)
class FileFigures:
    """Bytes of the file, of it after gzip -9, and of all constants in it, ``bias_bytes`` of which
    are int32 biases. ``parameters``: weights and biases; ``nonzero`` of them are not 0."""

    bytes: int
    compressed_bytes: int
    weight_bytes: int
    bias_bytes: int
    parameters: int
    nonzero: int


def file_figures(model: bytes) -> FileFigures:
    """Of a .tflite. Raises InputError for an invalid file."""
    constants = [tensor for tensor in read_model(model).tensors if tensor.data is not None]
    parameters = [tensor for tensor in constants if _is_parameter(tensor)]
    biases = [tensor for tensor in parameters if tensor.type == "INT32"]
    return FileFigures(
        bytes=len(model),
        compressed_bytes=len(gzip.compress(model, _GZIP_LEVEL, mtime=0)),
        weight_bytes=sum(_bytes(tensor) for tensor in constants),
        bias_bytes=sum(_bytes(tensor) for tensor in biases),
        parameters=sum(prod(tensor.shape) for tensor in parameters),
        nonzero=sum(int(np.count_nonzero(_values(tensor))) for tensor in parameters),
    )


def predict_litert(model: bytes, inputs: Array) -> Array:
    """Inputs (N, ...) of the type that the .tflite takes -> the classes (N,) that LiteRT answers
    with."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    classes = np.empty(len(inputs), np.int64)
    for number, window in enumerate(inputs):
        interpreter.set_tensor(source, window[None])
        interpreter.invoke()
        classes[number] = interpreter.get_tensor(answer)[0].argmax()
    return classes


def _is_parameter(tensor: RawTensor) -> bool:
    """Shapes, axes and the like are constants, too: int32 without a scale."""
    return tensor.type in ("FLOAT32", "FLOAT16") or len(tensor.scales) > 0


def _bytes(tensor: RawTensor) -> int:
    assert tensor.data is not None
    return int(tensor.data.nbytes)


def _values(tensor: RawTensor) -> Array:
    assert tensor.data is not None
    values: Array = np.frombuffer(tensor.data.tobytes(), _KINDS[tensor.type])
    return values

"""Reads a .tflite flatbuffer into plain dataclasses; every offset and size is checked.

The flatbuffers accessors check neither offsets nor lengths, so every vector is bounded before it
is walked, and whatever they raise on a damaged file becomes one InputError.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.compiler.errors import NO_LOOPS, UnsupportedModel
from pipeline.core.errors import InputError

_CALLING = ("CALL_ONCE", "IF", "WHILE")
MAX_TENSORS = 8192
MAX_OPERATORS = 8192
MAX_RANK = 6
MAX_OPERANDS = 64
_IDENTIFIER = b"TFL3"
_SCHEMA_VERSION = 3

_WINDOW = {
    "padding": "Padding",
    "stride_height": "StrideH",
    "stride_width": "StrideW",
    "activation": "FusedActivationFunction",
}
_DILATED = {
    **_WINDOW,
    "dilation_height": "DilationHFactor",
    "dilation_width": "DilationWFactor",
}
_POOL = {**_WINDOW, "kernel_height": "FilterHeight", "kernel_width": "FilterWidth"}
_ACTIVATION = {"activation": "FusedActivationFunction"}

# Operator name -> (its options table, {our name: the table's accessor}); others have none here.
OPTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "CONV_2D": ("Conv2DOptions", _DILATED),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        {**_DILATED, "depth_multiplier": "DepthMultiplier"},
    ),
    "FULLY_CONNECTED": (
        "FullyConnectedOptions",
        {**_ACTIVATION, "weights_format": "WeightsFormat", "keep_axes": "KeepNumDims"},
    ),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "ADD": ("AddOptions", _ACTIVATION),
    "MUL": ("MulOptions", _ACTIVATION),
    "SUB": ("SubOptions", _ACTIVATION),
    "CONCATENATION": ("ConcatenationOptions", {**_ACTIVATION, "axis": "Axis"}),
    "LEAKY_RELU": ("LeakyReluOptions", {"alpha": "Alpha"}),
    "PACK": ("PackOptions", {"axis": "Axis"}),
    "UNPACK": ("UnpackOptions", {"axis": "Axis"}),
    "SOFTMAX": ("SoftmaxOptions", {"beta": "Beta"}),
    "SVDF": ("SVDFOptions", {"rank": "Rank"}),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        "UnidirectionalSequenceLSTMOptions",
        {
            "activation": "FusedActivationFunction",
            "cell_clip": "CellClip",
            "time_major": "TimeMajor",
        },
    ),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        {
            "begin_mask": "BeginMask",
            "end_mask": "EndMask",
            "ellipsis_mask": "EllipsisMask",
            "new_axis_mask": "NewAxisMask",
            "shrink_axis_mask": "ShrinkAxisMask",
            "offset": "Offset",
        },
    ),
}


@dataclass(frozen=True, eq=False)
class RawTensor:
    """One tensor as the file has it. ``data`` (views into the file) is None for an activation."""

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    scales: npt.NDArray[np.float32]
    zero_points: npt.NDArray[np.int64]
    quantized_axis: int
    variable: bool
    plain: bool  # dense, and quantized by nothing but scales and zero points
    data: npt.NDArray[np.uint8] | None


@dataclass(frozen=True)
class RawOperator:
    """One operator. Operands are tensor indexes; -1 is an absent optional input. ``options`` is
    None where the operator's own option table is missing or of another kind."""

    index: int
    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, float] | None


@dataclass(frozen=True)
class RawModel:
    """The file's only subgraph. ``padded_by_batches``: of a folded model, the SPACE_TO_BATCH_ND
    operators whose padding reaches an output."""

    tensors: tuple[RawTensor, ...]
    operators: tuple[RawOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    padded_by_batches: tuple[int, ...] = ()


def read_model(model: bytes) -> RawModel:
    """Reads a .tflite file's bytes. Raises InputError for anything that is no valid .tflite, and
    UnsupportedModel for one of several subgraphs."""
    if len(model) < 8 or model[4:8] != _IDENTIFIER:
        raise InputError(
            "not a .tflite file (the identifier TFL3 is missing); give a TensorFlow Lite model"
        )
    try:
        return _Reader(bytes(model)).read()
    except (
        struct.error,
        IndexError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        AssertionError,
    ) as error:
        raise InputError(
            f"the .tflite file is damaged ({type(error).__name__} while reading it); convert again"
        ) from None


class _Reader:
    def __init__(self, model: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._bytes = model

    def read(self) -> RawModel:
        model = self._schema.Model.GetRootAs(self._bytes, 0)
        if model.Version() != _SCHEMA_VERSION:
            raise InputError(f".tflite schema version {model.Version()}, not {_SCHEMA_VERSION}")
        if model.SubgraphsLength() < 1:
            raise InputError("the .tflite has no subgraph")
        graph = model.Subgraphs(0)
        tensor_count = self._bounded(graph.TensorsLength(), MAX_TENSORS, "tensors")
        operator_count = self._bounded(graph.OperatorsLength(), MAX_OPERATORS, "operators")
        operators = tuple(
            self._operator(model, graph.Operators(i), i, tensor_count)
            for i in range(operator_count)
        )
        if model.SubgraphsLength() > 1:
            loops = [each for each in operators if each.name in _CALLING]
            where = ", ".join(f"{each.name} (operator {each.index})" for each in loops)
            reason = f"{model.SubgraphsLength()} subgraphs; one is needed. {NO_LOOPS}"
            raise UnsupportedModel(
                [f"{where}: {reason}" if loops else reason], [each.name for each in loops]
            )
        tensors = tuple(self._tensor(model, graph.Tensors(i), i) for i in range(tensor_count))
        return RawModel(
            tensors=tensors,
            operators=operators,
            inputs=self._operands(graph.Inputs, graph.InputsLength(), tensor_count, "inputs"),
            outputs=self._operands(graph.Outputs, graph.OutputsLength(), tensor_count, "outputs"),
        )

    def _bounded(self, length: int, limit: int, what: str) -> int:
        # Each element takes at least one byte of the file.
        if not 0 <= length <= min(limit, len(self._bytes)):
            raise InputError(f"the .tflite names {length} {what}; at most {limit} are read")
        return length

    def _operands(
        self, get: Any, length: int, tensor_count: int, what: str, *, optional: bool = False
    ) -> tuple[int, ...]:
        operands = tuple(int(get(i)) for i in range(self._bounded(length, MAX_OPERANDS, what)))
        for operand in operands:
            if not (0 <= operand < tensor_count or (optional and operand == -1)):
                raise InputError(f"the .tflite's {what} name tensor {operand} of {tensor_count}")
        return operands

    def _tensor(self, model: Any, tensor: Any, index: int) -> RawTensor:
        where = f"tensor {index}"
        rank = self._bounded(tensor.ShapeLength(), MAX_RANK, f"axes in {where}")
        shape = tuple(int(tensor.Shape(i)) for i in range(rank))
        scales: npt.NDArray[np.float32] = np.empty(0, np.float32)
        zero_points: npt.NDArray[np.int64] = np.empty(0, np.int64)
        axis = 0
        plain = tensor.Sparsity() is None
        quantization = tensor.Quantization()
        if quantization is not None:
            if quantization.ScaleLength() != 0:
                scales = quantization.ScaleAsNumpy()
            if quantization.ZeroPointLength() != 0:
                zero_points = quantization.ZeroPointAsNumpy()
            axis = int(quantization.QuantizedDimension())
            plain = plain and quantization.DetailsType() == 0
        return RawTensor(
            index=index,
            name=_printable(tensor.Name()),
            type=self._names("TensorType").get(tensor.Type(), f"type {tensor.Type()}"),
            shape=shape,
            scales=scales,
            zero_points=zero_points,
            quantized_axis=axis,
            variable=bool(tensor.IsVariable()),
            plain=plain,
            data=self._buffer(model, int(tensor.Buffer()), where),
        )

    def _buffer(self, model: Any, index: int, where: str) -> npt.NDArray[np.uint8] | None:
        if not 0 <= index < model.BuffersLength():
            raise InputError(f"{where} names buffer {index} of {model.BuffersLength()}")
        buffer = model.Buffers(index)
        if buffer.Offset() > 1:
            raise InputError(f"{where} keeps its data outside the flatbuffer; convert it inline")
        if buffer.DataLength() == 0:
            return None
        data: npt.NDArray[np.uint8] = buffer.DataAsNumpy()
        return data

    def _operator(self, model: Any, operator: Any, index: int, tensor_count: int) -> RawOperator:
        where = f"operator {index}"
        code_index = operator.OpcodeIndex()
        if not 0 <= code_index < model.OperatorCodesLength():
            raise InputError(f"{where} names operator code {code_index}, which is not there")
        code = model.OperatorCodes(code_index)
        number = max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
        name = self._names("BuiltinOperator").get(number, f"BUILTIN_{number}")
        if name == "CUSTOM":
            name = f"CUSTOM {_printable(code.CustomCode())}"
        return RawOperator(
            index=index,
            name=name,
            version=int(code.Version()),
            inputs=self._operands(
                operator.Inputs,
                operator.InputsLength(),
                tensor_count,
                f"inputs of {where}",
                optional=True,
            ),
            outputs=self._operands(
                operator.Outputs, operator.OutputsLength(), tensor_count, f"outputs of {where}"
            ),
            options=self._options(name, operator),
        )

    def _options(self, name: str, operator: Any) -> dict[str, float] | None:
        if name not in OPTIONS:
            return {}
        table_name, fields = OPTIONS[name]
        expected = getattr(self._schema.BuiltinOptions, table_name)
        table = operator.BuiltinOptions()
        if operator.BuiltinOptionsType() != expected or table is None:
            return None
        options = getattr(self._schema, table_name)()
        options.Init(table.Bytes, table.Pos)
        return {ours: getattr(options, theirs)() for ours, theirs in fields.items()}

    def _names(self, enum: str) -> dict[int, str]:
        return _enum_names(getattr(self._schema, enum))


@functools.cache
def _enum_names(enum: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if not name.startswith("_")}


def _printable(raw: bytes | None) -> str:
    """A name from the file, cut and made safe for one line of a message or a C comment."""
    text = (raw or b"").decode("ascii", "replace")[:80]
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-./:; ") else "_" for c in text)

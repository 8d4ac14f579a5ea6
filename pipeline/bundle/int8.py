"""float32 .tflite + known scales of its activations -> int8 .tflite, without any data.

TensorFlow's converter sets the scales of the activations from a representative data set and
derives all else from the weights. Here the scales are given, and the rest is computed as its
quantizer does, in the same precision, so that weights, biases and scales are equal to the bit:

- Weights are symmetric in [-127, 127]: scale = max |w| / 127. Convolutions have a scale per output
  channel, dense layers one for the whole tensor (see convert.py).
- Biases are int32: scale = scale of the input * scale of the weights. Where a bias would pass half
  of int32, the channel's weights get a larger scale.
- A value is rounded after it was multiplied with the float32 inverse of its scale, halves away
  from zero.

The bytes of the file depend on the arguments alone. It names no run, and carries no signature and
no metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.bundle.interface import Quantization
from pipeline.compiler.reader import OPTIONS, RawModel, RawOperator, RawTensor, read_model
from pipeline.core.errors import InputError
from pipeline.core.types import Array


@dataclass(frozen=True)
class _Kind:
    """An operator that can be quantized. ``version``: of its int8 form, as the converter writes
    it. First among its operands are ``activations``, the rest are ``constants``. ``weights``:
    their number of axes and the one of the output channels, None for one scale of them all.
    ``same_scale``: its output is on the scale of its input."""

    version: int
    activations: int = 1
    constants: int = 0
    weights: tuple[int, int | None] | None = None
    same_scale: bool = False


_KINDS = {
    "ADD": _Kind(2, activations=2),
    "AVERAGE_POOL_2D": _Kind(2, same_scale=True),
    "CONV_2D": _Kind(3, constants=2, weights=(4, 0)),
    "DEPTHWISE_CONV_2D": _Kind(3, constants=2, weights=(4, 3)),
    "FULLY_CONNECTED": _Kind(4, constants=2, weights=(2, None)),
    "RESHAPE": _Kind(1, constants=1, same_scale=True),
}
_HALF_RANGE_MIN = 5e-7  # weights that are all smaller are quantized as if one were so large
_BIAS_MAX = (2**31 - 1) // 2  # leaves room for the accumulator
_VALUE_MAX = 1e12  # of float32 weights and biases
_SCALES = (1e-9, 1e9)  # of activations; the converter writes none below 3.9e-9
_ALIGNMENT = 16  # bytes, of constants in the file


def activation_scales(int8_tflite: bytes) -> list[Quantization]:
    """Scale and zero point of the input and, in the file's order, of each operator's output.

    Raises InputError for a file with operators that `quantized` does not write, or with an
    activation that is not int8 on one scale.
    """
    model = _checked(int8_tflite)
    return [_quantization(model.tensors[index]) for index in _activations(model)]


def quantized(float_tflite: bytes, activations: Sequence[Quantization]) -> bytes:
    """The int8 form of a float32 .tflite as `to_float` writes it: the same operators and outputs
    in the same order, input and outputs int8. ``activations``: as `activation_scales` gives them.

    Raises InputError for other operators or types, and for activations of another network.
    """
    model = _checked(float_tflite)
    indexes = _activations(model)
    if len(activations) != len(indexes):
        raise InputError(
            f"scales of {len(activations)} activations, but the network has {len(indexes)}; "
            "give those of the same network"
        )
    scales = dict(zip(indexes, activations, strict=True))
    for operator in model.operators:
        source, target = scales[operator.inputs[0]], scales[operator.outputs[0]]
        if _KINDS[operator.name].same_scale and source != target:
            raise InputError(
                f"operator {operator.index} {operator.name}: its output is on another scale than "
                "its input; give the scales of the same network"
            )
    return _Writer(model, scales).file()


# ---- reading -------------------------------------------------------------------------------------


def _checked(tflite: bytes) -> RawModel:
    model = read_model(tflite)
    if len(model.inputs) != 1:
        raise InputError(f"the .tflite has {len(model.inputs)} inputs; one is needed")
    computed = set(model.inputs)
    for operator in model.operators:
        where = f"operator {operator.index} {operator.name}"
        kind = _KINDS.get(operator.name)
        if kind is None:
            raise InputError(f"{where}: only {', '.join(_KINDS)} can be quantized")
        if operator.options is None or len(operator.outputs) != 1:
            raise InputError(f"{where}: no options or not one output; convert again")
        read, constants = operator.inputs[: kind.activations], operator.inputs[kind.activations :]
        if len(read) < kind.activations or not computed.issuperset(read):
            raise InputError(f"{where}: reads a constant or what is not computed yet")
        present = [index for index in constants if index >= 0]
        if len(constants) != kind.constants or present[:1] != list(constants[:1]):
            raise InputError(f"{where}: {len(present)} constants, but it needs {kind.constants}")
        if any(model.tensors[index].data is None for index in present):
            raise InputError(f"{where}: computes its weights or its shape")
        computed.update(operator.outputs)
    if not computed.issuperset(model.outputs):
        raise InputError("the .tflite has an output that no operator computes")
    return model


def _activations(model: RawModel) -> list[int]:
    """Tensor indexes: the input, then the output of each operator."""
    return [model.inputs[0], *(operator.outputs[0] for operator in model.operators)]


def _quantization(tensor: RawTensor) -> Quantization:
    if tensor.type != "INT8" or tensor.scales.size != 1 or tensor.zero_points.size != 1:
        raise InputError(f"tensor {tensor.index} {tensor.name!r} is not int8 on one scale")
    scale, zero_point = float(tensor.scales[0]), int(tensor.zero_points[0])
    try:
        return Quantization(scale=scale, zero_point=zero_point)
    except ValueError:
        raise InputError(
            f"tensor {tensor.index} {tensor.name!r} has scale {scale:g}, zero point {zero_point}"
        ) from None


def float_values(tensor: RawTensor) -> Array:
    """The values of a float32 constant. Raises InputError for another."""
    if tensor.type != "FLOAT32" or tensor.data is None:
        raise InputError(f"tensor {tensor.index} {tensor.name!r} is {tensor.type}, not FLOAT32")
    if tensor.data.size != 4 * int(np.prod(tensor.shape)):
        raise InputError(f"tensor {tensor.index} {tensor.name!r} has {tensor.data.size} bytes")
    values = np.frombuffer(tensor.data.tobytes(), "<f4").reshape(tensor.shape)
    if not (np.abs(values) <= _VALUE_MAX).all():
        raise InputError(
            f"tensor {tensor.index} {tensor.name!r} is not all numbers of at most {_VALUE_MAX:g}"
        )
    return values


# ---- arithmetic ----------------------------------------------------------------------------------


def _rounded(values: Array, inverse: Array, limit: int) -> Array:
    """Halves away from zero, within +-limit."""
    product = (values * inverse).astype(np.float64)  # of two float32: rounded to float32 first
    return np.asarray(np.clip(np.trunc(product + np.copysign(0.5, product)), -limit, limit))


def _weights_and_bias(
    weights: Array, bias: Array | None, axis: int | None, input_scale: float, where: str
) -> tuple[Array, Array, Array | None, Array]:
    """int8 weights with their scales, int32 biases with theirs; one scale per index of ``axis``,
    without one a single scale."""
    channels = (-1,) if axis is None else tuple(-1 if i == axis else 1 for i in range(weights.ndim))
    others = tuple(i for i in range(weights.ndim) if i != axis)
    half_range = np.atleast_1d(np.abs(weights).max(axis=others))
    widened = np.maximum(half_range, np.float32(_HALF_RANGE_MIN))
    scales = widened / np.float32(127)
    if axis is None and 0 < half_range[0] < widened[0]:
        raise InputError(f"{where}: weights of at most {half_range[0]:.1g} are too small")
    bias_scales = scales.astype(np.float64) * input_scale
    if bias is not None:
        needed = np.abs(bias).astype(np.float64) / _BIAS_MAX
        if axis is None:
            if needed.max() >= bias_scales[0]:
                raise InputError(f"{where}: weights too small for so large a bias")
        elif (needed > bias_scales).any():
            scales = np.where(needed > bias_scales, needed / input_scale, scales)
            scales = scales.astype(np.float32)
            bias_scales = np.maximum(needed, bias_scales)
    bias_scales = bias_scales.astype(np.float32)
    # Of a whole tensor the inverse is made from the range, not from the rounded scale.
    inverse = np.float32(127) / widened if axis is None else _inverse(scales)
    q = _rounded(weights, inverse.reshape(channels), 127).astype(np.int8)
    if bias is None:
        return q, scales, None, bias_scales
    return q, scales, _rounded(bias, _inverse(bias_scales), 2**31 - 1).astype(np.int32), bias_scales


def _inverse(scales: Array) -> Array:
    return np.asarray((1.0 / scales.astype(np.float64)).astype(np.float32))


# ---- writing -------------------------------------------------------------------------------------


class _Writer:
    """Tensors in the order of use: the input, then each operator's constants and output."""

    def __init__(self, model: RawModel, scales: dict[int, Quantization]) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self._schema: Any = schema
        self._model = model
        self._scales = scales
        self._written: dict[int, int] = {}  # tensor index of the float32 file -> of the int8 one
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._codes: list[Any] = []

    def file(self) -> bytes:
        import flatbuffers

        schema, model = self._schema, self._model
        self._activation(model.inputs[0], "input")
        operators = [self._operator(operator) for operator in model.operators]
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, operators
        graph.inputs = [self._written[index] for index in model.inputs]
        graph.outputs = [self._written[index] for index in model.outputs]
        whole = schema.ModelT()
        whole.version = 3
        whole.operatorCodes, whole.subgraphs, whole.buffers = self._codes, [graph], self._buffers
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(whole.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _operator(self, operator: RawOperator) -> Any:
        weights = _KINDS[operator.name].weights
        if weights is not None:
            inputs = self._layer_operands(operator, *weights)
        else:
            inputs = [
                self._written[i] if i in self._written else self._shape(i) for i in operator.inputs
            ]
        written = self._schema.OperatorT()
        written.opcodeIndex = self._code(operator.name)
        written.inputs = inputs
        output = operator.outputs[0]
        written.outputs = [self._activation(output, f"{operator.name.lower()}_{operator.index}")]
        if operator.name in OPTIONS:
            table, fields = OPTIONS[operator.name]
            written.builtinOptionsType = getattr(self._schema.BuiltinOptions, table)
            written.builtinOptions = getattr(self._schema, f"{table}T")()
            for name, value in (operator.options or {}).items():
                field = fields[name]
                setattr(written.builtinOptions, field[0].lower() + field[1:], value)
        return written

    def _layer_operands(self, operator: RawOperator, rank: int, axis: int | None) -> list[int]:
        source, weights_index, bias_index = operator.inputs
        where = f"operator {operator.index} {operator.name}"
        weights = float_values(self._model.tensors[weights_index])
        if weights.ndim != rank:
            raise InputError(f"{where}: weights with {weights.ndim} axes, not {rank}")
        bias = None if bias_index < 0 else float_values(self._model.tensors[bias_index])
        if bias is not None and bias.shape != (weights.shape[axis or 0],):
            raise InputError(f"{where}: {bias.size} biases for {weights.shape[axis or 0]} outputs")
        input_scale = float(np.float32(self._scales[source].scale))
        q, scales, q_bias, bias_scales = _weights_and_bias(weights, bias, axis, input_scale, where)
        inputs = [self._written[source], self._constant(q, "INT8", scales, axis or 0)]
        if q_bias is None:
            return [*inputs, -1]
        return [*inputs, self._constant(q_bias, "INT32", bias_scales, 0)]

    def _activation(self, index: int, name: str) -> int:
        tensor, quantization = self._model.tensors[index], self._scales[index]
        low, high = _SCALES
        if tensor.type != "FLOAT32" or not low <= quantization.scale <= high:
            raise InputError(
                f"tensor {index} {tensor.name!r}: {tensor.type} on scale {quantization.scale:g}; "
                f"FLOAT32 and a scale from {low:g} to {high:g} are needed"
            )
        scale = np.float32(quantization.scale)
        self._written[index] = self._tensor(
            tensor.shape, "INT8", np.array([scale]), quantization.zero_point
        )
        self._tensors[-1].name = name
        return self._written[index]

    def _shape(self, index: int) -> int:
        """The operand of RESHAPE that is no activation."""
        tensor = self._model.tensors[index]
        if tensor.type != "INT32" or tensor.data is None:
            raise InputError(f"tensor {index} {tensor.name!r} is {tensor.type}, not INT32")
        return self._constant(np.frombuffer(tensor.data.tobytes(), "<i4"), "INT32", None, 0)

    def _constant(self, values: Array, kind: str, scales: Array | None, axis: int) -> int:
        content = np.frombuffer(values.astype(values.dtype.newbyteorder("<")).tobytes(), np.uint8)
        self._buffers.append(_aligned_buffer(self._schema, content))
        index = self._tensor(values.shape, kind, scales, 0, axis)
        self._tensors[index].buffer = len(self._buffers) - 1
        return index

    def _tensor(
        self,
        shape: tuple[int, ...],
        kind: str,
        scales: Array | None,
        zero_point: int,
        axis: int = 0,
    ) -> int:
        tensor = self._schema.TensorT()
        tensor.shape, tensor.hasRank = list(shape), True
        tensor.type = getattr(self._schema.TensorType, kind)
        if scales is not None:
            tensor.quantization = self._schema.QuantizationParametersT()
            tensor.quantization.scale = scales.tolist()
            tensor.quantization.zeroPoint = [zero_point] * len(scales)
            tensor.quantization.quantizedDimension = axis
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _code(self, name: str) -> int:
        number = getattr(self._schema.BuiltinOperator, name)
        numbers = [code.builtinCode for code in self._codes]
        if number in numbers:
            return numbers.index(number)
        code = self._schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = number
        code.version = _KINDS[name].version
        self._codes.append(code)
        return len(self._codes) - 1


def _aligned_buffer(schema: Any, content: Array) -> Any:
    """A buffer of the object API, which on its own aligns bytes to nothing."""

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> Any:
            builder.Prep(_ALIGNMENT, len(self.data))
            return super().Pack(builder)

    buffer = Aligned()
    buffer.data = content
    return buffer

"""Writes small int8 .tflite files, operator by operator, with seeded random weights and scales.

``Model`` packs tensors and operators as they are given, right or wrong: refusals are tested with
it. ``Net`` stands on it and adds one method per operator that fills in a plausible output shape,
scale and weights, so that a few calls make a network whose int8 values use their range
(``trained_like`` keeps that so through many layers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from pipeline.compiler.fixedpoint import window_output
from pipeline.core.types import Array

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3


def _schema() -> Any:
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


class Model:
    """A .tflite under construction. Methods return indexes."""

    def __init__(self) -> None:
        s = _schema()
        self._model = s.ModelT()
        self._model.version = 3
        self._model.description = "test"
        self._model.operatorCodes = []
        self._model.buffers = [s.BufferT()]
        self.graph = s.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self._model.subgraphs = [self.graph]

    def tensor(
        self,
        shape: tuple[int, ...],
        scales: float | list[float] | None = None,
        zero_points: int | list[int] = 0,
        *,
        kind: str = "INT8",
        data: Array | None = None,
        axis: int = 0,
        variable: bool = False,
    ) -> int:
        s = _schema()
        tensor = s.TensorT()
        tensor.shape = list(shape)
        tensor.type = getattr(s.TensorType, kind)
        tensor.name = f"t{len(self.graph.tensors)}"
        tensor.isVariable = variable
        if scales is not None:
            quantization = s.QuantizationParametersT()
            quantization.scale = np.atleast_1d(np.asarray(scales, np.float32)).tolist()
            points = np.atleast_1d(zero_points).tolist()
            quantization.zeroPoint = points * (len(quantization.scale) // len(points))
            quantization.quantizedDimension = axis
            tensor.quantization = quantization
        if data is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(
        self,
        name: str,
        inputs: list[int],
        outputs: list[int],
        options: str | None = None,
        version: int = 1,
        **fields: Any,
    ) -> int:
        s = _schema()
        number = getattr(s.BuiltinOperator, name)
        code = s.OperatorCodeT()
        code.builtinCode = number
        code.deprecatedBuiltinCode = min(number, 127)
        code.version = version
        if name == "CUSTOM":
            code.customCode = "Mystery"
        operator = s.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes)
        operator.inputs, operator.outputs = inputs, outputs
        if options is not None:
            table = getattr(s, f"{options}T")()
            for field, value in fields.items():
                assert hasattr(table, field), field
                setattr(table, field, value)
            operator.builtinOptions = table
            operator.builtinOptionsType = getattr(s.BuiltinOptions, options)
        self._model.operatorCodes.append(code)
        self.graph.operators.append(operator)
        return len(self.graph.operators) - 1

    def set_version(self, operator: int, version: int) -> None:
        code = self.graph.operators[operator].opcodeIndex
        self._model.operatorCodes[code].version = version

    def duplicate_graph(self) -> None:
        self._model.subgraphs.append(self.graph)

    def pack(self, inputs: list[int], outputs: list[int]) -> bytes:
        import flatbuffers

        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1 << 14)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


@dataclass(frozen=True)
class Value:
    """An activation of the network: tensor index, shape and quantization."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class Net:
    """A network of one int8 input; `add_input` gives it more, `float_input` and `dequantize` make
    float32 borders. Everything random comes from ``seed``."""

    def __init__(
        self,
        seed: int,
        input_shape: tuple[int, ...],
        scale: float | None = None,
        *,
        trained_like: bool = False,
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.model = Model()
        self._trained_like = trained_like
        self.input = self._value(input_shape, scale or self._scale(), 3 if trained_like else None)
        self.given = [self.input.index]

    def add_input(self, shape: tuple[int, ...], like: Value | None = None) -> Value:
        """On the scale of ``like`` or one of its own."""
        x = (
            self._value(shape, like.scale, like.zero_point)
            if like
            else self._value(shape, self._scale())
        )
        self.given.append(x.index)
        return x

    def float_input(self, x: Value) -> None:
        """Makes the input ``x`` float32, quantized by the first operator."""
        index = self.model.tensor(x.shape, kind="FLOAT32")
        self.model.operator("QUANTIZE", [index], [x.index], "QuantizeOptions")
        self.given[self.given.index(x.index)] = index

    def dequantize(self, x: Value) -> Value:
        """``x`` in float32."""
        y = Value(self.model.tensor(x.shape, kind="FLOAT32"), x.shape, x.scale, x.zero_point)
        self.model.operator("DEQUANTIZE", [x.index], [y.index], "DequantizeOptions", 2)
        return y

    def build(self, *outputs: Value) -> bytes:
        return self.model.pack(self.given, [value.index for value in outputs])

    def conv(
        self,
        x: Value,
        channels: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        padding: int = SAME,
        activation: int = NONE,
        dilation: tuple[int, int] = (1, 1),
        *,
        per_channel: bool = True,
        bias: bool = True,
        output: tuple[float, int] | None = None,
    ) -> Value:
        weights = self._weights((channels, *kernel, x.shape[3]))
        return self._convolution(
            "CONV_2D", "Conv2DOptions", x, weights, channels, 0, kernel, stride, padding,
            activation, dilation, per_channel, bias, output, {},
        )  # fmt: skip

    def depthwise(
        self,
        x: Value,
        multiplier: int = 1,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        padding: int = SAME,
        activation: int = NONE,
        dilation: tuple[int, int] = (1, 1),
        *,
        per_channel: bool = True,
        bias: bool = True,
    ) -> Value:
        channels = x.shape[3] * multiplier
        weights = self._weights((1, *kernel, channels))
        return self._convolution(
            "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", x, weights, channels, 3, kernel, stride,
            padding, activation, dilation, per_channel, bias, None, {"depthMultiplier": multiplier},
        )  # fmt: skip

    def fully_connected(
        self, x: Value, size: int, activation: int = NONE, *, per_channel: bool = False,
        bias: bool = True, keep_dims: bool = False,
    ) -> Value:  # fmt: skip
        depth = x.shape[-1] if keep_dims else prod(x.shape[1:])
        weights = self._weights((size, depth))
        scales = self._weight_scales(size if per_channel else 1, x, depth, activation)
        inputs = [x.index, self.model.tensor(weights.shape, scales, data=weights)]
        inputs += self._bias(size, depth, x.scale, scales) if bias else [-1]
        shape = (*x.shape[:-1], size) if keep_dims else (x.shape[0], size)
        y = self._value(shape, *self._accumulated(x, scales, depth, activation))
        self.model.operator(
            "FULLY_CONNECTED", inputs, [y.index], "FullyConnectedOptions", 4,
            fusedActivationFunction=activation, keepNumDims=keep_dims,
        )  # fmt: skip
        return y

    def pool(
        self, x: Value, kind: str, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1),
        padding: int = VALID, activation: int = NONE,
    ) -> Value:  # fmt: skip
        shape = self._windowed(x, kernel, stride, (1, 1), padding, x.shape[3])
        y = self._value(shape, x.scale, x.zero_point)
        self.model.operator(
            f"{kind}_POOL_2D", [x.index], [y.index], "Pool2DOptions", 2, padding=padding,
            strideH=stride[0], strideW=stride[1], filterHeight=kernel[0], filterWidth=kernel[1],
            fusedActivationFunction=activation,
        )  # fmt: skip
        return y

    def mean(self, x: Value, axes: tuple[int, ...] = (1, 2), *, keep_dims: bool = False) -> Value:
        scale = x.scale * float(self.rng.uniform(0.4, 1.4))
        zero_point = int(np.clip(x.zero_point * x.scale / scale, -128, 127))
        return self._reduced("MEAN", x, axes, keep_dims, scale, zero_point)

    def most(self, x: Value, axes: tuple[int, ...] = (1, 2), *, keep_dims: bool = False) -> Value:
        return self._reduced("REDUCE_MAX", x, axes, keep_dims, x.scale, x.zero_point)

    def _reduced(
        self, name: str, x: Value, axes: tuple[int, ...], keep: bool, scale: float, zero_point: int
    ) -> Value:
        reduced = {axis % len(x.shape) for axis in axes}
        if keep:
            shape = tuple(1 if i in reduced else n for i, n in enumerate(x.shape))
        else:
            shape = tuple(n for i, n in enumerate(x.shape) if i not in reduced)
        y = self._value(shape, scale, zero_point)
        inputs = [x.index, self.integers(axes)]
        self.model.operator(name, inputs, [y.index], "ReducerOptions", 2, keepDims=keep)
        return y

    def prelu(self, x: Value, slopes: Value) -> Value:
        y = self._value(x.shape, x.scale * float(self.rng.uniform(0.4, 1.4)))
        self.model.operator("PRELU", [x.index, slopes.index], [y.index])
        return y

    def transpose(self, x: Value, order: tuple[int, ...]) -> Value:
        y = self._value(tuple(x.shape[axis] for axis in order), x.scale, x.zero_point)
        inputs = [x.index, self.integers(order)]
        self.model.operator("TRANSPOSE", inputs, [y.index], "TransposeOptions", 2)
        return y

    def strided_slice(
        self,
        x: Value,
        begin: tuple[int, ...],
        end: tuple[int, ...],
        strides: tuple[int, ...],
        **masks: int,
    ) -> Value:
        """``masks``: beginMask, endMask and shrinkAxisMask."""
        taken: list[slice | int] = [
            (0 if masks.get("beginMask", 0) >> axis & 1 else first)
            if masks.get("shrinkAxisMask", 0) >> axis & 1
            else slice(
                None if masks.get("beginMask", 0) >> axis & 1 else first,
                None if masks.get("endMask", 0) >> axis & 1 else last,
                step,
            )
            for axis, (first, last, step) in enumerate(zip(begin, end, strides, strict=True))
        ]
        y = self._value(np.empty(x.shape, bool)[tuple(taken)].shape, x.scale, x.zero_point)
        inputs = [x.index, *(self.integers(each) for each in (begin, end, strides))]
        self.model.operator("STRIDED_SLICE", inputs, [y.index], "StridedSliceOptions", 2, **masks)
        return y

    def split(self, x: Value, axis: int, sizes: list[int]) -> list[Value]:
        """SPLIT where all ``sizes`` are equal, else SPLIT_V."""
        parts = []
        for size in sizes:
            shape = list(x.shape)
            shape[axis] = size
            parts.append(self._value(tuple(shape), x.scale, x.zero_point))
        outputs, at = [part.index for part in parts], self.integers((axis,))
        if len(set(sizes)) == 1:
            self.model.operator(
                "SPLIT", [at, x.index], outputs, "SplitOptions", 2, numSplits=len(sizes)
            )
        else:
            self.model.operator(
                "SPLIT_V",
                [x.index, self.integers(tuple(sizes)), at],
                outputs,
                "SplitVOptions",
                numSplits=len(sizes),
            )
        return parts

    def unpack(self, x: Value, axis: int) -> list[Value]:
        shape = x.shape[:axis] + x.shape[axis + 1 :]
        parts = [self._value(shape, x.scale, x.zero_point) for _ in range(x.shape[axis])]
        outputs = [part.index for part in parts]
        self.model.operator(
            "UNPACK", [x.index], outputs, "UnpackOptions", 2, axis=axis, num=len(parts)
        )
        return parts

    def to_batches(
        self,
        x: Value,
        block: tuple[int, ...],
        pads: list[tuple[int, int]],
        batch: int | None = None,
    ) -> Value:
        """SPACE_TO_BATCH_ND; ``batch``: what the file says of it, if something else."""
        sizes = [(n + sum(pad)) // b for n, pad, b in zip(x.shape[1:], pads, block, strict=False)]
        shape = (batch or prod(block), *sizes, *x.shape[1 + len(sizes) :])
        return self._batches("SPACE_TO_BATCH_ND", x, shape, block, pads)

    def from_batches(self, x: Value, block: tuple[int, ...], crops: list[tuple[int, int]]) -> Value:
        """BATCH_TO_SPACE_ND."""
        sizes = [n * b - sum(crop) for n, crop, b in zip(x.shape[1:], crops, block, strict=False)]
        shape = (1, *sizes, *x.shape[1 + len(sizes) :])
        return self._batches("BATCH_TO_SPACE_ND", x, shape, block, crops)

    def _batches(
        self,
        name: str,
        x: Value,
        shape: tuple[int, ...],
        block: tuple[int, ...],
        ends: list[tuple[int, int]],
    ) -> Value:
        y = self._value(shape, x.scale, x.zero_point)
        self.model.operator(name, [x.index, self.integers(block), self.integers(ends)], [y.index])
        return y

    def lstm(
        self, x: Value, units: int, *, time_major: bool = False, cell_clip: float = 0.0
    ) -> Value:
        """UNIDIRECTIONAL_SEQUENCE_LSTM of a batch of 1."""
        inputs = x.shape[2]
        y = self._value((*x.shape[:2], units), 1 / 128)
        sizes = [inputs] * 4 + [units] * 4
        weights = [
            self.model.tensor(
                (units, size),
                float(self.rng.uniform(0.2, 2.0))
                / (127 * size**0.5 * (x.scale * 60 if i < 4 else 1)),
                data=self._weights((units, size)),
            )
            for i, size in enumerate(sizes)
        ]
        biases = [
            self.model.tensor(
                (units,), 1e-4, kind="INT32", data=self.rng.integers(-9999, 9999, units, np.int32)
            )
            for _ in range(4)
        ]
        hidden = self.model.tensor((1, units), y.scale, y.zero_point, variable=True)
        cell_scale = 2.0 ** -int(self.rng.integers(9, 14))
        cell = self.model.tensor((1, units), cell_scale, 0, kind="INT16", variable=True)
        self.model.operator(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            [x.index, *weights, *[-1] * 3, *biases, -1, -1, hidden, cell, *[-1] * 4],
            [y.index],
            "UnidirectionalSequenceLSTMOptions",
            fusedActivationFunction=4,
            cellClip=cell_clip,
            timeMajor=time_major,
        )
        return y

    def svdf(self, x: Value, units: int, rank: int, memory: int, kind: str = "INT16") -> Value:
        filters, inputs = units * rank, x.shape[1]
        wide = kind == "INT16"
        y = self._value((1, units), 0.05)
        state = (0.5 / 32768 * 8, 0) if wide else (0.05, int(self.rng.integers(-60, 60)))
        features = (state[0] * (9000 if wide else 40)) / (x.scale * 128 * 127 * inputs**0.5 / 2)
        time = 1 / (32767 if wide else 127)
        most = 32767 if wide else 127
        data = self.rng.integers(-most, most + 1, (filters, memory))
        operands = [
            self.model.tensor((filters, inputs), features, data=self._weights((filters, inputs))),
            self.model.tensor(
                (filters, memory), time, kind=kind, data=data.astype(np.int16 if wide else np.int8)
            ),
            self.model.tensor(
                (units,),
                state[0] * time,
                kind="INT32",
                data=self.rng.integers(-1000, 1000, units, np.int32),
            ),
            self.model.tensor((1, filters * memory), *state, kind=kind, variable=True),
        ]
        self.model.operator(
            "SVDF", [x.index, *operands], [y.index], "SVDFOptions", 3, rank=rank,
            fusedActivationFunction=RELU,
        )  # fmt: skip
        return y

    def integers(self, values: Sequence[int] | Sequence[tuple[int, int]]) -> int:
        """An int32 constant."""
        data = np.array(values, np.int32)
        return self.model.tensor(data.shape, kind="INT32", data=data)

    def add(self, a: Value, b: Value, activation: int = NONE) -> Value:
        scale = (a.scale**2 + b.scale**2) ** 0.5 * float(self.rng.uniform(0.6, 1.3))
        y = self._value(a.shape, scale)
        self.model.operator(
            "ADD", [a.index, b.index], [y.index], "AddOptions", 2,
            fusedActivationFunction=activation,
        )  # fmt: skip
        return y

    def pair(self, name: str, a: Value, b: Value, activation: int = NONE) -> Value:
        """ADD, SUB, MUL, MINIMUM and MAXIMUM of shapes that broadcast."""
        scale: float = (a.scale**2 + b.scale**2) ** 0.5 * float(self.rng.uniform(0.6, 1.3))
        if name == "MUL":
            scale = a.scale * b.scale * 60.0
        chooses = name in ("MINIMUM", "MAXIMUM")
        y = self._value(
            np.broadcast_shapes(a.shape, b.shape),
            a.scale if chooses else scale,
            a.zero_point if chooses else None,
        )
        options = "MaximumMinimumOptions" if chooses else f"{name.title()}Options"
        fields = {} if chooses else {"fusedActivationFunction": activation}
        self.model.operator(name, [a.index, b.index], [y.index], options, 2, **fields)
        return y

    def constant(self, shape: tuple[int, ...], like: Value | None = None) -> Value:
        """An int8 constant, on the scale of ``like`` or one of its own."""
        scale = like.scale if like else float(np.float32(self._scale()))
        zero_point = like.zero_point if like else int(self.rng.integers(-128, 128))
        data = self.rng.integers(-128, 128, shape).astype(np.int8)
        return Value(
            self.model.tensor(shape, scale, zero_point, data=data), shape, scale, zero_point
        )

    def pad(self, x: Value, paddings: list[tuple[int, int]], value: int | None = None) -> Value:
        shape = tuple(
            n + before + after for n, (before, after) in zip(x.shape, paddings, strict=True)
        )
        y = self._value(shape, x.scale, x.zero_point)
        data = np.array(paddings, np.int32)
        inputs = [x.index, self.model.tensor(data.shape, kind="INT32", data=data)]
        if value is not None:
            fill = np.array([value], np.int8)
            inputs.append(self.model.tensor((1,), x.scale, x.zero_point, data=fill))
        name = "PAD" if value is None else "PADV2"
        self.model.operator(
            name, inputs, [y.index], f"{name.title()}Options".replace("v2", "V2"), 2
        )
        return y

    def concatenate(self, values: list[Value], axis: int = -1) -> Value:
        at = axis % len(values[0].shape)
        shape = list(values[0].shape)
        shape[at] = sum(value.shape[at] for value in values)
        y = self._value(tuple(shape), values[0].scale, values[0].zero_point)
        self.model.operator(
            "CONCATENATION", [value.index for value in values], [y.index],
            "ConcatenationOptions", 2, axis=axis,
        )  # fmt: skip
        return y

    def reshape(self, x: Value, shape: tuple[int, ...], computed: int | None = None) -> Value:
        y = self._value(shape, x.scale, x.zero_point)
        inputs = [x.index, self.integers(shape) if computed is None else computed]
        self.model.operator("RESHAPE", inputs, [y.index], "ReshapeOptions", newShape=list(shape))
        return y

    def softmax(self, x: Value, beta: float = 1.0) -> Value:
        y = self._value(x.shape, 1 / 256, -128)
        self.model.operator("SOFTMAX", [x.index], [y.index], "SoftmaxOptions", 2, beta=beta)
        return y

    def unary(self, name: str, x: Value, **fields: Any) -> Value:
        """An operator of single elements, to another scale; RELU6, at the same; LOGISTIC and TANH,
        at the only one that they have. ``fields``: its options."""
        scale, zero_point = {
            "RELU6": (x.scale, x.zero_point),
            "LOGISTIC": (1 / 256, -128),
            "TANH": (1 / 128, 0),
        }.get(name, (x.scale * float(self.rng.uniform(0.4, 2.5)), None))
        y = self._value(x.shape, scale, zero_point)
        options = {
            "QUANTIZE": "QuantizeOptions",
            "HARD_SWISH": "HardSwishOptions",
            "LEAKY_RELU": "LeakyReluOptions",
        }.get(name)
        self.model.operator(name, [x.index], [y.index], options, **fields)
        return y

    def _convolution(
        self, name: str, options: str, x: Value, weights: Array, channels: int, axis: int,
        kernel: tuple[int, int], stride: tuple[int, int], padding: int, activation: int,
        dilation: tuple[int, int], per_channel: bool, bias: bool,
        output: tuple[float, int] | None, fields: dict[str, int],
    ) -> Value:  # fmt: skip
        taps = weights.size // channels
        scales = self._weight_scales(channels if per_channel else 1, x, taps, activation)
        inputs = [x.index, self.model.tensor(weights.shape, scales, data=weights, axis=axis)]
        inputs += self._bias(channels, taps, x.scale, scales) if bias else []
        shape = self._windowed(x, kernel, stride, dilation, padding, channels)
        y = self._value(shape, *(output or self._accumulated(x, scales, taps, activation)))
        self.model.operator(
            name, inputs, [y.index], options, 3, padding=padding, strideH=stride[0],
            strideW=stride[1], dilationHFactor=dilation[0], dilationWFactor=dilation[1],
            fusedActivationFunction=activation, **fields,
        )  # fmt: skip
        return y

    def _value(self, shape: tuple[int, ...], scale: float, zero_point: int | None = None) -> Value:
        if zero_point is None:
            zero_point = int(self.rng.integers(-128, 128))
        scale = float(np.float32(scale))
        return Value(self.model.tensor(shape, scale, zero_point), shape, scale, zero_point)

    def _windowed(
        self, x: Value, kernel: tuple[int, int], stride: tuple[int, int],
        dilation: tuple[int, int], padding: int, channels: int,
    ) -> tuple[int, ...]:  # fmt: skip
        sizes = [
            window_output(x.shape[i + 1], kernel[i], stride[i], dilation[i], padding == SAME)
            for i in range(2)
        ]
        return (x.shape[0], *sizes, channels)

    def _scale(self) -> float:
        return float(np.exp(self.rng.uniform(np.log(1e-3), np.log(0.5))))

    def _weights(self, shape: tuple[int, ...]) -> Array:
        return self.rng.integers(-127, 128, shape).astype(np.int8)

    def _weight_scales(self, count: int, x: Value, taps: int, activation: int) -> list[float]:
        base = self._scale() * 0.05
        if self._trained_like:  # the output's deviation comes to 45 or 90 steps of about 0.03
            steps = 90 if activation in (RELU, RELU6) else 45
            base = 0.03 * steps / (x.scale * 73 * 60 * 0.68 * taps**0.5)
        return [base * float(part) for part in self.rng.uniform(0.3, 1.0, count)]

    def _bias(self, channels: int, taps: int, scale: float, scales: list[float]) -> list[int]:
        reach = int(3000 * taps**0.5)
        data = self.rng.integers(-reach, reach, channels).astype(np.int32)
        return [
            self.model.tensor((channels,), [scale * s for s in scales], kind="INT32", data=data)
        ]

    def _accumulated(
        self, x: Value, scales: list[float], taps: int, activation: int
    ) -> tuple[float, int | None]:
        """An output scale and zero point that an accumulator over ``taps`` products fills."""
        if self._trained_like:
            zero_point = -128 if activation in (RELU, RELU6) else int(self.rng.integers(-20, 20))
            return 0.03 * float(self.rng.uniform(0.8, 1.2)), zero_point
        return x.scale * max(scales) * 73 * 90 * taps**0.5 * 3 / 127, None

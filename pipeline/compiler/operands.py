"""Checked access to one operator's tensors, shared by all lowerings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.compiler.errors import Refusal
from pipeline.compiler.fixedpoint import INT8_MAX, INT8_MIN
from pipeline.compiler.graph import Constant, KernelCall, Param, TensorInfo
from pipeline.compiler.reader import RawOperator, RawTensor

# Larger activations fit no memory that this engine is for; below it, sums over a whole tensor
# (MEAN, AVERAGE_POOL_2D) stay within int32.
MAX_ACTIVATION_BYTES = 1 << 22
_MAX_DIMENSION = 1 << 20


def require(condition: bool, reason: str) -> None:
    """Raises Refusal with ``reason`` unless ``condition``."""
    if not condition:
        raise Refusal(reason)


def activation_info(tensor: RawTensor) -> TensorInfo:
    """An int8 activation with one scale. Raises Refusal."""
    what = f"tensor {tensor.index} {tensor.name!r}"
    require(tensor.data is None, f"{what} is a constant where an activation is needed")
    return _int8_info(tensor)


def float_shape(tensor: RawTensor) -> tuple[int, ...]:
    """The shape of a float32 activation. Raises Refusal."""
    what = f"tensor {tensor.index} {tensor.name!r}"
    require(tensor.type == "FLOAT32", f"{what} is {tensor.type}, not FLOAT32")
    require(tensor.data is None, f"{what} is a constant where an activation is needed")
    require(tensor.plain and not tensor.variable, f"{what} is sparse or a variable")
    return tensor.shape


def _int8_info(tensor: RawTensor) -> TensorInfo:
    what = f"tensor {tensor.index} {tensor.name!r}"
    require(tensor.type == "INT8", f"{what} is {tensor.type}, not INT8")
    require(not tensor.variable, f"{what} is a variable")
    require(tensor.plain, f"{what} is sparse or quantized in blocks")
    _check_shape(tensor, what)
    require(
        prod(tensor.shape) <= MAX_ACTIVATION_BYTES,
        f"{what} of shape {tensor.shape} is larger than {MAX_ACTIVATION_BYTES} bytes",
    )
    require(len(tensor.scales) == 1, f"{what} has {len(tensor.scales)} scales, not 1")
    require(len(tensor.zero_points) == 1, f"{what} has {len(tensor.zero_points)} zero points")
    scale, zero_point = float(tensor.scales[0]), int(tensor.zero_points[0])
    require(np.isfinite(scale) and scale > 0.0, f"{what} has scale {scale}")
    require(INT8_MIN <= zero_point <= INT8_MAX, f"{what} has zero point {zero_point}")
    return TensorInfo(tensor.name, tensor.shape, scale, zero_point)


def _check_shape(tensor: RawTensor, what: str) -> None:
    require(
        all(1 <= size <= _MAX_DIMENSION for size in tensor.shape),
        f"{what} has shape {tensor.shape}",
    )


def steps_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Elements from one to the next along each axis."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


@dataclass(frozen=True)
class Operands:
    """One operator with the model's tensors in reach."""

    operator: RawOperator
    tensors: tuple[RawTensor, ...]

    def require_count(self, low: int, high: int | None = None, *, outputs: int = 1) -> None:
        """Refuses another number of inputs than ``low``..``high``, or of outputs."""
        count = len(self.operator.inputs)
        require(low <= count <= (high or low), f"{count} inputs")
        require(len(self.operator.outputs) == outputs, f"{len(self.operator.outputs)} outputs")

    def options(self, *names: str) -> tuple[int, ...]:
        """The named integer options."""
        return tuple(int(self._options[name]) for name in names)

    def real(self, name: str) -> float:
        """The named option that is a real number."""
        return float(self._options[name])

    @property
    def _options(self) -> dict[str, float]:
        if self.operator.options is None:
            raise Refusal("its options are missing")
        return self.operator.options

    def input_index(self, position: int) -> int:
        """Tensor index of input ``position``; refuses an absent one."""
        index = self.operator.inputs[position] if position < len(self.operator.inputs) else -1
        require(index >= 0, f"input {position} is missing")
        return index

    @property
    def output_index(self) -> int:
        return self.operator.outputs[0]

    def activation(self, position: int, rank: int | None = None) -> TensorInfo:
        """Input ``position`` as an int8 activation, of this rank if given."""
        return _with_rank(activation_info(self.tensors[self.input_index(position)]), rank)

    def operand(self, position: int) -> tuple[TensorInfo, Constant | None]:
        """Input ``position`` as int8 of one scale, and its values if it is a constant."""
        tensor = self.tensors[self.input_index(position)]
        if tensor.data is None:
            return activation_info(tensor), None
        _, values = self.constant(position, "INT8")
        return _int8_info(tensor), Constant("operand", values)

    def output(self, rank: int | None = None) -> TensorInfo:
        """The only output as an int8 activation, of this rank if given."""
        return _with_rank(activation_info(self.tensors[self.output_index]), rank)

    def call(
        self,
        kernel: str,
        params: Mapping[str, Param],
        *,
        struct: str = "",
        inputs: int = 1,
        arrays: tuple[Constant, ...] = (),
        gathered: bool = False,
        macs: int = 0,
    ) -> KernelCall:
        """The call of ``kernel`` on the first ``inputs`` inputs; ``struct`` has the kernel's name
        where none is given; the rest as `KernelCall`."""
        return KernelCall(
            index=self.operator.index,
            operator=self.operator.name,
            kernel=kernel,
            struct=struct or kernel.replace("_s8", "_params"),
            params=params,
            inputs=tuple(self.input_index(position) for position in range(inputs)),
            output=self.output_index,
            arrays=arrays,
            gathered=gathered,
            macs=macs,
        )

    def absent(self, position: int) -> bool:
        """Whether optional input ``position`` is not given."""
        return position >= len(self.operator.inputs) or self.operator.inputs[position] < 0

    def constant(self, position: int, kind: str) -> tuple[RawTensor, npt.NDArray[Any]]:
        """Input ``position`` as a constant of type INT8, INT16 or INT32, shaped. Raises Refusal."""
        tensor = self.tensors[self.input_index(position)]
        what = f"tensor {tensor.index} {tensor.name!r}"
        require(tensor.type == kind, f"{what} is {tensor.type}, not {kind}")
        if tensor.data is None:
            raise Refusal(f"{what} is not a constant")
        require(tensor.plain, f"{what} is sparse or quantized in blocks")
        _check_shape(tensor, what)
        item = np.dtype({"INT8": "<i1", "INT16": "<i2", "INT32": "<i4"}[kind])
        needed = prod(tensor.shape) * item.itemsize
        require(
            tensor.data.nbytes == needed,
            f"{what} of shape {tensor.shape} has {tensor.data.nbytes} bytes, not {needed}",
        )
        return tensor, tensor.data.view(item).reshape(tensor.shape)


def _with_rank(info: TensorInfo, rank: int | None) -> TensorInfo:
    require(rank is None or len(info.shape) == rank, f"{info.name!r} has shape {info.shape}")
    return info


def same_quantization(a: TensorInfo, b: TensorInfo) -> bool:
    """Whether both tensors mean the same real value by the same int8."""
    return a.scale == b.scale and a.zero_point == b.zero_point

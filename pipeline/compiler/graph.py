"""What the compiler knows of a network after every check: kernel calls over int8 tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True)
class TensorInfo:
    """An int8 tensor: real value = scale * (q - zero_point). ``shape`` includes the batch, 1.
    ``is_float``: an input or output that the model gives as float32, around this one."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    is_float: bool = False

    @property
    def size_bytes(self) -> int:
        return prod(self.shape)

    @property
    def model_bytes(self) -> int:
        """As the model has it, float32 or int8."""
        return self.size_bytes * (4 if self.is_float else 1)


@dataclass(frozen=True, eq=False)
class Constant:
    """A const array of the generated C: ``values`` are integers, their shape a comment there."""

    role: str
    values: npt.NDArray[Any]

    @property
    def size_bytes(self) -> int:
        return int(self.values.nbytes)


class Name(str):
    """In a parameter struct: a C function, or the role of one of the call's own arrays."""


Param = int | Name | tuple["Param", ...]


@dataclass(frozen=True, eq=False)
class KernelCall:
    """One operator, or a group of them, as one call of har_nn.h or har_matrix.h.

    ``struct`` and ``params`` fill the kernel's parameter struct; ``arrays`` follow the inputs in
    the call, in order, unless ``params`` name them. ``gathered`` says that the inputs go in as one
    array of pointers. ``scratch_bytes``: of memory that the call needs for itself; its place goes
    in behind the inputs. ``state_bytes``: of memory that stays from run to run, likewise; 0 at the
    start. ``part``: which of an operator's calls this is, where it takes several.
    """

    index: int
    operator: str
    kernel: str
    struct: str
    params: Mapping[str, Param]
    inputs: tuple[int, ...]
    output: int
    arrays: tuple[Constant, ...] = ()
    gathered: bool = False
    macs: int = 0
    scratch_bytes: int = 0
    state_bytes: int = 0
    part: int = 0


@dataclass(frozen=True)
class View:
    """RESHAPE: the output is the input's bytes under another shape; nothing runs."""

    index: int
    operator: str
    input: int
    output: int

    @property
    def inputs(self) -> tuple[int, ...]:
        return (self.input,)


Step = KernelCall | View


@dataclass(frozen=True)
class Stay:
    """After a hop: in each of ``planes`` stretches of a tensor, ``bytes`` from ``start`` on come to
    its front."""

    tensor: int
    planes: int
    plane_bytes: int
    start: int
    bytes: int


@dataclass(frozen=True)
class Graph:
    """Steps in the order of execution. Tensor keys are the .tflite's tensor indexes.
    ``float_inputs`` and ``float_outputs``: positions of those that are float32 in the model.
    ``storage_bytes``: of tensors that do not lie as int8 in the order of their shape.

    Of a streaming graph (`pipeline.compiler.stream`): ``lengths``, the columns of a whole window,
    of each tensor along time; ``kept``, how many columns before the new ones stay from hop to hop;
    ``stays``, what moves them there.
    """

    tensors: dict[int, TensorInfo]
    steps: tuple[Step, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...] = field(default=())
    float_inputs: frozenset[int] = field(default=frozenset())
    float_outputs: frozenset[int] = field(default=frozenset())
    storage_bytes: dict[int, int] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    kept: dict[int, int] = field(default_factory=dict)
    stays: tuple[Stay, ...] = field(default=())

    @property
    def input_infos(self) -> tuple[TensorInfo, ...]:
        return self._infos(self.inputs, self.float_inputs)

    @property
    def output_infos(self) -> tuple[TensorInfo, ...]:
        return self._infos(self.outputs, self.float_outputs)

    def _infos(self, tensors: tuple[int, ...], floats: frozenset[int]) -> tuple[TensorInfo, ...]:
        return tuple(
            replace(self.tensors[tensor], is_float=position in floats)
            for position, tensor in enumerate(tensors)
        )

    def size_bytes(self, tensor: int) -> int:
        """What the tensor takes in memory."""
        return self.storage_bytes.get(tensor, self.tensors[tensor].size_bytes)

"""TRANSPOSE, STRIDED_SLICE, SPLIT, SPLIT_V and UNPACK: elements in another order, or some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from pipeline.compiler.graph import KernelCall, TensorInfo
from pipeline.compiler.operands import (
    Operands,
    activation_info,
    require,
    same_quantization,
    steps_of,
)
from pipeline.compiler.operators.operator import SAME_SCALE, Operator

_RANK = 4


def slices_of(op: Operands, shape: tuple[int, ...]) -> tuple[slice | int, ...]:
    """What STRIDED_SLICE takes of each axis of its first input, of this shape. Raises Refusal."""
    op.require_count(4)
    begin, end, strides = (op.constant(position, "INT32")[1] for position in (1, 2, 3))
    require(begin.ndim == 1 and begin.shape == end.shape == strides.shape, "no list of axes")
    require(len(begin) <= len(shape), f"{len(begin)} axes of {len(shape)}")
    ellipsis, new, offset = op.options("ellipsis_mask", "new_axis_mask", "offset")
    require((ellipsis, new, offset) == (0, 0, 0), "an ellipsis, a new axis or an offset")
    begin_mask, end_mask, shrink_mask = op.options("begin_mask", "end_mask", "shrink_axis_mask")
    found: list[slice | int] = []
    for axis, (first, last, step) in enumerate(
        zip(begin.tolist(), end.tolist(), strides.tolist(), strict=True)
    ):
        bit = 1 << axis
        if shrink_mask & bit:
            first = 0 if begin_mask & bit else first  # as TFLM
            require(-shape[axis] <= first < shape[axis], f"element {first} of {shape[axis]}")
            found.append(first % shape[axis])
            continue
        require(step != 0, "a stride of 0")
        found.append(
            slice(None if begin_mask & bit else first, None if end_mask & bit else last, step)
        )
    return tuple(found)


def lower_strided_slice(op: Operands) -> KernelCall:
    source, target = op.activation(0), op.output()
    steps = steps_of(source.shape)
    first, sizes, strides = 0, [], []
    taken = slices_of(op, source.shape)
    taken += (slice(None),) * (len(source.shape) - len(taken))
    for size, step, each in zip(source.shape, steps, taken, strict=True):
        if isinstance(each, int):
            first += each * step
            continue
        start, stop, stride = each.indices(size)
        sizes.append(len(range(start, stop, stride)))
        strides.append(stride * step)
        first += start * step
    return _call(op, source, target, first, sizes, strides)


def lower_transpose(op: Operands) -> KernelCall:
    op.require_count(2)
    source, target = op.activation(0), op.output()
    _, values = op.constant(1, "INT32")
    order, rank = values.reshape(-1).tolist(), len(source.shape)
    require(sorted(order) == list(range(rank)), f"axes {order} of {rank}")
    steps = steps_of(source.shape)
    return _call(op, source, target, 0, [source.shape[i] for i in order], [steps[i] for i in order])


def lower_split(op: Operands) -> tuple[KernelCall, ...]:
    """SPLIT in equal parts, SPLIT_V in parts of given sizes."""
    equal = op.operator.name == "SPLIT"
    op.require_count(2 if equal else 3, outputs=len(op.operator.outputs))
    position, axis_at = (1, 0) if equal else (0, 2)
    _, values = op.constant(axis_at, "INT32")
    require(values.size == 1, f"axes {values.tolist()}")
    return _parts(op, position, int(values.flat[0]), keeps_axis=True)


def lower_unpack(op: Operands) -> tuple[KernelCall, ...]:
    op.require_count(1, outputs=len(op.operator.outputs))
    (axis,) = op.options("axis")
    return _parts(op, 0, axis, keeps_axis=False)


def _parts(op: Operands, position: int, axis: int, *, keeps_axis: bool) -> tuple[KernelCall, ...]:
    """Input ``position`` along ``axis``, part by part: as much as each output has, or one element
    each."""
    source = op.activation(position)
    rank = len(source.shape)
    require(-rank <= axis < rank, f"axis {axis} of {rank}")
    axis %= rank
    targets = [activation_info(op.tensors[index]) for index in op.operator.outputs]
    ends = [0]
    for target in targets:
        require(len(target.shape) == rank - (not keeps_axis), f"output of shape {target.shape}")
        ends.append(ends[-1] + (target.shape[axis] if keeps_axis else 1))
    require(ends[-1] == source.shape[axis], f"{ends[-1]} of {source.shape[axis]} elements")
    steps = steps_of(source.shape)
    calls = []
    for part, (target, (start, stop)) in enumerate(zip(targets, pairwise(ends), strict=True)):
        kept = [stop - start] if keeps_axis else []
        sizes = [*source.shape[:axis], *kept, *source.shape[axis + 1 :]]
        along = steps if keeps_axis else steps[:axis] + steps[axis + 1 :]
        call = _call(op, source, target, start * steps[axis], sizes, along)
        index = op.operator.outputs[part]
        calls.append(replace(call, inputs=(op.input_index(position),), output=index, part=part))
    return tuple(calls)


def _call(
    op: Operands,
    source: TensorInfo,
    target: TensorInfo,
    first: int,
    sizes: Sequence[int],
    steps: Sequence[int],
) -> KernelCall:
    """Element (i, j, ...) of the output is the input's at first + i * steps[0] + ..."""
    require(same_quantization(source, target), "input and output differ in scale or zero point")
    require(target.shape == tuple(sizes), f"output of shape {target.shape}, not {tuple(sizes)}")
    runs = list(_merged(sizes, steps))
    require(len(runs) <= _RANK, f"{len(runs)} axes; at most {_RANK}")
    runs = [(1, 0)] * (_RANK - len(runs)) + runs
    return op.call(
        "har_strided_s8",
        {
            "first": first,
            "shape": tuple(size for size, _ in runs),
            "steps": tuple(step for _, step in runs),
        },
    )


def _merged(sizes: Sequence[int], steps: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Axes without those of one element; two that follow each other in both orders are one."""
    held: tuple[int, int] | None = None
    for size, step in zip(sizes, steps, strict=True):
        if size == 1:
            continue
        if held is not None and held[1] == size * step:
            held = held[0] * size, step
            continue
        if held is not None:
            yield held
        held = size, step
    if held is not None:
        yield held


OPERATORS = {
    "SPLIT": Operator("Split", 4, lower_split, "equal parts along any axis", SAME_SCALE),
    "SPLIT_V": Operator("SplitV", 2, lower_split, "parts along any axis", SAME_SCALE),
    "STRIDED_SLICE": Operator(
        "StridedSlice",
        8,
        lower_strided_slice,
        "begins, ends, strides and axes that vanish; up to 4 axes that stay",
        f"{SAME_SCALE}; an ellipsis, a new axis",
    ),
    "TRANSPOSE": Operator("Transpose", 4, lower_transpose, "any order of up to 4 axes", SAME_SCALE),
    "UNPACK": Operator("Unpack", 4, lower_unpack, "along any axis", SAME_SCALE),
}

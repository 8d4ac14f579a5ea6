"""Takes away what a converter writes around layers, before anything else looks at them.

Shape arithmetic (what Keras computes of a free batch size, which is 1 here) becomes constants. A
dilated convolution, which arrives as SPACE_TO_BATCH_ND, a plain convolution and BATCH_TO_SPACE_ND,
becomes one again. PAD in front of a convolution becomes the convolution's own padding, as both
stand for the real number 0.

What does not have the shape that is looked for stays as it is, and is refused later by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from pipeline.compiler.errors import Refusal
from pipeline.compiler.operands import Operands
from pipeline.compiler.operators.rearrange import slices_of
from pipeline.compiler.operators.reshape import OPERATORS as VIEWS
from pipeline.compiler.operators.window import EXPLICIT, VALID
from pipeline.compiler.reader import RawModel, RawOperator, RawTensor
from pipeline.core.types import Array

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_AXES = ("top", "left"), ("height", "width")


def fold(model: RawModel) -> RawModel:
    """The model without shape arithmetic, and with dilated and padded convolutions as such."""
    folder = _Folder(_integers(model))
    for operator in folder.model.operators:
        if operator.name == "SPACE_TO_BATCH_ND":
            folder.dilate(operator)
    for operator in folder.model.operators:
        if operator.name == "PAD":
            folder.pad(operator)
    return folder.model


# ---- shape arithmetic ----------------------------------------------------------------------------


def _shape(op: Operands) -> Array:
    return np.array(op.tensors[op.input_index(0)].shape, np.int32)


def _strided_slice(op: Operands) -> Array:
    _, values = op.constant(0, "INT32")
    taken: Array = values[slices_of(op, values.shape)]
    return taken


def _pack(op: Operands) -> Array:
    (axis,) = op.options("axis")
    parts = [op.constant(position, "INT32")[1] for position in range(len(op.operator.inputs))]
    return np.stack(parts, axis)


_OF_INTEGERS: Mapping[str, Callable[[Operands], Array]] = {
    "PACK": _pack,
    "SHAPE": _shape,
    "STRIDED_SLICE": _strided_slice,
}


def _integers(model: RawModel) -> RawModel:
    """Operators that give int32 become the constants that they give."""
    tensors = list(model.tensors)
    kept = []
    for operator in model.operators:
        values = _evaluated(Operands(operator, tuple(tensors)))
        if values is None:
            kept.append(operator)
        else:
            (target,) = operator.outputs
            content = np.ascontiguousarray(values, "<i4").reshape(-1).view(np.uint8)
            tensors[target] = replace(tensors[target], shape=values.shape, data=content)
    return replace(model, tensors=tuple(tensors), operators=tuple(kept))


def _evaluated(op: Operands) -> Array | None:
    function = _OF_INTEGERS.get(op.operator.name)
    outputs = op.operator.outputs
    if function is None or len(outputs) != 1 or op.tensors[outputs[0]].type != "INT32":
        return None
    try:
        return function(op)
    except (Refusal, ValueError, IndexError):
        return None


# ---- convolutions --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reach:
    """A convolution that alone reads a tensor, through views. ``axes``: which of its image's axes
    (0 or 1) the tensor's axes from 1 on are."""

    convolution: RawOperator
    axes: tuple[int, ...]


class _Folder:
    def __init__(self, model: RawModel) -> None:
        self.model = model

    def pad(self, operator: RawOperator) -> None:
        """PAD of an image that one convolution reads."""
        op = self._op(operator)
        reach = self._reach(operator)
        if reach is None or len(operator.inputs) != 2:
            return
        source = op.tensors[op.input_index(0)]
        paddings = self._constant(op, 1, (len(source.shape), 2))
        if (
            paddings is None
            or (paddings < 0).any()
            or paddings[0].any()
            or paddings[-1].any()
            or not _same_values(source, op.tensors[operator.outputs[0]])
        ):
            return
        convolution = reach.convolution
        shape = list(self.model.tensors[convolution.inputs[0]].shape)
        before = [0, 0]
        for axis, (left, right) in zip(reach.axes, paddings[1:-1].tolist(), strict=True):
            shape[1 + axis] -= left + right
            before[axis] = left
        self._replace(
            (operator,),
            replace(convolution, options=_padded(convolution, before)),
            source=(source, tuple(shape)),
        )

    def dilate(self, operator: RawOperator) -> None:
        """SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND."""
        op, reach = self._op(operator), self._reach(operator)
        if reach is None or len(operator.inputs) != 3:
            return
        convolution, axes = reach.convolution, reach.axes
        after = self._only_reader(convolution.outputs[0])
        if after is None or after.name != "BATCH_TO_SPACE_ND" or len(after.inputs) != 3:
            return
        back = self._op(after)
        options = convolution.options or {}
        count = len(axes)
        block, block_back = self._constant(op, 1, (count,)), self._constant(back, 1, (count,))
        pads, crops = self._constant(op, 2, (count, 2)), self._constant(back, 2, (count, 2))
        source, target = op.tensors[op.input_index(0)], op.tensors[after.outputs[0]]
        image = [op.tensors[index] for index in (convolution.inputs[0], convolution.outputs[0])]
        if (
            block is None or block_back is None or pads is None or crops is None
            or (block < 1).any() or (block != block_back).any()
            or (pads < 0).any() or (crops < 0).any()
            or image[0].shape[0] not in (1, prod(block.tolist())) or source.shape[0] != 1
            or [options.get(f"stride_{along}") for along in _AXES[1]] != [1, 1]
            or [options.get(f"dilation_{along}") for along in _AXES[1]] != [1, 1]
            or options.get("padding") != VALID
            or not _same_values(source, image[0]) or not _same_values(image[1], target)
        ):  # fmt: skip
            return
        before = [0, 0]
        pads_outputs = False
        shapes = [[1, *tensor.shape[1:]] for tensor in image]
        dilations = dict(options)
        for i, axis in enumerate(axes):
            before[axis] = int(pads[i, 0] - crops[i, 0])
            read = image[0].shape[1 + axis] * int(block[i]) - int(pads[i].sum())
            made = image[1].shape[1 + axis] * int(block[i]) - int(crops[i].sum())
            if before[axis] < 0 or (read, made) != (source.shape[1 + i], target.shape[1 + i]):
                return
            pads_outputs |= before[axis] > 0 or int(pads[i, 1]) > int(crops[i, 1])
            shapes[0][1 + axis], shapes[1][1 + axis] = source.shape[1 + i], target.shape[1 + i]
            dilations[f"dilation_{_AXES[1][axis]}"] = int(block[i])
        dilated = replace(convolution, options=dilations)
        self._replace(
            (operator, after),
            replace(dilated, options=_padded(dilated, before)),
            source=(source, tuple(shapes[0])),
            target=(target, tuple(shapes[1])),
        )
        if pads_outputs:
            padded = (*self.model.padded_by_batches, operator.index)
            self.model = replace(self.model, padded_by_batches=padded)

    def _reach(self, operator: RawOperator) -> _Reach | None:
        """The convolution that ``operator`` is made for, unless it pads by itself (SAME)."""
        if len(operator.outputs) != 1:
            return None
        made = self.model.tensors[operator.outputs[0]].shape
        reader = self._only_reader(operator.outputs[0])
        if reader is None or reader.name not in _CONVOLUTIONS or reader.options is None:
            return None
        image = self.model.tensors[reader.inputs[0]].shape
        if reader.options.get("padding") not in (VALID, EXPLICIT) or len(image) != 4:
            return None
        if made == image:
            return _Reach(reader, (0, 1))
        if len(made) == 3 and sorted(image[1:3]) == [1, made[1]] and made[1] > 1:
            return _Reach(reader, (0 if image[2] == 1 else 1,))
        return None

    def _only_reader(self, tensor: int) -> RawOperator | None:
        """Who alone reads a tensor, or what is the same bytes."""
        readers = [each for each in self.model.operators if tensor in each.inputs]
        if len(readers) != 1 or tensor in self.model.outputs or readers[0].inputs[0] != tensor:
            return None
        (reader,) = readers
        if reader.name in VIEWS and len(reader.outputs) == 1:
            return self._only_reader(reader.outputs[0])
        return reader

    def _replace(
        self,
        gone: tuple[RawOperator, ...],
        convolution: RawOperator,
        source: tuple[RawTensor, tuple[int, ...]],
        target: tuple[RawTensor, tuple[int, ...]] | None = None,
    ) -> None:
        """The convolution reads ``source``, and gives ``target``, each seen in the shape with it,
        without those in between."""
        operators: list[RawOperator] = []
        tensors = list(self.model.tensors)

        def seen(tensor: RawTensor, shape: tuple[int, ...]) -> int:
            tensors.append(replace(tensor, index=len(tensors), shape=shape))
            return len(tensors) - 1

        read = seen(*source)
        made = convolution.outputs[0] if target is None else seen(*target)
        for each in self.model.operators:
            if each.index == convolution.index:
                operators += [
                    _view(gone[0], source[0].index, read),
                    replace(convolution, inputs=(read, *each.inputs[1:]), outputs=(made,)),
                ]
            elif each.index != gone[0].index:
                operators.append(each)
            if target is not None and each.index == gone[1].index:
                operators[-1] = _view(gone[1], made, target[0].index)
        self.model = replace(self.model, tensors=tuple(tensors), operators=tuple(operators))
        self._drop_unread()

    def _drop_unread(self) -> None:
        """Views that nobody reads any more."""
        while True:
            read = {index for each in self.model.operators for index in each.inputs}
            read |= set(self.model.outputs)
            kept = tuple(
                each
                for each in self.model.operators
                if each.name not in VIEWS or read & set(each.outputs)
            )
            if len(kept) == len(self.model.operators):
                return
            self.model = replace(self.model, operators=kept)

    def _op(self, operator: RawOperator) -> Operands:
        return Operands(operator, self.model.tensors)

    @staticmethod
    def _constant(op: Operands, position: int, shape: tuple[int, ...]) -> Array | None:
        try:
            _, values = op.constant(position, "INT32")
        except Refusal:
            return None
        return values if values.shape == shape else None


def _same_values(a: RawTensor, b: RawTensor) -> bool:
    """Whether both mean the same real values by the same bytes."""
    return (
        a.type == b.type
        and np.array_equal(a.scales, b.scales)
        and np.array_equal(a.zero_points, b.zero_points)
    )


def _view(origin: RawOperator, source: int, target: int) -> RawOperator:
    return RawOperator(origin.index, "RESHAPE", 1, (source,), (target,), {})


def _padded(convolution: RawOperator, before: list[int]) -> dict[str, float]:
    """The options of a convolution that pads so much more before its image's axes."""
    options = dict(convolution.options or {})
    for side, more in zip(_AXES[0], before, strict=True):
        options[f"pad_{side}"] = options.get(f"pad_{side}", 0) + more
    return options | {"padding": EXPLICIT}

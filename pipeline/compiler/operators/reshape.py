"""RESHAPE, EXPAND_DIMS and SQUEEZE: the same bytes under another shape."""

from __future__ import annotations

from math import prod

from pipeline.compiler.graph import View
from pipeline.compiler.operands import Operands, require, same_quantization
from pipeline.compiler.operators.operator import SAME_SCALE, Operator


def lower_reshape(op: Operands) -> View:
    op.require_count(1, 2)
    source, target = op.activation(0), op.output()
    require(prod(source.shape) == prod(target.shape), f"shape {source.shape} to {target.shape}")
    require(same_quantization(source, target), "input and output differ in scale or zero point")
    return View(
        index=op.operator.index,
        operator=op.operator.name,
        input=op.input_index(0),
        output=op.output_index,
    )


def _view(tflm: str, version: int) -> Operator:
    supported = "any shape of as many values; costs nothing"
    return Operator(tflm, version, lower_reshape, supported, SAME_SCALE)


OPERATORS = {
    "EXPAND_DIMS": _view("ExpandDims", 1),
    "RESHAPE": _view("Reshape", 1),
    "SQUEEZE": _view("Squeeze", 2),
}

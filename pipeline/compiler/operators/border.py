"""QUANTIZE of a float32 input and DEQUANTIZE to a float32 output: the borders of an int8 network.

They become no kernel calls: the generated C converts between the caller's float32 and its int8
inputs and outputs (`pipeline.compiler.emit`).
"""

from __future__ import annotations

from pipeline.compiler.errors import Refusal
from pipeline.compiler.graph import Step
from pipeline.compiler.operands import Operands, float_shape, require
from pipeline.compiler.operators.operator import Operator
from pipeline.compiler.reader import RawModel, RawOperator

FLOAT32 = "FLOAT32"


def is_border(operator: RawOperator, model: RawModel) -> bool:
    """Whether the operator is between a float32 input or output of the model and the rest."""
    ends, operands = {
        "QUANTIZE": (model.inputs, operator.inputs),
        "DEQUANTIZE": (model.outputs, operator.outputs),
    }.get(operator.name, ((), ()))
    return any(index in ends and model.tensors[index].type == FLOAT32 for index in operands)


def lower_border(op: Operands) -> tuple[int, int]:
    """The float32 tensor of a border and the int8 one, checked. Raises Refusal."""
    op.require_count(1)
    source, target = op.input_index(0), op.output_index
    if op.operator.name == "QUANTIZE":
        shapes, pair = (float_shape(op.tensors[source]), op.output().shape), (source, target)
    else:
        shapes, pair = (op.activation(0).shape, float_shape(op.tensors[target])), (target, source)
    require(shapes[0] == shapes[1], f"shape {shapes[0]} to {shapes[1]}")
    return pair


def _inside(_: Operands) -> Step:
    raise Refusal("float32 inside of the network; it is taken only as the network's output")


OPERATORS = {
    "DEQUANTIZE": Operator(
        "Dequantize", 6, _inside, "int8 to a float32 output of the network", "all others"
    ),
}

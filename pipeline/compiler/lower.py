"""From the file's operators to checked kernel calls. Everything unsupported is refused here."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.compiler.errors import Refusal, UnsupportedModel
from pipeline.compiler.graph import Graph, Step, TensorInfo
from pipeline.compiler.lower_plain import (
    lower_add,
    lower_concatenation,
    lower_mean,
    lower_pad,
    lower_pool,
    lower_relu6,
    lower_requantize,
    lower_reshape,
    lower_softmax,
)
from pipeline.compiler.lower_weighted import (
    lower_conv_2d,
    lower_depthwise_conv_2d,
    lower_fully_connected,
)
from pipeline.compiler.operands import Operands, activation_info
from pipeline.compiler.reader import RawModel

# Operator -> (newest version whose meaning is known, its lowering).
_LOWERINGS: dict[str, tuple[int, Callable[[Operands], Step]]] = {
    "ADD": (5, lower_add),
    "AVERAGE_POOL_2D": (3, lower_pool),
    "CONCATENATION": (4, lower_concatenation),
    "CONV_2D": (8, lower_conv_2d),
    "DEPTHWISE_CONV_2D": (7, lower_depthwise_conv_2d),
    "FULLY_CONNECTED": (13, lower_fully_connected),
    "MAX_POOL_2D": (3, lower_pool),
    "MEAN": (3, lower_mean),
    "PAD": (4, lower_pad),
    "PADV2": (4, lower_pad),
    "QUANTIZE": (4, lower_requantize),
    "RELU": (3, lower_requantize),
    "RELU6": (3, lower_relu6),
    "RESHAPE": (1, lower_reshape),
    "SOFTMAX": (3, lower_softmax),
}

SUPPORTED_OPERATORS = tuple(_LOWERINGS)


def lower(model: RawModel) -> Graph:
    """Checks everything and gives the graph. Raises UnsupportedModel with every reason found."""
    reasons: list[str] = []
    offenders: list[str] = []
    if len(model.inputs) != 1:
        reasons.append(f"{len(model.inputs)} inputs; one is needed")
    if not model.outputs:
        reasons.append("no outputs")
    if not model.operators:
        reasons.append("no operators")
    tensors: dict[int, TensorInfo] = {}
    for role, indexes in (("input", model.inputs), ("output", model.outputs)):
        for index in indexes:
            try:
                tensors[index] = activation_info(model.tensors[index])
            except Refusal as refusal:
                reasons.append(f"the {role}: {refusal}; quantize the model to int8 in and out")

    steps: list[Step] = []
    written = set(model.inputs)
    for operator in model.operators:
        operands = Operands(operator, model.tensors)
        try:
            step = _lower_one(operands)
            for index in step.inputs:
                if index not in written:
                    raise Refusal(f"tensor {index} is read before it is written")
            if step.output in written:
                raise Refusal(f"tensor {step.output} is written twice")
            for index in (*step.inputs, step.output):
                tensors[index] = activation_info(model.tensors[index])
            steps.append(step)
        except Refusal as refusal:
            reasons.append(f"operator {operator.index} {operator.name}: {refusal}")
            offenders.append(operator.name)
        written.update(operator.outputs)
    computed = written - set(model.inputs)
    reasons.extend(
        f"the output is tensor {index}, which no operator writes"
        for index in model.outputs
        if index not in computed
    )
    if reasons:
        raise UnsupportedModel(reasons, offenders)
    return Graph(tensors, tuple(steps), model.inputs[0], model.outputs)


def _lower_one(op: Operands) -> Step:
    if op.operator.name not in _LOWERINGS:
        raise Refusal("this operator is not supported")
    newest, lowering = _LOWERINGS[op.operator.name]
    if not 1 <= op.operator.version <= newest:
        raise Refusal(f"version {op.operator.version}; known up to {newest}")
    return lowering(op)

"""From the file's operators to checked kernel calls. Everything unsupported is refused here."""

from __future__ import annotations

from pipeline.compiler.errors import Refusal, UnsupportedModel
from pipeline.compiler.graph import Graph, Step, TensorInfo
from pipeline.compiler.operands import Operands, activation_info
from pipeline.compiler.operators import OPERATORS
from pipeline.compiler.reader import RawModel


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
    known = OPERATORS.get(op.operator.name)
    if known is None:
        raise Refusal("this operator is not supported")
    if not 1 <= op.operator.version <= known.version:
        raise Refusal(f"version {op.operator.version}; known up to {known.version}")
    return known.lower(op)

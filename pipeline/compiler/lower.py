"""From the file's operators to checked kernel calls. Everything unsupported is refused here."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from pipeline.compiler.errors import Refusal, UnsupportedModel
from pipeline.compiler.fold import fold
from pipeline.compiler.graph import Graph, Step, TensorInfo, View
from pipeline.compiler.operands import Operands, activation_info
from pipeline.compiler.operators import OPERATORS
from pipeline.compiler.operators.border import is_border, lower_border
from pipeline.compiler.reader import RawModel, RawOperator


def lower(model: RawModel) -> Graph:
    """Checks everything and gives the graph. Raises UnsupportedModel with every reason found."""
    model = fold(model)
    reasons: list[str] = []
    offenders: list[str] = []
    if not model.inputs:
        reasons.append("no inputs")
    if len(set(model.inputs)) != len(model.inputs):
        reasons.append(f"an input twice: tensors {', '.join(map(str, model.inputs))}")
    if not model.outputs:
        reasons.append("no outputs")
    if not model.operators:
        reasons.append("no operators")
    borders = [each for each in model.operators if is_border(each, model)]
    converted = {index for each in borders for index in (*each.inputs, *each.outputs)}
    tensors: dict[int, TensorInfo] = {}
    for role, indexes in (("input", model.inputs), ("output", model.outputs)):
        for index in indexes:
            if index in converted:
                continue
            try:
                tensors[index] = activation_info(model.tensors[index])
            except Refusal as refusal:
                reasons.append(f"the {role}: {refusal}")

    steps: list[Step] = []
    int8_of: dict[int, int] = {}  # float32 input or output -> what it is converted to or from
    written = set(model.inputs)
    for operator in model.operators:
        operands = Operands(operator, model.tensors)
        try:
            _check_version(operator)
            if operator in borders:
                outside, inside = lower_border(operands)
                if outside in int8_of:
                    raise Refusal(f"tensor {outside} is converted twice")
                int8_of[outside] = inside
                _check_order(operator.inputs, operator.outputs[0], written)
                tensors[inside] = activation_info(model.tensors[inside])
            else:
                for step in _lower_one(operands):
                    _check_order(step.inputs, step.output, written)
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
    for index in model.inputs:
        if index in int8_of:  # by the name that the caller knows
            tensors[int8_of[index]] = replace(
                tensors[int8_of[index]], name=model.tensors[index].name
            )
    if not steps:
        raise UnsupportedModel(["no operators between its inputs and outputs"])
    outputs = tuple(int8_of.get(index, index) for index in model.outputs)
    return Graph(
        tensors,
        tuple(_through_views(steps, outputs)),
        inputs=tuple(int8_of.get(index, index) for index in model.inputs),
        outputs=outputs,
        float_inputs=_positions(model.inputs, int8_of),
        float_outputs=_positions(model.outputs, int8_of),
    )


def _through_views(steps: Sequence[Step], outputs: Sequence[int]) -> Iterator[Step]:
    """Each step reads what a view is of, whose bytes are the same; views that are no output go."""
    origins: dict[int, int] = {}
    for step in steps:
        if isinstance(step, View):
            origins[step.output] = origins.get(step.input, step.input)
            if step.output in outputs:
                yield replace(step, input=origins[step.output])
        else:
            yield replace(step, inputs=tuple(origins.get(index, index) for index in step.inputs))


def _lower_one(op: Operands) -> tuple[Step, ...]:
    steps = OPERATORS[op.operator.name].lower(op)
    return steps if isinstance(steps, tuple) else (steps,)


def _check_order(reads: Sequence[int], writes: int, written: Container[int]) -> None:
    for index in reads:
        if index not in written:
            raise Refusal(f"tensor {index} is read before it is written")
    if writes in written:
        raise Refusal(f"tensor {writes} is written twice")


def _check_version(operator: RawOperator) -> None:
    known = OPERATORS.get(operator.name)
    if known is None:
        raise Refusal("this operator is not supported")
    if not 1 <= operator.version <= known.version:
        raise Refusal(f"version {operator.version}; known up to {known.version}")


def _positions(indexes: tuple[int, ...], among: Container[int]) -> frozenset[int]:
    return frozenset(position for position, index in enumerate(indexes) if index in among)

"""From the file's operators to checked kernel calls. Everything unsupported is refused here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Operator:
    """What the compiler takes of one operator of .tflite.

    ``tflm``: what TFLite-Micro's resolver calls it; ``version``: the newest whose meaning is known.
    ``supported`` and ``refused``: for docs/OPERATORS.md.
    """

    tflm: str
    version: int
    lower: Callable[[Operands], Step]
    supported: str
    refused: str


_FUSED = "fused NONE, RELU, RELU_N1_TO_1 or RELU6"
_SAME_SCALE = "input and output on different scales"
_WEIGHTS = "int8 weights, per tensor or per channel; int32 bias or none"
_WEIGHTS_REFUSED = "weights that are not constant or have a zero point; sums that can leave int32"
_POOL = f"SAME and VALID padding, any window and stride; {_FUSED}"

OPERATORS: dict[str, Operator] = {
    "ADD": Operator(
        "Add", 5, lower_add, f"two activations of one shape; {_FUSED}", "broadcasting; constants"
    ),
    "AVERAGE_POOL_2D": Operator("AveragePool2D", 3, lower_pool, _POOL, _SAME_SCALE),
    "CONCATENATION": Operator(
        "Concatenation",
        4,
        lower_concatenation,
        "up to 10 activations along any axis",
        f"{_SAME_SCALE}; a fused activation",
    ),
    "CONV_2D": Operator(
        "Conv2D",
        8,
        lower_conv_2d,
        f"SAME and VALID padding, any stride and dilation; {_WEIGHTS}; {_FUSED}",
        f"groups; {_WEIGHTS_REFUSED}",
    ),
    "DEPTHWISE_CONV_2D": Operator(
        "DepthwiseConv2D",
        7,
        lower_depthwise_conv_2d,
        f"as CONV_2D, any depth multiplier; {_WEIGHTS}; {_FUSED}",
        _WEIGHTS_REFUSED,
    ),
    "FULLY_CONNECTED": Operator(
        "FullyConnected",
        13,
        lower_fully_connected,
        f"any rank of input; {_WEIGHTS}; {_FUSED}",
        f"shuffled weights; a bias on another scale than input x weights; {_WEIGHTS_REFUSED}",
    ),
    "MAX_POOL_2D": Operator("MaxPool2D", 3, lower_pool, _POOL, _SAME_SCALE),
    "MEAN": Operator(
        "Mean", 3, lower_mean, "axes that follow each other, kept or not", "other choices of axes"
    ),
    "PAD": Operator("Pad", 4, lower_pad, "up to 4 axes, int32 paddings", _SAME_SCALE),
    "PADV2": Operator(
        "PadV2", 4, lower_pad, "as PAD, with a constant int8 value", f"{_SAME_SCALE}, or the value"
    ),
    "QUANTIZE": Operator(
        "Quantize", 4, lower_requantize, "int8 to int8", "float32 or int16 on either side"
    ),
    "RELU": Operator("Relu", 3, lower_requantize, "any scales", "-"),
    "RELU6": Operator("Relu6", 3, lower_relu6, "one scale for both", _SAME_SCALE),
    "RESHAPE": Operator(
        "Reshape", 1, lower_reshape, "any shape of as many values; costs nothing", _SAME_SCALE
    ),
    "SOFTMAX": Operator(
        "Softmax",
        3,
        lower_softmax,
        "the last axis, up to 511 classes; any beta",
        "an output scale other than 1/256, or zero point other than -128",
    ),
}


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

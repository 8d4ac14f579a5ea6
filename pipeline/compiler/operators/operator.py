"""What the compiler knows of an operator, and what several families share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.compiler.fixedpoint import activation_range
from pipeline.compiler.graph import Step, TensorInfo
from pipeline.compiler.operands import Operands

FUSED = "fused NONE, RELU, RELU_N1_TO_1 or RELU6"
SAME_SCALE = "input and output on different scales"


def activation_limits(op: Operands, target: TensorInfo) -> dict[str, int]:
    """What the fused activation leaves of int8."""
    (activation,) = op.options("activation")
    low, high = activation_range(activation, target.scale, target.zero_point)
    return {"activation_min": low, "activation_max": high}


@dataclass(frozen=True)
class Operator:
    """What the compiler takes of one operator of .tflite.

    ``tflm``: what TFLite-Micro's resolver calls it; ``version``: the newest whose meaning is known.
    ``supported`` and ``refused``: for docs/OPERATORS.md.
    """

    tflm: str
    version: int
    lower: Callable[[Operands], Step | tuple[Step, ...]]
    supported: str
    refused: str

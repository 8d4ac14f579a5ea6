"""What `pipeline.compiler.fold` takes away where it can; here it could not."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.compiler.errors import Refusal
from pipeline.compiler.graph import Step
from pipeline.compiler.operands import Operands
from pipeline.compiler.operators.operator import Operator

_NOT_ALONE = "anything but one convolution of stride 1 in between, which they dilate"


def _refuse(reason: str) -> Callable[[Operands], Step]:
    def lower(_: Operands) -> Step:
        raise Refusal(reason)

    return lower


def _folded(tflm: str, version: int, supported: str, refused: str) -> Operator:
    reason = f"only {supported} can be compiled"
    return Operator(tflm, version, _refuse(reason), f"{supported}; costs nothing", refused)


OPERATORS = {
    "BATCH_TO_SPACE_ND": _folded(
        "BatchToSpaceNd", 3, "the end of a dilated convolution", _NOT_ALONE
    ),
    "PACK": _folded("Pack", 2, "shape arithmetic", "activations"),
    "SHAPE": _folded("Shape", 1, "shape arithmetic", "-"),
    "SPACE_TO_BATCH_ND": _folded(
        "SpaceToBatchNd", 3, "the start of a dilated convolution", _NOT_ALONE
    ),
}

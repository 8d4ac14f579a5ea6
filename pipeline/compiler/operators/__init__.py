"""What the engine takes: one file per family of operators, each with its part of the table."""

from pipeline.compiler.operators import (
    arithmetic,
    border,
    concatenation,
    convolution,
    fully_connected,
    lookup,
    pad,
    pool,
    prelu,
    rearrange,
    recurrent,
    reduce,
    reshape,
    shapes,
    softmax,
)
from pipeline.compiler.operators.operator import Operator

_FAMILIES = (
    arithmetic,
    border,
    concatenation,
    convolution,
    fully_connected,
    lookup,
    pad,
    pool,
    prelu,
    rearrange,
    recurrent,
    reduce,
    reshape,
    shapes,
    softmax,
)

OPERATORS: dict[str, Operator] = dict(
    sorted((name, each) for family in _FAMILIES for name, each in family.OPERATORS.items())
)

__all__ = ["OPERATORS", "Operator"]

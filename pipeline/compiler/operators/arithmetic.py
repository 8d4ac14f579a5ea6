"""ADD, SUB, MUL, MINIMUM and MAXIMUM of two operands, one of which may be repeated or constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.compiler.fixedpoint import quantize_multiplier, quantize_multiplier_below_one
from pipeline.compiler.graph import Constant, KernelCall, Param, TensorInfo
from pipeline.compiler.operands import Operands, require, same_quantization, steps_of
from pipeline.compiler.operators.add import lower_add
from pipeline.compiler.operators.operator import FUSED, SAME_SCALE, Operator, activation_limits

_HEADROOM = 1 << 20
_RANK = 4


@dataclass(frozen=True)
class Pair:
    """The operands as the kernel takes them: an activation, then an activation or a constant.
    ``swapped``: they stand the other way round in the file."""

    a: TensorInfo
    b: TensorInfo
    target: TensorInfo
    constant: Constant | None
    swapped: bool

    def over(self) -> tuple[tuple[int, ...], ...]:
        """har_broadcast."""
        shape = (1,) * (_RANK - len(self.target.shape)) + self.target.shape
        return shape, _steps(self.a.shape, shape), _steps(self.b.shape, shape)


def pair_of(op: Operands) -> Pair:
    op.require_count(2)
    target = op.output()
    (a, first), (b, second) = op.operand(0), op.operand(1)
    require(first is None or second is None, "two constants")
    longest = max(len(a.shape), len(b.shape))
    require(longest <= _RANK, f"shapes {a.shape} and {b.shape}: more than {_RANK} axes")
    sizes = zip(*((1,) * (longest - len(x.shape)) + x.shape for x in (a, b)), strict=True)
    shape = tuple(max(m, n) if 1 in (m, n) or m == n else 0 for m, n in sizes)
    require(target.shape == shape, f"shapes {a.shape} and {b.shape} to {target.shape}")
    if first is not None:
        return Pair(b, a, target, first, swapped=True)
    return Pair(a, b, target, second, swapped=False)


def _steps(shape: tuple[int, ...], output: tuple[int, ...]) -> tuple[int, ...]:
    """As `steps_of`, along each axis of the output; 0 where an element is repeated."""
    led = (1,) * (len(output) - len(shape)) + shape
    return tuple(step if size > 1 else 0 for size, step in zip(led, steps_of(led), strict=True))


def call_of_pair(
    op: Operands, kernel: str, pair: Pair, params: Mapping[str, Param], struct: str = ""
) -> KernelCall:
    if pair.constant is None:
        return op.call(kernel, params, struct=struct, inputs=2)
    call = op.call(kernel, params, struct=struct, inputs=0, arrays=(pair.constant,))
    return replace(call, inputs=(op.input_index(int(pair.swapped)),))


def lower_sum(op: Operands) -> KernelCall:
    """ADD and SUB."""
    pair = pair_of(op)
    subtracts = op.operator.name == "SUB"
    if not subtracts and pair.constant is None and pair.a.shape == pair.b.shape:
        return lower_add(op)
    largest = 2 * max(pair.a.scale, pair.b.scale)
    multiplier, shift = quantize_multiplier_below_one(largest / (_HEADROOM * pair.target.scale))
    params: dict[str, Param] = {"over": pair.over()}
    for name, info, second in (("a", pair.a, pair.swapped), ("b", pair.b, not pair.swapped)):
        factor = quantize_multiplier_below_one(info.scale / largest)
        params[name] = (-info.zero_point, *factor, int(subtracts and second))
    params |= {
        "multiplier": multiplier,
        "shift": shift,
        "output_zero_point": pair.target.zero_point,
        **activation_limits(op, pair.target),
    }
    return call_of_pair(op, "har_sum_s8", pair, params)


def lower_mul(op: Operands) -> KernelCall:
    pair = pair_of(op)
    first, second = (pair.b, pair.a) if pair.swapped else (pair.a, pair.b)
    multiplier, shift = quantize_multiplier(first.scale * second.scale / pair.target.scale)
    params: dict[str, Param] = {
        "over": pair.over(),
        "a_offset": -pair.a.zero_point,
        "b_offset": -pair.b.zero_point,
        "multiplier": multiplier,
        "shift": shift,
        "output_zero_point": pair.target.zero_point,
        **activation_limits(op, pair.target),
    }
    return call_of_pair(op, "har_mul_s8", pair, params)


def lower_extremum(op: Operands) -> KernelCall:
    """MINIMUM and MAXIMUM."""
    pair = pair_of(op)
    require(
        same_quantization(pair.a, pair.target) and same_quantization(pair.b, pair.target),
        "inputs and output differ in scale or zero point",
    )
    shape, a, b = pair.over()
    kernel = f"har_{op.operator.name.lower()}_s8"
    return call_of_pair(op, kernel, pair, {"shape": shape, "a": a, "b": b}, "har_broadcast")


_OPERANDS = "two operands of up to 4 axes, one of them repeated along axes or constant"

OPERATORS = {
    "ADD": Operator("Add", 5, lower_sum, f"{_OPERANDS}; {FUSED}", "two constants"),
    "MAXIMUM": Operator("Maximum", 4, lower_extremum, _OPERANDS, SAME_SCALE),
    "MINIMUM": Operator("Minimum", 4, lower_extremum, _OPERANDS, SAME_SCALE),
    "MUL": Operator("Mul", 7, lower_mul, f"{_OPERANDS}; {FUSED}", "two constants"),
    "SUB": Operator("Sub", 5, lower_sum, f"{_OPERANDS}; {FUSED}", "two constants"),
}

"""The int32 arithmetic of the kernels, in Python: the same rounding, the same wrapping.

"Qn" is a signed 32-bit number with n integer bits: raw / 2^(31-n). har_requant.h and
har_softmax_s8.c compute the same in C.
"""

from __future__ import annotations

_INT32_MAX = (1 << 31) - 1
_EXP_EIGHTH = 1895147668  # exp(-1/8), Q0
_THIRD = 715827883  # Q0
_EXP_POWERS = (  # exp(-2^k), Q0, for k from -2
    1672461947,
    1302514674,
    790015084,
    290630308,
    39332535,
    720401,
    242,
)


def wrap(x: int) -> int:
    """What int32 keeps of x."""
    return ((x + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def saturate(x: int, bits: int) -> int:
    """The nearest signed number of so many bits."""
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))


def mul_high(x: int, y: int, bits: int = 32) -> int:
    """2 * x * y / 2^bits, to nearest, halves up, saturated."""
    return saturate((x * y + (1 << (bits - 2))) >> (bits - 1), bits)


def round_shift(x: int, bits: int) -> int:
    """x / 2^bits, to nearest, halves away from zero."""
    half = (1 << bits) >> 1
    return (x + half) >> bits if x >= 0 else -((-x + half) >> bits)


def requant(x: int, multiplier: int, shift: int) -> int:
    """x * multiplier / 2^31 * 2^shift, rounded twice where the shift is to the right."""
    if shift > 0:
        return mul_high(wrap(x << shift), multiplier)
    return round_shift(mul_high(x, multiplier), -shift)


def exp_negative(a: int, integer_bits: int) -> int:
    """exp(a) for a <= 0, Qn -> Q0: a series below a quarter, and a factor for each bit above."""
    if a == 0:
        return _INT32_MAX
    quarter = 1 << (29 - integer_bits)
    small = (a & (quarter - 1)) - quarter
    x = (small << integer_bits) + (1 << 28)
    x2 = mul_high(x, x)
    x3 = mul_high(x2, x)
    x4_4 = round_shift(mul_high(x2, x2), 2)
    high = round_shift(mul_high(x4_4 + x3, _THIRD) + x2, 1)
    result = _EXP_EIGHTH + mul_high(x + high, _EXP_EIGHTH)
    for bit, factor in enumerate(_EXP_POWERS[: integer_bits + 2]):
        if (small - a) & (quarter << bit):
            result = mul_high(result, factor)
    return result


def _two_over_one_plus(a: int) -> int:
    """2 / (1 + a) for a in [0, 1], Q0 -> Q2: Newton's division."""
    half = (a + _INT32_MAX + 1) // 2
    x = 1515870810 + mul_high(half, -1010580540)
    for _ in range(3):
        error = (1 << 29) - mul_high(half, x)
        x += saturate(mul_high(x, error) << 2, 32)
    return x


def logistic(a: int) -> int:
    """1 / (1 + exp(-a)), Q4 -> Q0."""
    if a == 0:
        return 1 << 30
    positive = saturate(_two_over_one_plus(exp_negative(-abs(a), 4)) << 1, 32)
    return positive if a > 0 else _INT32_MAX - positive


def tanh(a: int) -> int:
    """The hyperbolic tangent, Q4 -> Q0."""
    if a == 0:
        return 0
    # -2 * |a| in Q5 has the bits of -|a| in Q4.
    positive = saturate((_two_over_one_plus(exp_negative(-abs(a), 5)) - (1 << 29)) << 2, 32)
    return positive if a > 0 else -positive

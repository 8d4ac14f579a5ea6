"""Decodes Thumb-2 instructions as far as their time on a Cortex-M4 depends on them.

Source: ARMv7-M Architecture Reference Manual (DDI 0403), chapters A5 and A6.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What the Cortex-M4's table of instruction timings tells apart."""

    OTHER = "other"
    LOAD = "load"
    STORE = "store"
    MULTIPLE = "multiple"
    BRANCH = "branch"
    TABLE_BRANCH = "table branch"
    DIVIDE = "divide"
    FLOAT_MULTIPLY_ADD = "float multiply-add"
    FLOAT_DIVIDE = "float divide, square root"
    FLOAT_LOAD_STORE = "float load, store"
    FLOAT_PAIR = "float pair move"


@dataclass(frozen=True)
class Instruction:
    """``words``: those that a MULTIPLE moves. ``target``: the register that a LOAD fills, -1 where
    it fills none; ``address``: the registers that a LOAD or STORE takes its address from."""

    size: int
    kind: Kind
    words: int = 0
    target: int = -1
    address: tuple[int, ...] = ()


_PC, _SP = 15, 13


def decode(code: bytes, at: int) -> Instruction:
    """The instruction at byte ``at`` of ``code``, little-endian."""
    first = int.from_bytes(code[at : at + 2], "little")
    if first >> 11 < 0b11101:
        return _narrow(first)
    return _wide(first, int.from_bytes(code[at + 2 : at + 4], "little"))


def _narrow(word: int) -> Instruction:
    top = word >> 12
    low, base, index = word & 7, word >> 3 & 7, word >> 6 & 7
    if word >> 11 == 0b01001:
        return Instruction(2, Kind.LOAD, target=word >> 8 & 7, address=(_PC,))
    if top == 0b0101:
        load = word >> 9 & 7 >= 3
        return _single(2, load, low, (base, index))
    if top in (0b0110, 0b0111, 0b1000):
        return _single(2, bool(word >> 11 & 1), low, (base,))
    if top == 0b1001:
        return _single(2, bool(word >> 11 & 1), word >> 8 & 7, (_SP,))
    if word & 0xF600 == 0xB400:  # PUSH, POP
        return Instruction(2, Kind.MULTIPLE, words=(word & 0x1FF).bit_count())
    if top == 0b1100:
        return Instruction(2, Kind.MULTIPLE, words=(word & 0xFF).bit_count())
    compares = word & 0xF500 == 0xB100  # CBZ, CBNZ
    jumps = word >> 11 == 0b11100 or (top == 0b1101 and word >> 8 & 0xF < 14)
    if compares or jumps or word & 0xFF00 == 0x4700 or word & 0xFF87 in (0x4687, 0x4487):
        return Instruction(2, Kind.BRANCH)
    return Instruction(2, Kind.OTHER)


def _wide(first: int, second: int) -> Instruction:
    if first & 0xEC00 == 0xEC00 and second & 0x0E00 == 0x0A00:
        return _floating(first, second)
    if first & 0xFE40 == 0xE800:
        return Instruction(4, Kind.MULTIPLE, words=second.bit_count())
    if first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000:
        return Instruction(4, Kind.TABLE_BRANCH)
    if first & 0xFE40 == 0xE840:
        exclusive = first & 0xFF60 == 0xE840
        return _single(4, True, -1, (first & 0xF,)) if exclusive else _pair()
    if first >> 11 == 0b11110 and second & 0x8000:
        conditional = second & 0x5000 == 0 and first >> 7 & 7 == 7
        return Instruction(4, Kind.OTHER if conditional else Kind.BRANCH)
    if first & 0xFE00 == 0xF800:
        registers = (
            (first & 0xF,) if second & 0x0800 or first & 0x80 else (first & 0xF, second & 0xF)
        )
        return _single(4, bool(first & 0x10), second >> 12, registers)
    if first & 0xFFD0 == 0xFB90:
        return Instruction(4, Kind.DIVIDE)
    return Instruction(4, Kind.OTHER)


def _floating(first: int, second: int) -> Instruction:
    if first & 0xFFE0 == 0xEC40:
        return Instruction(4, Kind.FLOAT_PAIR)
    if first & 0xFE00 == 0xEC00:
        one = first & 0x0120 == 0x0100
        if one:
            return Instruction(4, Kind.FLOAT_LOAD_STORE)
        return Instruction(4, Kind.MULTIPLE, words=second & 0xFF)
    if second & 0x10:
        return Instruction(4, Kind.OTHER)
    operation = first >> 4 & 0b1011
    if operation in (0b0000, 0b0001, 0b1001, 0b1010):
        return Instruction(4, Kind.FLOAT_MULTIPLY_ADD)
    root = operation == 0b1011 and first & 0xF == 1 and second & 0xC0 == 0xC0
    return Instruction(4, Kind.FLOAT_DIVIDE if operation == 0b1000 or root else Kind.OTHER)


def _single(size: int, load: bool, register: int, address: tuple[int, ...]) -> Instruction:
    if load:
        return Instruction(size, Kind.LOAD, target=register, address=address)
    return Instruction(size, Kind.STORE, address=address)


def _pair() -> Instruction:
    return Instruction(4, Kind.MULTIPLE, words=2)

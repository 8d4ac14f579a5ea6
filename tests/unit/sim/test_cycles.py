"""The model of cycles: known encodings get the Technical Reference Manual's timings."""

from __future__ import annotations

import struct

import pytest

from pipeline.core.errors import ExternalError
from pipeline.sim.cycles import DIVIDE, REFILL, Block, Code, model_cycles, straight_cycles
from pipeline.sim.thumb import Kind, decode

# Encodings as arm-none-eabi-as gives them.
ENCODINGS = {
    "adds r0, r1, r2": ("1888", Kind.OTHER, 1),
    "movs r0, #1": ("2001", Kind.OTHER, 1),
    "ldr r0, [r1, #4]": ("6848", Kind.LOAD, 2),
    "ldrb r0, [r1, r2]": ("5c88", Kind.LOAD, 2),
    "ldrsh r0, [r1, r2]": ("5e88", Kind.LOAD, 2),
    "ldr r0, [pc, #8]": ("4802", Kind.LOAD, 2),
    "ldr r0, [sp, #8]": ("9802", Kind.LOAD, 2),
    "ldr.w r10, [r1], #4": ("f851 ab04", Kind.LOAD, 2),
    "str r0, [r1]": ("6008", Kind.STORE, 1),
    "strb.w r2, [r10, r11]": ("f80a 200b", Kind.STORE, 1),
    "ldmia.w r0!, {r11, r12}": ("e8b0 1800", Kind.MULTIPLE, 3),
    "ldmia.w r1!, {r10, r11, r12, lr}": ("e8b1 5c00", Kind.MULTIPLE, 5),
    "ldrd r8, r9, [r1], #8": ("e8f1 8902", Kind.MULTIPLE, 3),
    "push {r4, r5, lr}": ("b530", Kind.MULTIPLE, 4),
    "stmdb sp!, {r4-r11, lr}": ("e92d 4ff0", Kind.MULTIPLE, 10),
    "smlad r2, r11, r10, r2": ("fb2b 220a", Kind.OTHER, 1),
    "smmul r2, r2, r11": ("fb52 f20b", Kind.OTHER, 1),
    "sxtb16 lr, r10, ror #8": ("fa2f fe9a", Kind.OTHER, 1),
    "udiv r0, r1, r2": ("fbb1 f0f2", Kind.DIVIDE, DIVIDE),
    "sdiv r0, r1, r2": ("fb91 f0f2", Kind.DIVIDE, DIVIDE),
    "beq.n": ("d0fe", Kind.BRANCH, 1),
    "b.w": ("f000 b800", Kind.BRANCH, 1),
    "bne.w": ("f47f af00", Kind.BRANCH, 1),
    "bl": ("f000 f800", Kind.BRANCH, 1),
    "bx lr": ("4770", Kind.BRANCH, 1),
    "cbz r0": ("b100", Kind.BRANCH, 1),
    "it eq": ("bf08", Kind.OTHER, 1),
    "mrs r0, primask": ("f3ef 8010", Kind.OTHER, 1),
    "tbb [pc, r0]": ("e8df f000", Kind.TABLE_BRANCH, 2 + REFILL),
    "vmov s0, r0": ("ee00 0a10", Kind.OTHER, 1),
    "vmov r10, r11, s4, s5": ("ec5b aa12", Kind.FLOAT_PAIR, 2),
    "vldr s0, [r0]": ("ed90 0a00", Kind.FLOAT_LOAD_STORE, 2),
    "vpush {s16-s17}": ("ed2d 8a02", Kind.MULTIPLE, 3),
    "vadd.f32 s0, s1, s2": ("ee30 0a81", Kind.OTHER, 1),
    "vmul.f32 s0, s1, s2": ("ee20 0a81", Kind.OTHER, 1),
    "vmla.f32 s0, s1, s2": ("ee00 0a81", Kind.FLOAT_MULTIPLY_ADD, 3),
    "vdiv.f32 s0, s1, s2": ("ee80 0a81", Kind.FLOAT_DIVIDE, 14),
    "vsqrt.f32 s0, s1": ("eeb1 0ae0", Kind.FLOAT_DIVIDE, 14),
    "vcmp.f32 s0, s1": ("eeb4 0a60", Kind.OTHER, 1),
}


def code_of(text: str) -> bytes:
    return b"".join(struct.pack("<H", int(word, 16)) for word in text.split())


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_instruction_has_its_kind_size_and_cycles(name: str) -> None:
    text, kind, cycles = ENCODINGS[name]
    code = code_of(text)
    found = decode(code, 0)
    assert (found.kind, found.size) == (kind, len(code))
    assert straight_cycles([found]) == [cycles]


def test_loads_in_a_row_overlap_unless_one_fills_the_other_s_address() -> None:
    first, apart, chained = (
        decode(code_of(text), 0)
        for text in ("6848", "684a", "6801")  # r0 <- r1; r2 <- r1; r1 <- r0
    )
    assert straight_cycles([first, apart, apart]) == [2, 1, 1]
    assert straight_cycles([first, chained]) == [2, 2]


def image(code: bytes, address: int) -> bytes:
    """An ELF file with one segment."""
    header = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header += struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 84, address, address, len(code), len(code), 5, 4)
    return header + segment + code


def test_a_block_costs_its_instructions_and_the_jumps_that_were_taken() -> None:
    # ldr r0, [r1]; adds; bne
    code = Code(image(code_of("6808 1888 d1fc"), 0x100))
    counted = model_cycles([Block(0x100, 0x104, runs=10, after2=1, after4=3)], code)
    assert counted.instructions == 30
    assert counted.cycles == 10 * (2 + 1 + 1) + 9 * REFILL


def test_the_inner_step_of_the_matrix_kernel_is_18_cycles_for_16_products() -> None:
    step = "f851 ab04 e8b0 1800 fa2f fe9a fa2f fa8a" + " fb2b 220a" * 4
    step += " e8b0 1800" + " fb2b 220a" * 4
    code = code_of(step)
    decoded, at = [], 0
    while at < len(code):
        decoded.append(decode(code, at))
        at += decoded[-1].size
    assert len(decoded) == 13
    assert sum(straight_cycles(decoded)) == 18


def test_what_is_no_elf_file_is_refused() -> None:
    with pytest.raises(ExternalError, match="ELF"):
        Code(b"MZ" + bytes(60))

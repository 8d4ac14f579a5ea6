"""The plugin that counts blocks, on programs of a few instructions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.sim.cycles import Code, Cycles, block_counter, model_cycles
from pipeline.sim.emulator import QEMU

pytestmark = pytest.mark.emulated

# {padding} halfwords in front of the loop move it against the end of a page of 1 KB.
PROGRAM = """
.syntax unified
.cpu cortex-m4
.thumb
.word 0x20001000, reset + 1
.thumb_func
reset: movs r3, #5
    b first
.org 0x3e0
.rept {padding}
    nop
.endr
.global first, last
.thumb_func
first: movs r0, #10
loop: adds r1, #1
    add.w r2, r2, r1
    add.w r2, r2, r1
    add.w r2, r2, r1
    add.w r2, r2, r1
    add.w r2, r2, r1
    add.w r2, r2, r1
    subs r0, #1
    bne loop
    cbz r0, over
    nop
.thumb_func
over:
last: movs r0, #0x18
    ldr r1, =0x20026
    bkpt 0xab
    b .
"""


def counted(folder: Path, padding: int) -> Cycles:
    elf = folder / "program.elf"
    source = folder / "program.s"
    source.write_text(PROGRAM.format(padding=padding))
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-nostdlib", "-Wl,-Ttext=0,-e0"]
    subprocess.run([*command, str(source), "-o", str(elf)], check=True)
    counter = block_counter(elf, "first", "last", folder)
    machine = [QEMU, "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none"]
    semihosting = ["-semihosting-config", "enable=on,target=native", "-kernel", str(elf)]
    subprocess.run([*machine, *semihosting, *counter.options], check=True, timeout=60)
    return model_cycles(counter.read(), Code(elf.read_bytes()))


@pytest.mark.parametrize("padding", range(9))
def test_counts_are_the_same_wherever_the_code_crosses_a_page(tmp_path: Path, padding: int) -> None:
    # 1, ten times round a loop of 9 that jumps back nine times, and a jump over one instruction.
    assert counted(tmp_path, padding) == Cycles(instructions=92, cycles=92 + 2 * 9 + 2)

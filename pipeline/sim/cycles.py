"""A model of the cycles that a Cortex-M4 takes: instructions counted block by block on the emulated
core, times the timings of its Technical Reference Manual.

Timings, with memory that never makes wait (ARM DDI 0439B, table 3-1; FPv4-SP: table 7-1):

- most instructions, multiplications and stores among them: 1
- a load: 2; 1 where the instruction before it is a load that does not fill its address
- LDM, STM, PUSH, POP, LDRD, STRD, VLDM, VSTM, VPUSH, VPOP: 1 + words; VLDR, VSTR: 2
- a jump that is taken: 1 + `REFILL`, to fill the pipeline; one that is not: 1; TBB, TBH: 1 more
- SDIV, UDIV: `DIVIDE` of 2 to 12; VDIV, VSQRT: 14; VMLA and its kin: 3
- VMOV between two core registers and two of the FPU: 2

Not in it: wait states and caches of a chip, contention for its buses, accesses that are not
aligned, instructions that an IT block skips (counted as executed). A chip's memory is one factor,
measured: `CHIPS`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ExternalError
from pipeline.sim.emulator import QEMU
from pipeline.sim.thumb import Instruction, Kind, decode

REFILL = 2  # of 1 to 3
DIVIDE = 7  # in the middle

# Silicon cycles / model cycles. STM32L4R5 at 120 MHz: MLPerf Tiny v1.0, microTVM + CMSIS-NN: three
# networks within 5 % (docs/ENGINE.md). nRF52840: one point, bakeNN's published network.
CHIPS = {"stm32l4r5": 1.28, "nrf52840": 1.20}

_SOURCE = Path(__file__).resolve().parents[2] / "firmware" / "tools" / "qemu_blocks.c"
_VERSIONS = (1, 2, 3, 4, 5)  # of QEMU's plugin interface: what we use is in all
_CYCLES = {
    Kind.DIVIDE: DIVIDE,
    Kind.TABLE_BRANCH: 2 + REFILL,
    Kind.FLOAT_MULTIPLY_ADD: 3,
    Kind.FLOAT_DIVIDE: 14,
    Kind.FLOAT_LOAD_STORE: 2,
    Kind.FLOAT_PAIR: 2,
}


@dataclass(frozen=True)
class Block:
    """Code from address ``start`` to its ``final`` instruction, that ran ``runs`` times. What ran
    next began 2 bytes behind the start of the final one ``after2`` times, and 4 ``after4`` times.
    """

    start: int
    final: int
    runs: int
    after2: int
    after4: int

    def jumps(self, final: Instruction) -> int:
        """How often its ``final`` instruction jumped."""
        return self.runs - (self.after2 if final.size == 2 else self.after4)


@dataclass(frozen=True)
class Cycles:
    """``instructions`` executed, and ``cycles`` by the model."""

    instructions: int
    cycles: int


def model_cycles(blocks: Iterable[Block], code: Code) -> Cycles:
    """Adds the blocks up."""
    instructions = cycles = 0
    for block in blocks:
        decoded = code.instructions(block.start, block.final)
        instructions += block.runs * len(decoded)
        cycles += block.runs * sum(straight_cycles(decoded))
        cycles += block.jumps(decoded[-1]) * _refill(decoded[-1])
    return Cycles(instructions, cycles)


def straight_cycles(instructions: list[Instruction]) -> list[int]:
    """Of each instruction in a row, no jump taken."""
    counted = []
    before: Instruction | None = None
    for each in instructions:
        cycles = _CYCLES.get(each.kind, 1 + each.words)
        if each.kind is Kind.LOAD:
            cycles = 1 if before is not None and _follows(before, each) else 2
        counted.append(cycles)
        before = each
    return counted


def _follows(before: Instruction, load: Instruction) -> bool:
    return before.kind is Kind.LOAD and before.target not in load.address


def _refill(last: Instruction) -> int:
    """Of a block that is left by a jump: POP and LDR to the program counter jump, too."""
    return 0 if last.kind is Kind.TABLE_BRANCH else REFILL


class Code:
    """The program of an ELF file, by address."""

    def __init__(self, elf: bytes) -> None:
        if elf[:4] != b"\x7fELF" or elf[4:6] != b"\x01\x01":
            raise ExternalError("the image is no little-endian ELF of 32 bits; build it again")
        self._segments: list[tuple[int, bytes]] = []
        start, size, count = _word(elf, 28), _half(elf, 42), _half(elf, 44)
        for at in range(start, start + count * size, size):
            if _word(elf, at) == 1:  # PT_LOAD
                offset, length = _word(elf, at + 4), _word(elf, at + 16)
                self._segments.append((_word(elf, at + 8), elf[offset : offset + length]))

    def instructions(self, start: int, final: int) -> list[Instruction]:
        """Those from address ``start`` to the one at ``final``."""
        base, content = next(
            (base, content)
            for base, content in self._segments
            if base <= start and final < base + len(content)
        )
        found, at = [], start - base
        while at <= final - base:
            found.append(decode(content, at))
            at += found[-1].size
        return found


def _word(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "little")


def _half(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 2], "little")


# ---- counting ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BlockCounter:
    """QEMU's option to count blocks, and the file where it leaves them."""

    options: tuple[str, ...]
    file: Path

    def read(self) -> list[Block]:
        """The blocks of a run that has ended. Raises ExternalError where there are none."""
        try:
            lines = self.file.read_text().splitlines()
        except OSError:
            lines = []
        if not lines:
            raise ExternalError("QEMU's plugin counted nothing; see `har doctor`")
        found = (line.split() for line in lines)
        return [Block(int(a, 16), int(b, 16), *map(int, counts)) for a, b, *counts in found]


def block_counter(elf: Path, first: str, last: str, folder: Path) -> BlockCounter:
    """Builds the plugin in ``folder``, to count from the call of function ``first`` to that of
    ``last``. Raises ExternalError where the host's compiler or the plugin interface is missing."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise ExternalError("counting cycles needs a C compiler: run `sudo apt-get install gcc`")
    addresses = symbols(elf.read_bytes())
    file = folder / "blocks.txt"
    for version in _VERSIONS:
        plugin = folder / f"qemu_blocks_{version}.so"
        command = [compiler, "-O2", "-shared", "-fPIC", "-fvisibility=hidden"]
        command += [f"-DHAR_PLUGIN_VERSION={version}", str(_SOURCE), "-o", str(plugin)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ExternalError(f"QEMU's plugin does not build: {done.stderr.strip()[:200]}")
        option = (
            f"{str(plugin).replace(',', ',,')},out={str(file).replace(',', ',,')},"
            f"first={addresses[first]:x},last={addresses[last]:x}"
        )
        if _loads(option):
            return BlockCounter(("-plugin", option), file)
    raise ExternalError(f"{QEMU} takes no plugins; install one that is built with them")


def _loads(option: str) -> bool:
    """Whether QEMU starts with the plugin: it refuses other versions of the interface."""
    command = [QEMU, "-M", "none", "-display", "none", "-nodefaults", "-S", "-plugin", option]
    try:
        done = subprocess.run(
            [*command, "-monitor", "stdio"],
            input="quit\n",
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def symbols(elf: bytes) -> dict[str, int]:
    """Name -> address of an ELF file's symbols; of functions without the Thumb bit."""
    start, size, count = _word(elf, 32), _half(elf, 46), _half(elf, 48)
    sections = [
        tuple(_word(elf, start + number * size + field) for field in (4, 16, 20, 24))
        for number in range(count)
    ]  # (type, offset, size, link)
    found = {}
    for kind, offset, length, link in sections:
        if kind != 2:  # SHT_SYMTAB
            continue
        names = sections[link][1]
        for at in range(offset, offset + length, 16):
            begin = names + _word(elf, at)
            name = elf[begin : elf.index(b"\0", begin)].decode("ascii", "replace")
            found[name] = _word(elf, at + 4) & ~1
    return found

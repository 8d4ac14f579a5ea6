"""Checks a firmware image for the Nano 33 BLE Sense: does it fit, does it use the FPU?

PlatformIO runs it after each link (platformio.ini, `extra_scripts`); by hand:

    python scripts/check_image.py .pio/build/nano33ble/firmware.elf [OBJECT_DIRECTORY]

Prints what the image takes of flash and RAM, and the stack that it runs on. Fails (exit code 1)
when it reaches the pages kept for learned heads, when the stack is too small, and when an object of
ours calls the library's float arithmetic: then the compiler does not use the FPU, and learning
would crawl.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FLASH_START = 0x10000
HEADS_START = "har_learned_start"  # a symbol of the image: the pages after it keep learned heads
RAM_START = 0x20000000
RAM_BYTES = 0x40000

# Mbed's main thread runs the sketch on this array (mbed_rtos_rtx.c; MAIN_THREAD_STACK_SIZE).
MAIN_STACK = "_main_stack"
# What all of our code runs in on the emulated board, which faults one byte further
# (HAR_STACK_BYTES in firmware/boards/mps2/sections.ld). `har bench` sees about 1,150 of them used
# by prediction and learning; the other 7,000 are for what only the real board calls from there:
# TFLite-Micro's interpreter, the motion sensors' bus and USB.
MAIN_STACK_NEED = 8192

# What Mbed's linker script stretches over all that is left is not used by it.
_STRETCHED = (".heap", ".stack")

# What a Cortex-M4F does by itself, and all of double, which our code has no use for. Between float
# and 64-bit integers there is no instruction: those may be called.
SOFT_FLOAT = re.compile(
    r"__aeabi_(c?f(?!2u?lz)\w+|u?i2[fd]|u?l2d|c?d(add|r?sub|mul|div|neg|cmp\w+|2\w+))$"
)

_ALLOCATED = 2
_NOT_IN_FILE = 8
_SYMBOL_TABLE = 2


class BadImage(Exception):
    """One line: what is wrong and what to do."""


@dataclass(frozen=True)
class Section:
    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True)
class Usage:
    flash_bytes: int
    ram_bytes: int


class Elf:
    """As much of a 32-bit little-endian ELF file as the checks need."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        if self.data[:6] != b"\x7fELF\x01\x01":
            raise BadImage(f"{path}: not a 32-bit little-endian ELF file")
        try:
            self._read_headers()
        except (struct.error, IndexError, ValueError):
            raise BadImage(f"{path}: a damaged ELF file; build again") from None

    def _read_headers(self) -> None:
        (phoff, shoff, _flags, _ehsize, phentsize, phnum, shentsize, shnum, shstrndx) = (
            struct.unpack_from("<IIIHHHHHH", self.data, 28)
        )
        # (type, offset, virtual address, load address, bytes in the file)
        self.segments = [
            struct.unpack_from("<IIIII", self.data, phoff + i * phentsize) for i in range(phnum)
        ]
        raw = [
            struct.unpack_from("<IIIIIII", self.data, shoff + i * shentsize) for i in range(shnum)
        ]
        names_at = raw[shstrndx][4] if shnum else 0
        self.sections = [
            Section(self._text(names_at + name), kind, flags, address, offset, size, link)
            for name, kind, flags, address, offset, size, link in raw
        ]

    def _text(self, at: int) -> str:
        return self.data[at : self.data.index(b"\0", at)].decode("ascii", "replace")

    def symbols(self) -> Iterator[tuple[str, int, int, int]]:
        """(name, value, bytes, section) of each symbol; section 0: it is not defined here."""
        for table in self.sections:
            if table.kind != _SYMBOL_TABLE:
                continue
            strings = self.sections[table.link].offset
            for at in range(table.offset, table.offset + table.size, 16):
                name, value, size, _info, _other, section = struct.unpack_from(
                    "<IIIBBH", self.data, at
                )
                if name:
                    yield self._text(strings + name), value, size, section


def measure(elf: Elf) -> Usage:
    """Bytes of flash from the application's start to the image's end, and of static RAM."""
    ends = [
        load + size
        for kind, _offset, _virtual, load, size in elf.segments
        if kind == 1 and size and FLASH_START <= load < RAM_START
    ]
    if not ends:
        raise BadImage("the image holds nothing for the board's flash: is it for another board?")
    ram = sum(
        section.size
        for section in elf.sections
        if section.flags & _ALLOCATED
        and RAM_START <= section.address < RAM_START + RAM_BYTES
        and section.name not in _STRETCHED
    )
    return Usage(max(ends) - FLASH_START, ram)


def program_limit(elf: Elf) -> int:
    """Bytes of flash from the application's start to the pages kept for learned heads."""
    for name, value, _, section in elf.symbols():
        if name == HEADS_START and section:
            return value - FLASH_START
    raise BadImage(f"the image does not say where learned heads lie: it has no {HEADS_START}")


def main_stack(elf: Elf) -> int | None:
    """Bytes of the stack that the sketch runs on; None where the image does not say."""
    for name, _, size, section in elf.symbols():
        if name == MAIN_STACK and section and size:
            return size
    return None


def soft_float_calls(objects: Path) -> list[str]:
    """`object: symbol` for each call of the float library by an object file below `objects`."""
    return [
        f"{path.name}: {symbol}"
        for path in sorted(objects.rglob("*.o"))
        for symbol in sorted({name for name, _, _, section in Elf(path).symbols() if not section})
        if SOFT_FLOAT.match(symbol)
    ]


def check(image: Path, objects: Path | None) -> list[str]:
    """Prints the sizes; answers what is wrong, one line each."""
    elf = Elf(image)
    usage, limit, stack = measure(elf), program_limit(elf), main_stack(elf)
    print(f"flash {usage.flash_bytes:>9,} of {limit:,} bytes (learned heads after it)")
    print(f"RAM   {usage.ram_bytes:>9,} of {RAM_BYTES:,} bytes, static; the rest is Mbed's heap")
    if stack is None:
        print(
            f"stack   unknown: no {MAIN_STACK} in this image; {MAIN_STACK_NEED:,} bytes are needed"
        )
    else:
        print(f"stack {stack:>9,} bytes of RAM for the main thread; it needs {MAIN_STACK_NEED:,}")
    wrong = []
    if usage.flash_bytes > limit:
        over = usage.flash_bytes - limit
        wrong.append(f"the image reaches {over:,} bytes into the pages kept for learned heads")
    if usage.ram_bytes > RAM_BYTES:
        wrong.append(f"static memory is {usage.ram_bytes - RAM_BYTES:,} bytes over the board's RAM")
    if stack is not None and stack < MAIN_STACK_NEED:
        wrong.append(
            f"the main thread's stack is {stack:,} bytes and needs {MAIN_STACK_NEED:,}: see the "
            "core's MBED_CONF_RTOS_MAIN_THREAD_STACK_SIZE"
        )
    if objects is not None:
        calls = soft_float_calls(objects)
        if calls:
            wrong.append(
                f"float arithmetic without the FPU ({', '.join(calls[:4])}): see platformio.ini, "
                "-mfloat-abi"
            )
    return wrong


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print("usage: check_image.py IMAGE.elf [OBJECT_DIRECTORY]", file=sys.stderr)
        return 2
    objects = Path(arguments[1]) if len(arguments) == 2 else None
    try:
        wrong = check(Path(arguments[0]), objects)
    except (BadImage, OSError) as error:
        print(f"check_image: {error}", file=sys.stderr)
        return 2
    for line in wrong:
        print(f"check_image: {line}", file=sys.stderr)
    return 1 if wrong else 0


if "Import" in globals():  # PlatformIO reads this file as a part of its build
    globals()["Import"]("env")
    _env = globals()["env"]

    def _after_link(target, source, env):  # type: ignore[no-untyped-def]  # noqa: ARG001
        return main([str(target[0]), env.subst("$BUILD_SRC_DIR")])

    _env.AddPostAction("$PROGPATH", _after_link)
elif __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

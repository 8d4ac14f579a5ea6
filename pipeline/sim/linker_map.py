"""What takes how much of an image, read from the map file that GNU ld writes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.core.errors import ExternalError

_FLASH_SECTIONS = frozenset({".vectors", ".text", ".rodata", ".ARM.exidx", ".data"})
_RAM_SECTIONS = frozenset({".data", ".bss", ".stack"})
_WEIGHTS_OBJECT = re.compile(r"har_net\.c\.o(bj)?$")

_MAP_BEGINS = "Linker script and memory map"
_NAME_ALONE = re.compile(r"^ ?\.\S+$")
_OUTPUT = re.compile(r"^(\.\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\b")
_INPUT = re.compile(r"^ (\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)\s+(\S.*)$")


@dataclass(frozen=True)
class Piece:
    """One input section: where it was put, its size, and the object file it came from."""

    output_section: str
    section: str
    size_bytes: int
    origin: str


@dataclass(frozen=True)
class LinkerMap:
    """Sizes of the output sections, bytes, and the pieces they are made of."""

    sections: dict[str, int]
    pieces: tuple[Piece, ...]

    def flash_bytes_from(self, pattern: str) -> int:
        """Flash taken by the pieces whose origin matches the regular expression."""
        found = re.compile(pattern)
        return sum(
            piece.size_bytes
            for piece in self.pieces
            if piece.output_section in _FLASH_SECTIONS and found.search(piece.origin)
        )


@dataclass(frozen=True)
class Sizes:
    """Bytes of an image.

    flash: code, constants and the initial values of data; ram: data, zeroed data and the stack's
    reserve (none on the host); weights: the constants of the compiled net; runtime_flash: flash
    without them.
    """

    flash_bytes: int
    ram_bytes: int
    weights_bytes: int
    runtime_flash_bytes: int


def parse_map(text: str) -> LinkerMap:
    """Reads a GNU ld map. Raises `ExternalError` for any other text."""
    _, begins, body = text.partition(_MAP_BEGINS)
    sections: dict[str, int] = {}
    pieces: list[Piece] = []
    current = ""
    for line in _whole_lines(body):
        if output := _OUTPUT.match(line):
            current = output[1]
            sections[current] = sections.get(current, 0) + int(output[2], 16)
        elif (piece := _INPUT.match(line)) and piece[1] != "*fill*":
            pieces.append(Piece(current, piece[1], int(piece[2], 16), piece[3].strip()))
    if not begins or ".text" not in sections:
        raise ExternalError("the linker wrote no GNU map file: build with GCC and GNU ld")
    return LinkerMap(sections, tuple(pieces))


def sizes_of(linked: LinkerMap) -> Sizes:
    """Adds the sections up."""
    weights = sum(
        piece.size_bytes
        for piece in linked.pieces
        if piece.section.startswith(".rodata") and _WEIGHTS_OBJECT.search(piece.origin)
    )
    flash = sum(linked.sections.get(name, 0) for name in _FLASH_SECTIONS)
    return Sizes(
        flash_bytes=flash,
        ram_bytes=sum(linked.sections.get(name, 0) for name in _RAM_SECTIONS),
        weights_bytes=weights,
        runtime_flash_bytes=flash - weights,
    )


def _whole_lines(body: str) -> list[str]:
    """ld breaks the line after a long section name: joins such pairs."""
    lines: list[str] = []
    pending = ""
    for line in body.splitlines():
        if pending:
            line, pending = pending + line, ""
        if _NAME_ALONE.match(line):
            pending = line
        else:
            lines.append(line)
    return lines

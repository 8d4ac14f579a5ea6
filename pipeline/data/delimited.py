"""Delimited text as phones, spreadsheets and serial monitors write it.

UTF-8 or UTF-16, with or without a byte order mark; columns between commas, semicolons or tabs; with
semicolons and tabs a decimal comma; cells in quotes; columns and lines that a spreadsheet padded.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.core.errors import InputError

MAX_NUMBER = 1e20  # nanoseconds since 1970 are 2e18
# So much of a file tells its form.
HEAD_BYTES = 4096
DELIMITERS = ",;\t"
_PADDING = " \t,;"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# What a file begins with that is no text, and what it is.
_MAGIC = {
    b"PK\x03\x04": "a spreadsheet or a zip",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive",
    b"SQLite": "a database",
}


@dataclass(frozen=True)
class Delimited:
    """A file taken apart: ``comments`` are the lines before the header that begin with #, as
    (line, text); ``header`` the first other line, in ``header_line``. Lines count from 1."""

    place: str
    comments: tuple[tuple[int, str], ...]
    header: tuple[str, ...]
    header_line: int
    delimiter: str
    _lines: Sequence[str]

    def rows(self, *, blank: bool = False) -> Iterator[tuple[int, list[str]]]:
        """(line, cells) of what follows the header, with as many cells as that where a spreadsheet
        padded. ``blank``: pass blank lines on (as []), else they are refused.

        Raises:
            InputError: another number of columns.
        """
        columns = len(self.header)
        for line, text in enumerate(self._lines[self.header_line :], start=self.header_line + 1):
            cells = split(text, self.delimiter)
            while len(cells) > columns and not cells[-1]:
                cells.pop()
            if blank and not any(cells):
                yield line, []
            elif len(cells) != columns:
                commas = self.delimiter == "," and len(cells) > columns
                raise InputError(
                    f"{self.place}, line {line}: {len(cells)} columns; expected {columns}"
                    + ("; decimal commas want ; between the columns" if commas else "")
                )
            else:
                yield line, cells

    def number(self, text: str, line: int, column: str) -> float:
        """The number that ``text`` is. InputError for a word, nan, inf or something huge."""
        plain = text.replace(",", ".") if self.delimiter != "," else text
        fits = _NUMBER.fullmatch(plain)
        value = float(plain) if fits else math.nan
        if abs(value) <= MAX_NUMBER:
            return value
        where = f"{self.place}, line {line}, column {column}"
        if not fits and plain.lower().lstrip("+-") not in ("nan", "inf", "infinity"):
            raise InputError(f"{where}: {text[:30]!r} is not a number")
        raise InputError(f"{where}: {text[:30]} is no usable number; cut that stretch out")


def read_delimited(place: str, data: bytes, errors: str = "strict") -> Delimited:
    """Takes the bytes of a file apart. Messages call it ``place``; ``errors`` as in bytes.decode.

    Raises:
        InputError: no text, or nothing but comments in it.
    """
    lines = re.split(r"\r\n|\n|\r", decode(place, data, errors))
    while lines and not lines[-1].strip(_PADDING):
        lines.pop()
    comments = []
    at = 0
    while at < len(lines):
        text = lines[at].strip(_PADDING + '"')
        # The line sep=; is for Excel.
        if text and not text.startswith("#") and text.lower() != "sep=":
            break
        comments.append((at + 1, text))
        at += 1
    if at == len(lines):
        raise InputError(f"{place}: no header and no samples in it")
    delimiter = max(DELIMITERS, key=re.sub(r'"[^"]*"', "", lines[at]).count)
    header = split(lines[at], delimiter)
    while header and not header[-1]:
        header.pop()
    return Delimited(
        place, tuple(c for c in comments if c[1]), tuple(header), at + 1, delimiter, lines
    )


def header_of(data: bytes) -> tuple[str, ...]:
    """The header in the first bytes of a file, to recognise it by; () for what is no text."""
    try:
        return read_delimited("", data[:HEAD_BYTES], "ignore").header
    except InputError:
        return ()


def is_number(text: str) -> bool:
    """Whether a cell is a number, with a decimal point or comma."""
    return bool(_NUMBER.fullmatch(text.replace(",", ".")))


def refuse_binary(place: str, data: bytes) -> None:
    """Raises InputError for what begins as something else than text."""
    for magic, what in _MAGIC.items():
        if data.startswith(magic):
            raise InputError(f"{place}: {what}, not text; save it as CSV (UTF-8)")


def decode(place: str, data: bytes, errors: str = "strict") -> str:
    """The text of a file; InputError for bytes that are none."""
    refuse_binary(place, data)
    encoding = "utf-8-sig"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif data[:200].count(0) > len(data[:200]) // 4:  # UTF-16 without its mark
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    try:
        text = data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place}, byte {error.start}: neither UTF-8 nor UTF-16 text; save it as CSV (UTF-8)"
        ) from None
    if "\0" in text:
        raise InputError(f"{place}: bytes that are 0 in it; it is damaged, or no text")
    return text


def split(line: str, delimiter: str) -> list[str]:
    """The cells of a line, without the blanks around them."""
    if '"' in line:
        try:
            cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        except csv.Error:  # a cell too long for any: whoever reads it says what is wrong
            cells = line.split(delimiter)
    else:
        cells = line.split(delimiter)
    return [cell.strip() for cell in cells]

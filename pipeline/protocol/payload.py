"""Cursors over payloads: strict reading, checked writing. Little-endian throughout."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import TypeVar

from pipeline.core.errors import ExternalError

__all__ = ["DecodeError", "Reader", "pack", "pack_string"]

E = TypeVar("E", bound=IntEnum)


class DecodeError(ExternalError):
    """A frame came whole and does not say what docs/PROTOCOL.md allows."""


class Reader:
    """Cursor over a payload: each method raises `DecodeError` where the bytes do not fit it."""

    def __init__(self, name: str, payload: bytes) -> None:
        self._name = name
        self._payload = payload
        self._at = 0

    def error(self, problem: str) -> DecodeError:
        return DecodeError(
            f"the {self._name} frame {problem}: flash the firmware that belongs to this har"
        )

    def take(self, size: int) -> bytes:
        piece = self._payload[self._at : self._at + size]
        if len(piece) != size:
            raise self.error(f"ends after {len(self._payload)} bytes, too early")
        self._at += size
        return piece

    @property
    def left(self) -> int:
        return len(self._payload) - self._at

    def number(self, form: str) -> int:
        layout = struct.Struct("<" + form)
        return int(layout.unpack(self.take(layout.size))[0])

    def u8(self) -> int:
        return self.number("B")

    def u16(self) -> int:
        return self.number("H")

    def u32(self) -> int:
        return self.number("I")

    def f32(self) -> float:
        return float(struct.unpack("<f", self.take(4))[0])

    def flag(self, what: str) -> bool:
        value = self.u8()
        self.require(value <= 1, f"has {what} {value}, neither 0 nor 1")
        return value == 1

    def probability(self) -> float:
        value = self.f32()
        self.require(0.0 <= value <= 1.0, f"has a probability of {value}")  # NaN fails too
        return value

    def string(self) -> str:
        size = self.u8()
        try:
            text = self.take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise self.error("has a text that is no UTF-8") from None
        # What reaches a terminal must not steer it.
        self.require(text.isprintable(), "has a text with unprintable characters")
        return text

    def strings(self) -> Iterator[str]:
        """Those that reach to the end."""
        while self.left:
            yield self.string()

    def choice(self, kind: type[E]) -> E:
        value = self.u8()
        try:
            return kind(value)
        except ValueError:
            raise self.error(f"has an unknown {kind.__name__.lower()} ({value})") from None

    def require(self, condition: bool, problem: str) -> None:
        if not condition:
            raise self.error(problem)

    def done(self) -> None:
        self.require(self.left == 0, f"has {self.left} bytes too many")


def pack(form: str, *values: object) -> bytes:
    """struct.pack, little-endian. Raises ValueError when a value does not fit."""
    try:
        return struct.pack("<" + form, *values)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"a value does not fit its field: {error}") from None


def pack_string(text: str) -> bytes:
    """Length u8, then UTF-8. Raises ValueError when that is longer than 255 bytes."""
    data = text.encode()
    return pack("B", len(data)) + data

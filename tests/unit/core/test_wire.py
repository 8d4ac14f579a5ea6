"""pipeline/core/wire.py: what a declaration means in bytes, and what is refused by name."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from math import nan
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import wire
from pipeline.core.wire import COUNTED, F32, U8, U16, U32, Exactly, Malformed, Number


class Colour(IntEnum):
    RED = 1
    BLUE = 7


@dataclass(frozen=True)
class Point:
    x: U16
    y: U16


@dataclass(frozen=True)
class Everything:
    small: U8
    large: U32
    real: F32
    share: Annotated[float, Number("f", "share", 0.0, 1.0)]
    warmth: Annotated[float | None, Number("f", "warmth", -99.0, 99.0, unknown=nan)]
    yes: bool
    colour: Colour
    name: str
    key: Annotated[bytes, Exactly(2)]
    point: Point
    three: tuple[U8, U8, U8]
    counted: Annotated[tuple[U16, ...], COUNTED]
    rest: tuple[str, ...]


VALUE = Everything(
    *(7, 0xDEADBEEF, 1.5, 0.25, None, True, Colour.BLUE, "\u00e4", b"\x00\xff"),
    *(Point(1, 2), (3, 4, 5), (6, 7), ("a", "")),
)
BYTES = (
    struct.pack("<BIfff", 7, 0xDEADBEEF, 1.5, 0.25, nan)
    + b"\x01\x07\x02\xc3\xa4\x00\xff\x01\x00\x02\x00\x03\x04\x05\x02\x06\x00\x07\x00\x01a\x00"
)


def test_fields_follow_each_other_as_declared() -> None:
    assert wire.encode(VALUE) == BYTES
    assert wire.decode(Everything, BYTES) == VALUE


def test_the_fields_of_a_base_are_written_alone() -> None:
    @dataclass(frozen=True)
    class Space(Point):
        z: U16

    assert wire.encode(Space(1, 2, 3), Point) == b"\x01\x00\x02\x00"


@pytest.mark.parametrize(
    ("at", "value", "problem"),
    [
        (9, struct.pack("<f", 1.5), "has a share of 1.5 in share"),
        (9, struct.pack("<f", nan), "has a share of nan in share"),
        (13, struct.pack("<f", 100.0), "has a warmth of 100.0 in warmth"),
        (17, b"\x02", "has unknown flags (0x02) in yes"),
        (18, b"\x02", "has an unknown colour (2) in colour"),
        (20, b"\xff", "has a text that is not UTF-8 in name"),
        (19, b"\x02\x1bc", "has a text with unprintable characters in name"),
        (31, b"\xff", "too early in counted"),
    ],
)
def test_what_is_refused_names_its_field(at: int, value: bytes, problem: str) -> None:
    with pytest.raises(Malformed) as caught:
        wire.decode(Everything, BYTES[:at] + value + BYTES[at + len(value) :])
    assert str(caught.value).endswith(problem)


def test_every_byte_too_few_is_refused_and_so_is_one_too_many() -> None:
    for size in range(len(BYTES) - 3):  # the last three are two texts that reach to the end
        with pytest.raises(Malformed):
            wire.decode(Everything, BYTES[:size])
    with pytest.raises(Malformed, match="has 1 bytes too many"):
        wire.decode(Point, b"\x01\x00\x02\x00\x03")


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (Number("B"), 256),
        (Number("f"), 1e39),
        (Exactly(2), b"abc"),
        (wire.Text(), "x" * 256),
        (wire.Sequence(Number("B"), COUNTED), (0,) * 256),
        (wire.Sequence(Number("B"), 3), (1, 2)),
    ],
)
def test_what_does_not_fit_is_not_written(declared: wire.Kind, value: Any) -> None:
    with pytest.raises(ValueError, match=r"cannot hold|holds"):
        declared.write(value)


def test_a_field_of_no_known_kind_is_our_own_error() -> None:
    @dataclass
    class Wrong:
        field: dict[str, int]

    with pytest.raises(TypeError, match="no layout"):
        wire.layout(Wrong)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_as_they_would_be_written_or_refused(data: bytes) -> None:
    @dataclass(frozen=True)
    class Message:
        number: U16
        names: Annotated[tuple[str, ...], COUNTED]
        data: bytes

    try:
        message = wire.decode(Message, data)
    except Malformed:
        return
    assert wire.encode(message) == data

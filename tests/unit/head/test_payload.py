"""The payload of a learned head: the bytes of docs/STORAGE.md, and what is refused."""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.core.names import check_name
from pipeline.head import HEAD_START_BYTES, LIMIT, head_size, unpack, values_offset
from pipeline.head.payload import LearnedHead, head_bytes, pack, record_bytes
from tests.golden.vectors import storage

VECTOR = storage()["head"]
PAYLOAD = bytes.fromhex(VECTOR["payload"])
ROWS, SHIPPED = VECTOR["rows"], VECTOR["shipped"]
LIMITS_AT, NAMES_AT = 48 + 4 * ROWS, 48 + 8 * ROWS
VALUES_AT = values_offset(ROWS, SHIPPED)
HEAD = unpack(PAYLOAD)
GIVEN = [None, SHIPPED]


@dataclass(frozen=True)
class Shape:
    """The sizes of a HeadShape that decide how long a payload is."""

    rows: int
    parameters: int
    window_bytes: int


def said(head: LearnedHead) -> dict[str, Any]:
    """All of a head as plain values."""
    values = {field.name: getattr(head, field.name) for field in fields(head)}
    values |= asdict(values.pop("guard"))
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }


def with_value(at: int, value: float) -> bytes:
    return PAYLOAD[:at] + np.float32(value).tobytes() + PAYLOAD[at + 4 :]


@pytest.mark.parametrize("shipped", GIVEN)
def test_the_payload_equals_its_golden_vector(shipped: int | None) -> None:
    head = unpack(PAYLOAD, shipped)
    expected = {name: VECTOR[name] for name in said(head)}
    expected |= {"labels": tuple(VECTOR["labels"]), "names": tuple(VECTOR["names"])}
    assert said(head) == expected
    assert (head.rows, head.activities) == (ROWS, VECTOR["activities"])
    assert head.parameters.dtype == head.limits.dtype == np.float32
    assert pack(head) == PAYLOAD


def test_sizes_are_those_of_the_golden_vectors() -> None:
    shape = Shape(ROWS, len(VECTOR["parameters"]), VECTOR["window_bytes"])
    assert head_bytes(shape, SHIPPED) == len(PAYLOAD)  # type: ignore[arg-type]
    assert head_size(PAYLOAD[:HEAD_START_BYTES], SHIPPED) == len(PAYLOAD)
    record = bytes.fromhex(VECTOR["record_payload"])
    assert record_bytes(shape, SHIPPED, VECTOR["capacity"]) == len(record)  # type: ignore[arg-type]
    assert record.startswith(PAYLOAD)
    assert PAYLOAD[VALUES_AT:] == HEAD.parameters.tobytes()
    for capacity in range(5):
        assert record_bytes(shape, SHIPPED, capacity) % 4 == 0  # type: ignore[arg-type]


def test_every_byte_is_where_the_document_says() -> None:
    assert struct.unpack_from("<HBBI", PAYLOAD) == (3, 4, 3, 16)
    state = struct.unpack_from("<9I", PAYLOAD, 8)
    names = ("updates", "exemplars", "random", "judged", "shipped_right", "learned_right")
    names += ("undone", "since_s", "saved_s")
    assert dict(zip(names, state, strict=True)) == {name: VECTOR[name] for name in names}
    assert struct.unpack_from("<HH", PAYLOAD, 44) == (3, 5)
    assert list(struct.unpack_from("<4I4f", PAYLOAD, 48)) == VECTOR["labels"] + VECTOR["limits"]
    name = VECTOR["names"][0].encode()
    assert PAYLOAD[80 : 80 + 64] == (bytes([len(name)]) + name).ljust(64, b"\0")
    assert list(struct.unpack_from("<16f", PAYLOAD, 144)) == VECTOR["parameters"]


def test_every_truncation_and_extension_is_refused() -> None:
    cut = [PAYLOAD[:size] for size in range(len(PAYLOAD))]
    for wrong in [*cut, PAYLOAD + b"\x00", PAYLOAD + bytes(32), PAYLOAD + bytes(320)]:
        with pytest.raises(InputError, match="cut off"):
            unpack(wrong, SHIPPED)
        if len(wrong) % 32 != len(PAYLOAD) % 32:  # else it may belong to another model
            with pytest.raises(InputError, match="cut off"):
                unpack(wrong)


@pytest.mark.parametrize("shipped", GIVEN)
@pytest.mark.parametrize(
    ("at", "value"), [(0, b"\0\0"), (3, b"\x01"), (3, b"\x05")], ids=["F = 0", "A < K", "A > R"]
)
def test_sizes_that_no_model_has_are_refused(at: int, value: bytes, shipped: int | None) -> None:
    with pytest.raises(InputError, match="invalid head"):
        unpack(PAYLOAD[:at] + value + PAYLOAD[at + len(value) :], shipped)


def test_a_head_of_nothing_is_refused() -> None:
    for shipped in (None, 0):
        with pytest.raises(InputError, match="invalid head"):
            unpack(bytes(48), shipped)


def test_the_head_of_another_model_is_refused() -> None:
    with pytest.raises(InputError, match="of another model"):
        unpack(PAYLOAD, SHIPPED + 1)


BEYOND = float(np.nextafter(LIMIT, np.float32(np.inf)))
DENORMAL = float(np.float32(1e-40))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, BEYOND, -BEYOND, DENORMAL, -DENORMAL])
@pytest.mark.parametrize("where", ["limits", "parameters"])
def test_values_that_the_board_refuses_are_refused_both_ways(value: float, where: str) -> None:
    changed = getattr(HEAD, where).copy()
    changed[1] = value
    with pytest.raises(InputError, match="not finite, denormal or larger than 1048576"):
        pack(replace(HEAD, **{where: changed}))
    at = {"limits": LIMITS_AT, "parameters": VALUES_AT}[where] + 4
    with pytest.raises(InputError, match="not finite, denormal or larger than 1048576"):
        unpack(with_value(at, value))


@pytest.mark.parametrize("value", [0.0, -0.0, -1.0])
def test_a_limit_that_is_not_above_0_is_refused_both_ways(value: float) -> None:
    with pytest.raises(InputError, match="limit that is not above 0"):
        pack(replace(HEAD, limits=np.float32([1.0, 1.0, 1.0, value])))
    with pytest.raises(InputError, match="limit that is not above 0"):
        unpack(with_value(LIMITS_AT + 4 * (ROWS - 1), value))


def test_the_largest_and_the_smallest_values_are_taken() -> None:
    values = [LIMIT, -LIMIT, 0.0, -0.0, np.finfo(np.float32).tiny]
    parameters = HEAD.parameters.copy()
    parameters[: len(values)] = values
    again = unpack(pack(replace(HEAD, parameters=parameters, limits=np.full(4, LIMIT))))
    assert again.parameters.tobytes() == parameters.tobytes()
    assert again.limits.tolist() == [LIMIT] * 4


LONGEST = "\u00e4" * 15 + "x"  # 31 bytes


@pytest.mark.parametrize("names", [(), ("a",), (LONGEST, "b c")])
def test_names_come_back(names: tuple[str, ...]) -> None:
    again = unpack(pack(replace(HEAD, names=names)))
    assert (again.names, again.activities, again.shipped) == (names, SHIPPED + len(names), SHIPPED)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("",), "no activity's name"),
        ((LONGEST + "y",), "no activity's name"),
        (("a\nb",), "no activity's name"),
        (("\x1b[2J",), "no activity's name"),
        (("\ud800",), "no activity's name"),
        (("unknown",), "called 'unknown'"),
        (("a", "a"), "'a' already"),
        (("a", "b", "c"), "invalid head"),
    ],
)
def test_names_that_no_board_takes_are_not_packed(names: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        pack(replace(HEAD, names=names))


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (b"\x00", "no activity's name"),
        (b"\x20" + b"a" * 31, "no activity's name"),
        (b"\x02a\x07", "no activity's name"),
        (b"\x02\xc3\x28", "not UTF-8"),
        (b"\x07unknown", "called 'unknown'"),
    ],
)
def test_names_that_no_board_takes_are_refused(entry: bytes, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        unpack(PAYLOAD[:NAMES_AT] + entry.ljust(32, b"\0") + PAYLOAD[NAMES_AT + 32 :])


@pytest.mark.parametrize("right", ["shipped_right", "learned_right"])
def test_more_right_than_judged_is_refused_both_ways(right: str) -> None:
    with pytest.raises(InputError, match="right 8 times of 7"):
        pack(replace(HEAD, guard=replace(HEAD.guard, **{right: HEAD.guard.judged + 1})))
    at = {"shipped_right": 24, "learned_right": 28}[right]
    with pytest.raises(InputError, match="right 8 times of 7"):
        unpack(PAYLOAD[:at] + struct.pack("<I", HEAD.guard.judged + 1) + PAYLOAD[at + 4 :])


def test_a_name_that_is_taken_is_none() -> None:
    check_name("cycling", ["walking"])
    with pytest.raises(InputError, match="an activity 'walking' already: choose another name"):
        check_name("walking", ["walking"])


def test_parts_that_do_not_belong_are_refused() -> None:
    for changes in (
        {"labels": (1, 2, 3)},
        {"limits": HEAD.limits[:1]},
        {"parameters": HEAD.parameters[None]},
        {"parameters": HEAD.parameters[:0]},
        {"features": 0},
        {"shipped": 5, "names": ()},
    ):
        with pytest.raises(InputError, match="head"):
            pack(replace(HEAD, **changes))  # type: ignore[arg-type]


@given(st.binary(min_size=len(PAYLOAD), max_size=len(PAYLOAD)), st.integers(0, len(PAYLOAD)))
def test_any_bytes_are_taken_or_refused_in_one_line(data: bytes, good: int) -> None:
    try:
        head = unpack(PAYLOAD[:good] + data[good:])
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert len(pack(head)) == len(PAYLOAD)
        assert (np.abs(head.parameters) <= LIMIT).all() and (head.limits > 0).all()

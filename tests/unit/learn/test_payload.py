"""The payload of a learned tail: the bytes of docs/STORAGE.md, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.learn import pack, payload_bytes, unpack

WEIGHTS = np.float32([[1.0, -2.0, 0.5], [0.0, 4.0, -0.25]])
BIAS = np.float32([1.5, -1.0])
BYTES = bytes.fromhex(
    "0300 0200 07000000 03000000 04000000"
    "0000803f 000000c0 0000003f 00000000 00008040 000080be"
    "0000c03f 000080bf"
)


def test_every_byte_is_where_the_document_says() -> None:
    assert pack(WEIGHTS, BIAS, 7, (3, 4)) == BYTES
    assert len(BYTES) == payload_bytes(3, 2)


def test_what_was_packed_is_unpacked() -> None:
    tail = unpack(BYTES, 3, 2)
    np.testing.assert_array_equal(tail.weights, WEIGHTS)
    np.testing.assert_array_equal(tail.bias, BIAS)
    assert (tail.updates, tail.labels) == (7, (3, 4))
    assert tail.weights.dtype == tail.bias.dtype == np.float32


def test_every_truncation_and_extension_is_refused() -> None:
    for size in range(len(BYTES)):
        with pytest.raises(InputError):
            unpack(BYTES[:size], 3, 2)
    with pytest.raises(InputError):
        unpack(BYTES + b"\x00", 3, 2)


def test_another_shape_of_the_same_size_is_refused() -> None:
    with pytest.raises(InputError, match="made for"):
        unpack(b"\x04\x00" + BYTES[2:], 3, 2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2e6])
def test_values_that_the_board_refuses_are_refused_here(value: float) -> None:
    weights = WEIGHTS.copy()
    weights[1, 1] = value
    with pytest.raises(InputError, match="finite"):
        unpack(pack(weights, BIAS, 0, (0, 0)), 3, 2)


def test_counts_that_do_not_belong_are_refused() -> None:
    with pytest.raises(InputError):
        pack(WEIGHTS, BIAS, 0, (1, 2, 3))
    with pytest.raises(InputError):
        pack(WEIGHTS, BIAS[:1], 0, (1, 2))


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=len(BYTES), max_size=len(BYTES)))
def test_any_bytes_are_taken_or_refused_in_one_line(data: bytes) -> None:
    try:
        tail = unpack(b"\x03\x00\x02\x00" + data[4:], 3, 2)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(tail.weights).all() and np.isfinite(tail.bias).all()

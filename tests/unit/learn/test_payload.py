"""The payload of a learned tail: the bytes of docs/STORAGE.md, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.learn import LIMIT, pack, payload_bytes, unpack, weights_offset
from tests.golden.vectors import storage

WEIGHTS = np.float32([[1.0, -2.0, 0.5], [0.0, 4.0, -0.25]])
BIAS = np.float32([1.5, -1.0])
LIMITS = np.float32([2.0, 0.5])
BYTES = bytes.fromhex(
    "0300 0200 07000000 03000000 04000000"
    "00000040 0000003f"
    "0000803f 000000c0 0000003f 00000000 00008040 000080be"
    "0000c03f 000080bf"
)


def test_every_byte_is_where_the_document_says() -> None:
    assert pack(WEIGHTS, BIAS, 7, (3, 4), LIMITS) == BYTES
    assert len(BYTES) == payload_bytes(3, 2)


def test_the_payload_equals_its_golden_vector() -> None:
    vector = storage()["head"]
    payload = bytes.fromhex(vector["payload"])
    tail = unpack(payload)
    assert (tail.updates, list(tail.labels)) == (vector["updates"], vector["labels"])
    assert tail.weights.shape == (vector["activities"], vector["features"])
    assert tail.weights.dtype == tail.bias.dtype == np.float32
    assert tail.weights.ravel().tolist() == vector["weights"]
    assert tail.bias.tolist() == vector["bias"]
    assert tail.limits.tolist() == vector["limits"]
    assert pack(tail.weights, tail.bias, tail.updates, tail.labels, tail.limits) == payload
    assert len(payload) == payload_bytes(vector["features"], vector["activities"])
    assert payload[weights_offset(2) :] == tail.weights.tobytes() + tail.bias.tobytes()


@pytest.mark.parametrize("shape", [None, (2, 3)])
def test_what_was_packed_is_unpacked(shape: tuple[int, int] | None) -> None:
    tail = unpack(BYTES, shape)
    np.testing.assert_array_equal(tail.weights, WEIGHTS)
    np.testing.assert_array_equal(tail.bias, BIAS)
    np.testing.assert_array_equal(tail.limits, LIMITS)
    assert (tail.updates, tail.labels) == (7, (3, 4))
    assert tail.weights.dtype == tail.bias.dtype == tail.limits.dtype == np.float32


@pytest.mark.parametrize("shape", [None, (2, 3)])
def test_every_truncation_and_extension_is_refused(shape: tuple[int, int] | None) -> None:
    cut = [BYTES[:size] for size in range(len(BYTES))]
    for wrong in [*cut, BYTES + b"\x00", BYTES + bytes(4)]:
        with pytest.raises(InputError, match="cut off"):
            unpack(wrong, shape)


@pytest.mark.parametrize("features, activities", [(0, 0), (3, 0), (0, 2)])
def test_a_head_of_nothing_is_refused(features: int, activities: int) -> None:
    header = np.array([features, activities], "<u2").tobytes()
    with pytest.raises(InputError, match="no head"):
        unpack(header + bytes(payload_bytes(features, activities) - 4))


def test_another_shape_of_the_same_size_is_refused() -> None:
    with pytest.raises(InputError, match="made for"):
        unpack(b"\x04\x00" + BYTES[2:], (2, 3))
    three = np.ones(3, np.float32)
    transposed = pack(np.zeros((3, 2), np.float32), three, 0, (0, 0, 0), three)
    with pytest.raises(InputError, match="made for 2 features and 3 activities, not 3 and 2"):
        unpack(transposed, (2, 3))


BEYOND = float(np.nextafter(LIMIT, np.float32(np.inf)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2e6, BEYOND, -BEYOND])
@pytest.mark.parametrize("where", ["weights", "bias", "limits"])
def test_values_that_the_board_refuses_are_refused_both_ways(value: float, where: str) -> None:
    parts = {"weights": WEIGHTS.copy(), "bias": BIAS.copy(), "limits": LIMITS.copy()}
    parts[where].ravel()[1] = value
    with pytest.raises(InputError, match="not finite or larger than 1048576"):
        pack(parts["weights"], parts["bias"], 0, (0, 0), parts["limits"])
    starts = {"limits": weights_offset(2) - 8, "weights": weights_offset(2)}
    at = starts.get(where, len(BYTES) - 8) + 4
    with pytest.raises(InputError, match="not finite or larger than 1048576"):
        unpack(BYTES[:at] + np.float32(value).tobytes() + BYTES[at + 4 :])


@pytest.mark.parametrize("value", [0.0, -0.0, -1.0])
def test_a_limit_that_is_not_above_0_is_refused_both_ways(value: float) -> None:
    with pytest.raises(InputError, match="limit that is not above 0"):
        pack(WEIGHTS, BIAS, 0, (0, 0), np.float32([1.0, value]))
    at = weights_offset(2) - 4
    with pytest.raises(InputError, match="limit that is not above 0"):
        unpack(BYTES[:at] + np.float32(value).tobytes() + BYTES[at + 4 :])


def test_the_limit_itself_is_taken() -> None:
    bias = np.array([LIMIT, -LIMIT], np.float32)
    limits = np.array([LIMIT, 1], np.float32)
    tail = unpack(pack(WEIGHTS, bias, 0, (0, 0), limits))
    assert (tail.bias.tolist(), tail.limits.tolist()) == (bias.tolist(), limits.tolist())


def test_counts_that_do_not_belong_are_refused() -> None:
    with pytest.raises(InputError):
        pack(WEIGHTS, BIAS, 0, (1, 2, 3), LIMITS)
    with pytest.raises(InputError):
        pack(WEIGHTS, BIAS[:1], 0, (1, 2), LIMITS)
    with pytest.raises(InputError):
        pack(WEIGHTS, BIAS, 0, (1, 2), LIMITS[:1])


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=len(BYTES), max_size=len(BYTES)))
def test_any_bytes_are_taken_or_refused_in_one_line(data: bytes) -> None:
    try:
        tail = unpack(b"\x03\x00\x02\x00" + data[4:], (2, 3))
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert (np.abs(tail.weights) <= LIMIT).all() and (np.abs(tail.bias) <= LIMIT).all()

"""pipeline/head/records.py: golden vectors, round trips, and images that hold anything."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.head.records import Record, RecordKind, build_record, parse_record
from tests.golden.vectors import storage, storage_image
from tests.support.flash_image import SlotLayout, newest, previous, read_image

MODEL = bytes.fromhex(storage()["model_id"])
LAYOUT = SlotLayout(storage()["slot_bytes"], storage()["slots"])


@pytest.mark.parametrize("vector", storage()["records"], ids=lambda v: v["name"])
def test_record_equals_its_golden_vector(vector: dict[str, Any]) -> None:
    payload, kind = bytes.fromhex(vector["payload"]), RecordKind(vector["kind"])
    sequence = vector["sequence"]
    built = build_record(model_id=MODEL, sequence=sequence, kind=kind, payload=payload)
    assert built.hex() == vector["bytes"]
    assert parse_record(built, 3) == Record(3, sequence, kind, MODEL, payload)


@pytest.mark.parametrize("case", storage()["images"], ids=lambda c: c["name"])
def test_image_is_read_as_its_golden_vector_says(case: dict[str, Any]) -> None:
    records = read_image(storage_image(case), LAYOUT)
    best = newest(records, MODEL)
    if best is None:
        assert case["newest"] == ("MODEL" if records else "EMPTY")
        before = None
    else:
        assert [best.slot, best.sequence] == case["newest"]
        before = previous(records, MODEL, best.sequence)
    assert (before and [before.slot, before.sequence]) == case["previous"]
    assert sum(record.model_id == MODEL for record in records) == case["count"]


@given(
    st.binary(min_size=8, max_size=8),
    st.integers(1, 0xFFFFFFFF),
    st.integers(1, 64).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words)),
    st.binary(max_size=64),
)
def test_record_comes_back_whatever_stands_behind_it(
    model_id: bytes, sequence: int, payload: bytes, behind: bytes
) -> None:
    kind = RecordKind.LEARNED
    built = build_record(model_id=model_id, sequence=sequence, kind=kind, payload=payload)
    assert parse_record(built + behind) == Record(0, sequence, kind, model_id, payload)


def test_every_flipped_bit_makes_a_record_invalid() -> None:
    built = build_record(model_id=MODEL, sequence=7, kind=RecordKind.LEARNED, payload=b"abcdefgh")
    for bit in range(len(built) * 8):
        broken = bytearray(built)
        broken[bit // 8] ^= 1 << bit % 8
        assert parse_record(bytes(broken)) is None, f"bit {bit}"


def test_every_cut_makes_a_record_invalid() -> None:
    built = build_record(model_id=MODEL, sequence=7, kind=RecordKind.LEARNED, payload=b"abcdefgh")
    for size in range(len(built)):
        assert parse_record(built[:size]) is None
        assert parse_record(built[:size].ljust(64, b"\xff")) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_none(data: bytes) -> None:
    assert parse_record(data) is None


def test_what_could_never_be_valid_is_not_built() -> None:
    good: dict[str, Any] = {
        "model_id": MODEL,
        "sequence": 1,
        "kind": RecordKind.LEARNED,
        "payload": b"1234",
    }
    for wrong in (
        {"model_id": b"short"},
        {"sequence": 0},
        {"sequence": 2**32},
        {"payload": b""},
        {"payload": b"12345"},
        {"kind": RecordKind.FACTORY},
    ):
        with pytest.raises(ValueError, match=r"model id|sequence|record"):
            build_record(**{**good, **wrong})


@pytest.mark.parametrize(
    ("region", "payload", "expected"),
    [
        (65536, 2360, SlotLayout(4096, 16)),
        (65536, 4064, SlotLayout(4096, 16)),
        (65536, 4065, SlotLayout(8192, 8)),
        (65536, 32736, SlotLayout(32768, 2)),
        (12288, 4096, None),
        (65536, 32737, None),
        (5000, 100, None),
        (0, 0, None),
    ],
)
def test_slots_are_whole_pages_and_at_least_two(
    region: int, payload: int, expected: SlotLayout | None
) -> None:
    if expected is None:
        with pytest.raises(InputError):
            SlotLayout.of(region, payload)
    else:
        assert SlotLayout.of(region, payload) == expected


def test_an_image_that_is_too_short_is_refused() -> None:
    with pytest.raises(InputError, match="511 bytes"):
        read_image(bytes(511), LAYOUT)

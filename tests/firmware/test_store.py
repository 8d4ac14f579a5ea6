"""firmware/lib/store over a flash that loses its power or fails, under AddressSanitizer and UBSan.

Every case of a power cut has an id SEED:SAVE:STEP, printed when it fails; HAR_STORE_CASE=id runs
that one alone.
"""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.head.records import Record, RecordKind, build_record
from tests.firmware.support.harness import Harness
from tests.golden.vectors import storage, storage_image
from tests.support.flash_image import SlotLayout, newest, previous, read_image
from tests.support.programs import c_program

OK, ARGUMENT, LENGTH, CRC, MODEL, VERSION = range(6)
STATE, FLASH, EMPTY = 6, 8, 9
OURS = bytes.fromhex("0123456789abcdef")
THEIRS = bytes.fromhex("fedcba9876543210")
REPLAY = os.environ.get("HAR_STORE_CASE", "")
Content = tuple[RecordKind, bytes]


def hexed(data: bytes) -> str:
    return data.hex() or "."


@dataclass(frozen=True)
class Geometry:
    page_bytes: int
    region_bytes: int
    payload_bytes: int

    @property
    def layout(self) -> SlotLayout:
        return SlotLayout.of(self.region_bytes, self.payload_bytes, self.page_bytes)


SMALL = Geometry(64, 64 * 8, 64)  # 4 slots of 2 pages
TWO = Geometry(64, 64 * 2, 32)  # 2 slots of 1 page
ODD = Geometry(64, 64 * 7, 100)  # 2 slots of 3 pages, and a page to spare
BOARD = Geometry(4096, 65536, 28600)  # the Nano 33 BLE Sense and the default model


class Store:
    """The C store over its flash; what it says, in Python's terms."""

    def __init__(self, harness: Harness) -> None:
        self.ask = harness.ask
        self.geometry = SMALL

    def new(self, geometry: Geometry, model: bytes = OURS) -> None:
        """An erased flash, and a boot."""
        self.geometry = geometry
        self._init(geometry.region_bytes, model)

    def boot(self, model: bytes = OURS) -> None:
        self._init(0, model)

    def _init(self, size: int, model: bytes) -> None:
        g = self.geometry
        said = self.ask("init", g.page_bytes, size, model.hex(), g.payload_bytes)
        assert said == [str(n) for n in (OK, g.layout.slot_bytes, g.layout.slots)]

    def load(self, image: bytes) -> None:
        assert self.ask("load", 0, image.hex()) == [str(len(image))]

    def image(self) -> bytes:
        return bytes.fromhex(self.ask("dump")[0])

    def records(self) -> tuple[Record, ...]:
        """What Python reads in the same flash."""
        return read_image(self.image(), self.geometry.layout)

    def write(self, kind: RecordKind, payload: bytes) -> tuple[int, int, int, int, int]:
        """Status, slot, sequence, steps, calls of the flash."""
        status, slot, sequence, steps, calls = self.ask("write", int(kind), hexed(payload))
        return int(status), int(slot), int(sequence), int(steps), int(calls)

    def newest(self) -> tuple[int, int, int]:
        """Status, slot, sequence."""
        return tuple(map(int, self.ask("newest")[:3]))  # type: ignore[return-value]

    def current(self) -> Content | None:
        """What a boot would load; None without a record."""
        status, _, sequence, kind, length = map(int, self.ask("newest"))
        if status in (EMPTY, MODEL):
            return None
        assert status == OK
        assert sequence > 0
        read, payload = self.ask("read", 0, length)
        assert int(read) == OK
        return RecordKind(kind), b"" if payload == "." else bytes.fromhex(payload)


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("store")


@pytest.fixture
def store(program: Path) -> Iterator[Store]:
    with Harness(program) as harness:
        yield Store(harness)


def content(rng: random.Random, geometry: Geometry) -> Content:
    """Mostly learned heads of the full size, as an app saves them."""
    if rng.random() < 0.15:
        return RecordKind.FACTORY, b""
    size = geometry.payload_bytes if rng.random() < 0.7 else rng.randrange(4, 36, 4)
    filler = rng.choice([b"\x00", b"\xff", b""])
    return RecordKind.LEARNED, (filler * size)[:size] or rng.randbytes(size)


# --- golden vectors ---------------------------------------------------------------------------

VECTORS = Geometry(storage()["slot_bytes"], storage()["slot_bytes"] * storage()["slots"], 96)


def status_of(name: object) -> int:
    return {"EMPTY": EMPTY, "MODEL": MODEL, "STATE": STATE}[str(name)]


@pytest.mark.parametrize("vector", storage()["records"], ids=lambda v: v["name"])
def test_a_record_is_written_as_its_golden_vector(store: Store, vector: dict[str, Any]) -> None:
    store.new(VECTORS)
    sequence, kind = vector["sequence"], RecordKind(vector["kind"])
    if sequence > 1:  # what the sequence number follows
        before = build_record(
            model_id=THEIRS, sequence=sequence - 1, kind=RecordKind.FACTORY, payload=b""
        )
        store.load(before)
    status, slot, *_ = store.write(kind, bytes.fromhex(vector["payload"]))
    assert status == OK
    begin = slot * store.geometry.layout.slot_bytes
    assert store.image()[begin:].hex().startswith(vector["bytes"])


@pytest.mark.parametrize("case", storage()["images"], ids=lambda c: c["name"])
def test_an_image_is_read_as_its_golden_vector_says(store: Store, case: dict[str, Any]) -> None:
    store.new(VECTORS)
    store.load(storage_image(case))
    status, slot, sequence = store.newest()
    if isinstance(case["newest"], str):
        assert status == status_of(case["newest"])
    else:
        assert [status, slot, sequence] == [OK, *case["newest"]]
        status, slot, sequence, *_ = map(int, store.ask("previous", sequence))
        if case["previous"] is None:
            assert status == EMPTY
        else:
            assert [status, slot, sequence] == [OK, *case["previous"]]
    assert store.ask("count") == [str(case["count"])]
    status, slot, sequence, steps, _ = store.write(RecordKind.LEARNED, b"next")
    if isinstance(case["next"], str):
        assert (status, steps) == (status_of(case["next"]), 0)
    else:
        assert [status, slot, sequence] == [OK, *case["next"]]
        assert store.current() == (RecordKind.LEARNED, b"next")


# --- saves, rotation, rollback ------------------------------------------------------------------


@pytest.mark.parametrize("geometry", [SMALL, TWO, ODD], ids=["small", "two", "odd"])
def test_sequence_s_stands_in_slot_s_mod_slots_and_python_reads_the_same(
    store: Store, geometry: Geometry
) -> None:
    rng = random.Random(1)
    store.new(geometry)
    slots = geometry.layout.slots
    for sequence in range(1, 3 * slots + 2):
        kind, payload = content(rng, geometry)
        status, slot, written, *_ = store.write(kind, payload)
        assert (status, slot, written) == (OK, sequence % slots, sequence)
        assert store.current() == (kind, payload)
        records = store.records()
        assert newest(records, OURS) == Record(slot, sequence, kind, OURS, payload)
        assert store.ask("count") == [str(len(records))] == [str(min(sequence, slots))]
        before = previous(records, OURS, sequence)
        status, slot, number, *_ = map(int, store.ask("previous", sequence))
        if before is None:
            assert status == EMPTY
        else:
            assert (status, slot, number) == (OK, before.slot, before.sequence)


def rollback(store: Store) -> int:
    """As the app does it: reads the previous record, appends its content."""
    _, _, sequence = store.newest()
    status, slot, before, kind, length = map(int, store.ask("previous", sequence))
    if status != OK:
        return status
    read, payload = store.ask("reread", slot, before, kind, length, 0, length)
    assert int(read) == OK
    data = b"" if payload == "." else bytes.fromhex(payload)
    return store.write(RecordKind(kind), data)[0]


@pytest.mark.parametrize("geometry", [SMALL, TWO], ids=["small", "two"])
def test_rolling_back_twice_is_a_redo_however_often(store: Store, geometry: Geometry) -> None:
    store.new(geometry)
    assert store.newest()[0] == EMPTY
    first, second = (RecordKind.LEARNED, b"one!"), (RecordKind.LEARNED, b"two!two!")
    store.write(*first)
    assert rollback(store) == EMPTY
    store.write(*second)
    for expected in [first, second] * 5:
        assert rollback(store) == OK
        assert store.current() == expected
    store.write(RecordKind.FACTORY, b"")
    assert store.current() == (RecordKind.FACTORY, b"")
    assert rollback(store) == OK
    assert store.current() == second


# --- power cuts ---------------------------------------------------------------------------------


def cut_everywhere(
    store: Store, geometry: Geometry, seed: int, saves: int, *, stride: int = 1
) -> int:
    """Cuts each of `saves` saves at every step, boots, compares, then saves on; counts cases.

    With a stride, only each such word; erases, the header's words and the last three are all cut.
    """
    rng = random.Random(seed)
    store.new(geometry)
    old: Content | None = None
    cases = 0
    for save in range(saves):
        new = content(rng, geometry)
        store.ask("keep")
        image = store.image()
        status, slot, _, steps, _ = store.write(*new)
        assert status == OK
        for step in range(steps):
            case = f"{seed}:{save}:{step}"
            if (
                step % stride
                and geometry.layout.slot_bytes // geometry.page_bytes + 7 < step < steps - 3
            ):
                continue
            if REPLAY not in ("", case):
                continue
            cases += 1
            where = f"replay with HAR_STORE_CASE={case}"
            store.ask("restore")
            store.boot()
            store.ask("cut", seed * 1000 + save, step)
            assert store.write(*new)[0] == FLASH, where
            store.boot()
            found = store.current()
            # Only the last word, the closing CRC, can make the new record whole.
            assert found == old or (found == new and step == steps - 1), where
            begin, end = (n * geometry.layout.slot_bytes for n in (slot, slot + 1))
            after = store.image()
            assert (after[:begin], after[end:]) == (image[:begin], image[end:]), where
            # A cut of the save that follows leaves the record that was found, too.
            store.ask("cut", seed * 1000 + save + 1, random.Random(case).randrange(steps - 1))
            store.write(*new)
            store.boot()
            assert store.current() in (found, new), where
            following = (RecordKind.LEARNED, b"goes on!")
            assert store.write(*following)[0] == OK, where
            assert store.current() == following, where
        store.ask("restore")
        store.boot()
        assert store.write(*new)[0] == OK
        old = new
    return cases


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("geometry", [SMALL, TWO, ODD], ids=["small", "two", "odd"])
def test_a_power_cut_at_every_write_and_erase_leaves_the_old_or_the_new_record(
    store: Store, geometry: Geometry, seed: int
) -> None:
    cases = cut_everywhere(store, geometry, seed, 2 * geometry.layout.slots + 1)
    assert REPLAY or cases > 50


def test_a_power_cut_all_over_a_save_on_the_boards_own_geometry(store: Store) -> None:
    assert BOARD.layout.slots == 2 and BOARD.layout.slot_bytes == 7 * BOARD.page_bytes
    cases = cut_everywhere(store, BOARD, seed=143, saves=3, stride=61)
    assert REPLAY or cases > BOARD.payload_bytes // 4 // 61


@pytest.mark.parametrize("seed", range(6))
def test_random_walks_of_saves_rollbacks_cuts_and_other_models(store: Store, seed: int) -> None:
    """Each model always finds its own old or new record, unless the other has overwritten it."""
    rng = random.Random(seed)
    geometry = rng.choice([SMALL, TWO, ODD])
    store.new(geometry)
    model = OURS
    for step in range(120):
        where = f"walk {seed}, step {step}"
        if rng.random() < 0.1:
            model = rng.choice([OURS, THEIRS])
        store.boot(model)
        before = newest(store.records(), model)
        old = None if before is None else (before.kind, before.payload)
        assert store.current() == old, where
        new = content(rng, geometry)
        if rng.random() < 0.5:
            store.ask("cut", rng.getrandbits(31), rng.randrange(30))
        status, *_ = store.write(*new)
        store.boot(model)
        found = store.current()
        assert found == new if status == OK else found in (old, new), where


# --- a flash that fails -------------------------------------------------------------------------


@pytest.mark.parametrize("how", [0, 1, 2], ids=["nothing-done", "half-done", "done"])
@pytest.mark.parametrize("geometry", [SMALL, TWO], ids=["small", "two"])
def test_an_error_at_each_call_of_the_flash_is_passed_on_and_the_old_record_stands(
    store: Store, geometry: Geometry, how: int
) -> None:
    rng = random.Random(how)
    old, new = [(RecordKind.LEARNED, rng.randbytes(geometry.payload_bytes)) for _ in range(2)]
    store.new(geometry)
    for _ in range(geometry.layout.slots + 1):
        store.write(*old)
    store.ask("keep")
    *_, calls = store.write(*new)
    for call in range(calls):
        store.ask("restore")
        store.boot()
        store.ask("fail", call, how)
        assert store.write(*new)[0] == FLASH, f"call {call}"
        # Once all words stand, the record is there although its check could not be read.
        assert store.current() in (old, new), f"call {call}"
        if how < 2 and not all_words_stand(store, new):
            assert store.current() == old, f"call {call}"
        assert store.write(*new)[0] == OK, f"call {call}: writing again works without a boot"
        assert store.current() == new


def all_words_stand(store: Store, new: Content) -> bool:
    return any((record.kind, record.payload) == new for record in store.records())


def test_read_errors_are_passed_on_by_every_question(store: Store) -> None:
    store.new(SMALL)
    store.write(RecordKind.LEARNED, b"one!")
    store.write(RecordKind.LEARNED, b"two!")
    for question in (("newest",), ("previous", 2), ("read", 0, 4), ("reread", 2, 2, 1, 4, 0, 4)):
        failed = 0
        for call in range(30):
            store.ask("fail", call, 0)
            status = int(store.ask(*question)[0])
            assert status in (OK, FLASH)
            failed += status == FLASH
        assert failed >= 3, question
    store.ask("fail", 0, 0)
    assert store.ask("count") == ["0"]
    assert store.ask("count") == ["2"]


def test_a_worn_word_is_noticed_and_the_next_save_goes_elsewhere(store: Store) -> None:
    store.new(SMALL)
    old, new = (RecordKind.LEARNED, b"old!"), (RecordKind.LEARNED, b"new!")
    store.write(*old)
    slot_bytes = SMALL.layout.slot_bytes
    for at in (0, 4, 24, 28, 32):  # magic, version, header CRC, payload, closing CRC
        store.load(b"\xff" * SMALL.region_bytes)
        store.boot()
        store.write(*old)  # slot 1
        store.ask("stuck", 2 * slot_bytes + at)
        assert store.write(*new)[0] == FLASH, at
        assert store.current() == old, at
        status, slot, *_ = store.write(*new)
        assert (status, slot) == (OK, 3), at
        assert store.current() == new, at
        store.ask("stuck", -1)


def test_with_two_slots_a_failed_write_is_tried_again_where_it_failed(store: Store) -> None:
    store.new(TWO)
    old, new = (RecordKind.LEARNED, b"old!"), (RecordKind.LEARNED, b"new!")
    store.write(*old)
    store.ask("fail", 5, 0)
    assert store.write(*new)[0] == FLASH
    status, slot, *_ = store.write(*new)
    assert (status, slot) == (OK, 0)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "size", "limit"),
    [
        (64, 64, 32),
        (64, 128, 33),
        (64, 192, 64),
        (64, 4096, 0xFFFFFFFF),
        (64, 4096, 0xFFFFFFE0),
        (64, 4096, 4096),
        (64, 100, 4),
        (62, 124, 4),
        (0, 4096, 4),
    ],
)
def test_a_region_without_two_slots_or_whole_pages_is_refused(
    store: Store, page: int, size: int, limit: int
) -> None:
    assert store.ask("init", page, size, OURS.hex(), limit)[0] == str(ARGUMENT)


def test_wrong_arguments_are_refused_and_touch_nothing(store: Store) -> None:
    store.new(SMALL)
    store.write(RecordKind.LEARNED, b"old!")
    image = store.image()
    assert store.ask("write", 2, "31323334")[0] == str(ARGUMENT)
    assert store.ask("write", 1, ".")[0] == str(LENGTH)
    assert store.ask("write", 0, "31323334")[0] == str(LENGTH)
    assert store.ask("write", 1, "3132333435")[0] == str(LENGTH)
    assert store.ask("write", 1, bytes(100).hex())[0] == str(LENGTH)
    assert store.ask("unaligned", "31323334")[0] == str(ARGUMENT)
    assert store.ask("null", 1, 4)[0] == str(ARGUMENT)
    assert store.image() == image
    assert store.ask("null", 0, 0)[0] == str(OK)


def test_a_record_that_is_not_there_any_more_is_not_read(store: Store) -> None:
    store.new(SMALL)
    store.write(RecordKind.LEARNED, b"12345678")
    slot_bytes = SMALL.layout.slot_bytes
    assert store.ask("reread", 1, 1, 1, 8, 0, 8) == [str(OK), b"12345678".hex()]
    assert store.ask("reread", 1, 1, 1, 8, 3, 4) == [str(OK), b"4567".hex()]
    assert store.ask("reread", 1, 1, 1, 8, 8, 0) == [str(OK), "."]
    for offset, size in ((0, 9), (8, 1), (9, 0), (5, 4), (2**32 - 1, 1), (1, 2**32 - 1)):
        assert store.ask("reread", 1, 1, 1, 8, offset, size)[0] == str(LENGTH)
    assert store.ask("reread", 4, 1, 1, 8, 0, 8)[0] == str(ARGUMENT)
    assert store.ask("reread", 2, 1, 1, 8, 0, 8)[0] == str(CRC)
    assert store.ask("reread", 1, 2, 1, 8, 0, 8)[0] == str(CRC)
    assert store.ask("reread", 1, 1, 1, 4, 0, 4)[0] == str(CRC)
    assert store.ask("reread", 1, 1, 0, 8, 0, 8)[0] == str(CRC)
    image = bytearray(store.image())
    for at in (0, 20, 30, 36):
        broken = image[:]
        broken[slot_bytes + at] ^= 4
        store.load(bytes(broken))
        for offset, size in ((0, 8), (0, 1), (7, 1)):  # a piece is as good as the whole
            assert store.ask("reread", 1, 1, 1, 8, offset, size)[0] == str(CRC), at
    store.load(bytes(image))
    store.boot(THEIRS)
    assert store.ask("reread", 1, 1, 1, 8, 0, 8)[0] == str(CRC)
    assert store.newest()[0] == MODEL


def other_format(sequence: int, model: bytes) -> bytes:
    """A record as the firmware before wrote it."""
    record = bytearray(
        build_record(model_id=model, sequence=sequence, kind=RecordKind.LEARNED, payload=b"old!")
    )
    record[4] = 1
    record[24:28] = struct.pack("<I", zlib.crc32(record[:24]))
    record[-4:] = struct.pack("<I", zlib.crc32(record[:-4]))
    return bytes(record)


@pytest.mark.parametrize("model", [OURS, THEIRS], ids=["ours", "theirs"])
def test_records_of_another_format_are_named_left_out_and_overwritten(
    store: Store, model: bytes
) -> None:
    store.new(SMALL)
    slot_bytes = SMALL.layout.slot_bytes
    image = bytearray(b"\xff" * SMALL.region_bytes)
    for slot, sequence in ((1, 5), (2, 6)):
        record = other_format(sequence, model)
        image[slot * slot_bytes : slot * slot_bytes + len(record)] = record
    store.load(bytes(image))
    store.boot()
    assert store.newest()[0] == VERSION
    assert store.ask("count") == ["0"]
    assert store.ask("previous", 9)[0] == str(EMPTY)
    status, slot, sequence, *_ = store.write(RecordKind.LEARNED, b"new!")
    assert (status, slot, sequence) == (OK, 1, 1)
    assert store.current() == (RecordKind.LEARNED, b"new!")
    store.boot(THEIRS)
    assert store.newest()[0] == MODEL  # the one that can be read says more


def test_any_garbage_is_read_as_python_reads_it(store: Store) -> None:
    rng = random.Random(3)
    layout = SMALL.layout
    for _ in range(200):
        store.new(SMALL)
        image = bytearray(rng.choice([b"\xff", b"\x00"]) * SMALL.region_bytes)
        for _ in range(rng.randrange(6)):
            # Slots that another geometry left: records at odd places, over each other.
            record = build_record(
                model_id=rng.choice([OURS, THEIRS]),
                sequence=rng.randrange(1, 9),
                kind=RecordKind.LEARNED,
                payload=rng.randbytes(rng.randrange(4, 140, 4)),
            )
            at = rng.choice([rng.randrange(0, len(image), 4), rng.randrange(4) * layout.slot_bytes])
            image[at : at + len(record)] = record[: len(image) - at]
        if rng.random() < 0.5:
            image[rng.randrange(len(image))] ^= 1 << rng.randrange(8)
        store.load(bytes(image))
        records = read_image(bytes(image), layout)
        best = newest(records, OURS)
        status, slot, sequence = store.newest()
        if best is None:
            assert status == (MODEL if records else EMPTY)
        else:
            assert (status, slot, sequence) == (OK, best.slot, best.sequence)
        status, slot, sequence, *_ = store.write(RecordKind.LEARNED, b"next")
        assert (status, sequence) == (OK, max((r.sequence for r in records), default=0) + 1)
        assert best is None or slot != best.slot

"""A head as a file: it checks itself, and nothing less than the whole of it is taken."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.board.headfile import read_head, write_head
from pipeline.core.errors import CheckFailed, InputError
from pipeline.head import Guard
from pipeline.head.payload import LearnedHead, pack
from pipeline.head.records import RecordKind, build_record

MODEL = bytes(range(8))
PAYLOAD = pack(
    LearnedHead(
        features=5,
        shipped=2,
        names=("cycling",),
        labels=(3, 4, 1, 0),
        limits=np.ones(4, np.float32),
        parameters=np.arange(24, dtype=np.float32),
        updates=7,
        exemplars=9,
        random=1,
        guard=Guard(judged=8, shipped_right=5, learned_right=6, undone=1),
        since_s=1_763_709_000,
        saved_s=0,
        window_bytes=5,
        capacity=36,
    )
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "anna.head"
    write_head(path, PAYLOAD, model_id=MODEL, sequence=5)
    return path


def test_what_was_written_is_read(file):
    record = read_head(file, model_id=MODEL)
    assert (record.payload, record.model_id, record.sequence) == (PAYLOAD, MODEL, 5)
    assert [path.name for path in file.parent.iterdir()] == ["anna.head"]


def test_a_head_that_was_never_stored_gets_sequence_one(tmp_path):
    write_head(tmp_path / "a.head", PAYLOAD, model_id=MODEL, sequence=0)
    assert read_head(tmp_path / "a.head").sequence == 1


def test_a_file_of_an_older_har_is_told_from_a_damaged_one(file):
    whole = file.read_bytes()
    file.write_bytes(whole[:4] + b"\x01\x00" + whole[6:])
    with pytest.raises(InputError, match=r"has format 1, made by an older har.*label again"):
        read_head(file)


def test_every_truncation_is_refused(file):
    whole = file.read_bytes()
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        with pytest.raises(InputError, match="truncated or damaged: pull it again"):
            read_head(file)


def test_every_changed_byte_is_refused(file):
    whole = file.read_bytes()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with pytest.raises(InputError, match="truncated or damaged"):
            read_head(file)


def test_bytes_behind_the_record_are_refused(file):
    file.write_bytes(file.read_bytes() + b"\x00")
    with pytest.raises(InputError):
        read_head(file)


def test_another_models_head_is_refused_with_both_names(file):
    with pytest.raises(CheckFailed, match="belongs to model 0001020304050607, the board runs ffff"):
        read_head(file, model_id=b"\xff" * 8)


def test_a_factory_record_and_a_missing_file_are_no_heads(tmp_path):
    path = tmp_path / "a.head"
    with pytest.raises(InputError, match="no file"):
        read_head(path)
    path.write_bytes(build_record(model_id=MODEL, sequence=1, kind=RecordKind.FACTORY, payload=b""))
    with pytest.raises(InputError, match="is not a head"):
        read_head(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.1e6, -(2.0**20) - 1])
def test_values_that_no_board_takes_are_refused_both_ways(tmp_path, value):
    bad = PAYLOAD[:-4] + np.float32(value).tobytes()
    path = tmp_path / "a.head"
    with pytest.raises(InputError, match="not finite"):
        write_head(path, bad, model_id=MODEL, sequence=1)
    assert not path.exists()
    path.write_bytes(build_record(model_id=MODEL, sequence=1, kind=RecordKind.LEARNED, payload=bad))
    with pytest.raises(
        InputError, match=r"a\.head: invalid head: a value is not finite, denormal or larger"
    ):
        read_head(path)


def test_a_head_never_replaces_what_is_no_file(tmp_path):
    with pytest.raises(InputError, match="is not a file"):
        write_head(tmp_path, PAYLOAD, model_id=MODEL, sequence=1)
    target, link = tmp_path / "target.head", tmp_path / "link.head"
    target.write_bytes(b"")
    link.symlink_to(target)
    write_head(link, PAYLOAD, model_id=MODEL, sequence=1)
    assert link.is_symlink() and target.stat().st_size > 0
    with pytest.raises(InputError, match="there is no folder"):
        write_head(tmp_path / "nowhere" / "x.head", PAYLOAD, model_id=MODEL, sequence=1)

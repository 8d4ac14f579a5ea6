"""Recordings written as they come: read back bit for bit, whole lines whatever ends them."""

from __future__ import annotations

import errno
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.data import Segment, read_csv
from pipeline.data.csv_writer import CsvWriter, float_text, recording_path

WHEN = datetime(2026, 1, 31, 12, 0, 5)
KEYS = {"subject": "me", "session": "me/1", "board": "Rev1 LSM9DS1", "model_id": "0123456789abcdef"}


def samples_of(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 0.1, (count, 6)).astype(np.float32)
    samples[:, 2] += 1
    return samples


def begin(folder: Path, **options: object) -> CsvWriter:
    path = recording_path(folder, "walking", WHEN)
    return CsvWriter(path, "walking", rate_hz=50.0, keys=KEYS, **options)


def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    samples = samples_of(300)
    samples[7, 3:] = [1e-30, -0.0, np.float32(1) / 3]
    writer = begin(tmp_path)
    writer.write(0, samples[:120])
    writer.write(120, samples[120:])
    assert writer.close() == 300
    recording = read_csv(writer.path)
    assert recording.samples.tobytes() == samples.tobytes()
    assert (recording.rate_hz, recording.subject, recording.session) == (50.0, "me", "me/1")
    assert recording.segments == (Segment(0, 300, "walking"),)


@given(st.integers(0, 2**32 - 1))
def test_every_float_comes_back_from_its_text(bits: int) -> None:
    value = np.array(bits, np.uint32).view(np.float32)[()]
    if np.isfinite(value):
        assert np.float32(float(float_text(value))).tobytes() == value.tobytes()


def test_a_single_lost_sample_is_a_gap(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    writer.write(0, samples_of(100))
    writer.write(101, samples_of(100))
    writer.set_late("lost_samples", "1")
    writer.close()
    doubts: list[str] = []
    recording = read_csv(writer.path, doubts.append)
    assert "1 gaps in time, the first before line 109" in doubts[-1]
    assert recording.segments == (Segment(0, 100, "walking"), Segment(100, 200, "walking"))


def test_the_header_tells_what_became_known_late(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    writer.write(0, samples_of(3))
    writer.set_late("sensor_rate_hz", "118.70")
    writer.set_late("lost_samples", "3")
    writer.close()
    lines = [line.rstrip() for line in writer.path.read_text().splitlines()]
    assert lines[:7] == [
        "# rate_hz: 50",
        "# subject: me",
        "# session: me/1",
        "# board: Rev1 LSM9DS1",
        "# model_id: 0123456789abcdef",
        "# sensor_rate_hz: 118.70",
        "# lost_samples: 3",
    ]
    assert [line.split(",")[0] for line in lines[8:]] == ["0.0", "0.02", "0.04"]


def test_until_it_is_closed_no_csv_stands_there(tmp_path: Path) -> None:
    writer = begin(tmp_path)
    writer.write(0, samples_of(10))
    assert [path.name for path in tmp_path.iterdir()] == ["walking-20260131-120005.csv.part"]
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["walking-20260131-120005.csv"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    first, second = begin(tmp_path), begin(tmp_path)
    for writer in (first, second):
        writer.write(0, samples_of(2))
        writer.close()
    third = begin(tmp_path)
    third.close()
    assert [w.path.name for w in (first, second, third)] == [
        "walking-20260131-120005.csv",
        "walking-20260131-120005-2.csv",
        "walking-20260131-120005-3.csv",
    ]


def test_without_a_sample_there_is_no_file(tmp_path: Path) -> None:
    assert begin(tmp_path).close() == 0
    assert list(tmp_path.iterdir()) == []


class Disk:
    """A file on a disk that has room for so many bytes more."""

    def __init__(self, file: object, room: int) -> None:
        self._file, self.room = file, room

    def write(self, data: bytes) -> int:
        taken = bytes(data[: self.room])
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(taken)
        return self._file.write(taken)

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@pytest.mark.parametrize("room", [1, 70, 500, 3001])
def test_a_full_disk_leaves_whole_lines(tmp_path: Path, room: int) -> None:
    samples = samples_of(100)
    writer = begin(tmp_path)
    writer.write(0, samples[:10])
    writer._file = Disk(writer._file, room)
    with pytest.raises(OSError, match="No space left"):
        writer.write(10, samples[10:])
    kept = writer.close()
    assert 10 <= kept < 100
    assert (kept > 10) == (room > 100)
    assert read_csv(writer.path).samples.tobytes() == samples[:kept].tobytes()


def test_a_disk_too_full_for_the_header_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(CsvWriter, "_write", lambda *_: Disk(None, 0).write(b"x"))
    with pytest.raises(OSError, match="No space left"):
        begin(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("activity", "name"),
    [
        ("walking", "walking"),
        ("Climbing stairs", "climbing-stairs"),
        ("../../etc/passwd", "etc-passwd"),
        ("Füße heben", "fue-heben"),
        ("走る", "activity"),
        ("-rf", "rf"),
    ],
)
def test_any_activity_gives_a_safe_name(tmp_path: Path, activity: str, name: str) -> None:
    path = recording_path(tmp_path, activity, WHEN)
    assert path == tmp_path / f"{name}-20260131-120005.csv"


@pytest.mark.parametrize("activity", ["", "a,b", "a\nb", "\x1b[2J", "x" * 65])
def test_what_no_line_can_hold_is_refused(tmp_path: Path, activity: str) -> None:
    with pytest.raises(InputError, match="printable characters without a comma"):
        CsvWriter(tmp_path / "a.csv", activity, rate_hz=50.0, keys=KEYS)
    assert list(tmp_path.iterdir()) == []

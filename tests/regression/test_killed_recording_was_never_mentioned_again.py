"""`har record` that was killed left NAME.csv.part, and nothing said so or took it up."""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from pipeline.data import read_csv
from pipeline.data.csv_writer import CsvWriter, recording_path, rescue_recordings
from pipeline.data.imports import read_own_recordings

WHEN = datetime(2026, 1, 31, 12, 0, 5)
_SPAWN = multiprocessing.get_context("spawn")


def _writer(folder: Path) -> CsvWriter:
    keys = {"subject": "me", "session": "me/1"}
    return CsvWriter(recording_path(folder, "walking", WHEN), "walking", rate_hz=50.0, keys=keys)


def _samples(count: int) -> np.ndarray:
    samples = np.zeros((count, 6), np.float32)
    samples[:, 2] = 1
    return samples


def _is_killed(folder: Path, count: int) -> None:
    writer = _writer(folder)
    writer.write(0, _samples(count))
    writer._write("2.0,0.1,0")
    os.kill(os.getpid(), signal.SIGKILL)


def _kill(folder: Path, count: int) -> None:
    process = _SPAWN.Process(target=_is_killed, args=(folder, count))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_its_whole_lines_are_kept_by_the_next_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _kill(tmp_path, 100)
    assert [path.name for path in tmp_path.iterdir()] == ["walking-20260131-120005.csv.part"]
    (path,) = rescue_recordings(tmp_path)
    assert path.name == "walking-20260131-120005.csv"
    assert caplog.messages == [f"{path}: kept 100 samples of a recording that was interrupted"]
    assert read_csv(path).samples.tobytes() == _samples(100).tobytes()
    _kill(tmp_path, 100)  # a name that is taken gets a number
    assert [path.name for path in rescue_recordings(tmp_path)] == ["walking-20260131-120005-2.csv"]
    assert rescue_recordings(tmp_path) == []


def test_without_a_sample_nothing_is_left(tmp_path: Path) -> None:
    _kill(tmp_path, 0)
    assert rescue_recordings(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_going_on_and_another_s_file_are_left_alone(tmp_path: Path) -> None:
    writer = _writer(tmp_path)
    writer.write(0, _samples(60))
    (tmp_path / "mine.csv.part").write_text("keep me")
    assert rescue_recordings(tmp_path) == []
    assert writer.close() == 60
    assert (tmp_path / "mine.csv.part").read_text() == "keep me"


def test_reading_the_folder_says_so(tmp_path: Path) -> None:
    writer = _writer(tmp_path)
    writer.write(0, _samples(300))
    writer.close()
    _kill(tmp_path, 100)
    notes = read_own_recordings(tmp_path, 50.0)[0].notes
    assert any("-2.csv.part: left out" in note for note in notes)

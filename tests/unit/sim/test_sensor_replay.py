"""Recordings for an emulated board to play: the file, and what is played of which data."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.sim.sensor_replay import model_rate_hz, read_played, recording_to_play, write_played

COLUMNS = "time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity"


def quiet(_: str) -> None:
    pass


def write_csv(path: Path, count: int, rate_hz: float = 50.0) -> Path:
    rows = [f"{at / rate_hz:.4f},0.5,0,1,0.25,0,{at / 1024}," for at in range(count)]
    path.write_text("\n".join([COLUMNS, *rows]) + "\n")
    return path


def test_a_recording_is_written_as_the_boards_read_it(tmp_path: Path) -> None:
    samples = np.arange(18, dtype=np.float32).reshape(3, 6) / 7
    write_played(tmp_path / "x", samples)
    data = (tmp_path / "x").read_bytes()
    assert data[:16] == b"HSEN" + struct.pack("<III", 3, 0, 0)
    assert data[16:] == struct.pack("<18f", *samples.ravel())
    assert read_played(tmp_path / "x") == data
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("shape", [(0, 6), (3, 5), (6,)])
def test_samples_of_another_shape_are_not_written(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="a recording to play"):
        write_played(tmp_path / "x", np.zeros(shape, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not finite"):
        write_played(tmp_path / "x", np.full((1, 6), np.nan, np.float32))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HSEN",
        b"HSEN" + bytes(12),
        b"NOPE" + struct.pack("<III", 1, 0, 0) + bytes(24),
        b"HSEN" + struct.pack("<III", 2, 0, 0) + bytes(24),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(InputError, match="not a recording to play"):
        read_played(tmp_path / "x")


def test_a_recording_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match="cannot read the recording"):
        read_played(tmp_path / "none")


def test_the_models_rate_is_read_from_what_was_emitted(tmp_path: Path) -> None:
    (tmp_path / "har_model.h").write_text("#define HAR_A 1\n#define HAR_RATE_HZ 62.5f\n")
    assert model_rate_hz(tmp_path) == 62.5
    with pytest.raises(InputError, match="run `har emit` first"):
        model_rate_hz(tmp_path / "none")


def test_a_recording_of_ones_own_is_played_whole(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "mine.csv", 100)
    samples, said = recording_to_play(str(path), None, 50.0, quiet)
    assert (samples.shape, samples.dtype, said) == ((100, 6), np.float32, str(path))
    assert samples[99].tolist() == [0.5, 0, 1, 0.25, 0, 99 / 1024]


def test_a_recording_at_another_rate_is_brought_to_the_model_s(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "mine.csv", 100, rate_hz=100.0)
    samples, _ = recording_to_play(str(path), None, 50.0, quiet)
    assert samples.shape == (50, 6)

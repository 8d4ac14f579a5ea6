"""The recording that is played as the motion sensor of the boards that have none."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support.app_board import ROOT
from tests.firmware.support.harness import answers
from tests.support.programs import c_program

PLAYED = ROOT / "firmware" / "boards" / "played"
PERIOD_MS = 20


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("played")


def recording(count: int, samples: np.ndarray, magic: bytes = b"HSEN") -> bytes:
    return magic + struct.pack("<III", count, 0, 0) + samples.astype("<f4").tobytes()


def play(program: Path, tmp_path: Path, data: bytes, lines: list[str]) -> list[list[str]]:
    script = tmp_path / "played"
    file = tmp_path / "recording"
    file.write_bytes(data)
    script.write_text(f'#!/bin/sh\nexec "{program}" "{file}"\n')
    script.chmod(0o755)
    return answers(script, lines)


SAMPLES = np.arange(30, dtype=np.float32).reshape(5, 6) / 7


def test_plays_in_real_time_round_after_round_with_one_missing_between(
    program: Path, tmp_path: Path
) -> None:
    start = 2**32 - 90  # the clock begins again soon
    lines = [f"clock {start}", "init"]
    for ms in range(0, 17 * PERIOD_MS, 5):
        lines += [f"clock {(start + ms) % 2**32}", "imu", "imu"]
    said = play(program, tmp_path, recording(5, SAMPLES), lines)[2:]
    given = [(at, words) for at, words in enumerate(said) if len(words) == 8]
    places = [place for place in range(17) if place % 6 != 5]
    assert [int(words[0]) for _, words in given] == [
        (start + place * PERIOD_MS) % 2**32 for place in places
    ]
    assert [int(words[1]) for _, words in given] == [
        int(place % 6 == 0 and place > 0) for place in places
    ]
    values = np.float32([words[2:] for _, words in given])
    assert np.array_equal(values, SAMPLES[[place % 6 for place in places]])
    assert [at // 3 * 5 for at, _ in given] == [place * PERIOD_MS for place in places]


def test_of_what_nobody_takes_the_newest_64_are_kept_and_the_rest_counted(
    program: Path, tmp_path: Path
) -> None:
    samples = np.arange(1200, dtype=np.float32).reshape(200, 6)
    lines = ["init", "clock 3000", *["imu"] * 65, "state"]
    *given, state = play(program, tmp_path, recording(200, samples), lines)[2:]
    assert given[-1] == ["none"]
    assert [int(words[0]) for words in given[:-1]] == [20 * n for n in range(87, 151)]
    assert [int(words[1]) for words in given[:-1]] == [87, *[0] * 63]
    assert np.array_equal(np.float32([words[2] for words in given[:-1]]), samples[87:151, 0])
    late = sum(3000 - 20 * n > 250 for n in range(87, 151))
    assert state == ["3", "0", "1", "50", "1", str(late)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        recording(5, SAMPLES)[:15],
        recording(6, SAMPLES),
        recording(2**32 - 1, SAMPLES),
        recording(0, SAMPLES),
        recording(5, SAMPLES, b"HSEM"),
        bytes(136),
    ],
    ids=["none", "cut", "short", "huge", "empty", "other", "zeros"],
)
def test_what_is_no_recording_is_no_sensor(program: Path, tmp_path: Path, data: bytes) -> None:
    said = play(program, tmp_path, data, ["init", "clock 1000", "imu", "state"])
    assert said[2:] == [["none"], ["0", "1", "0", "0", "0", "0"]]

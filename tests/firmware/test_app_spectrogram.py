"""The app in front of an image network: the engine reads the picture of the window, to the bit."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.head import (
    SampleQuantization,
    SpectrogramQuantization,
    SpectrogramShape,
    quantize_spectrogram,
)
from tests.firmware.support.app_board import Board
from tests.firmware.support.app_session import prediction, stream
from tests.firmware.support.app_twin import GAIN, HOP, KNEE, MEAN, SMALL, UNITS, raw_samples
from tests.support.programs import c_program
from tests.support.window_reference import WindowReference

T = 40
SHAPE = SpectrogramShape(T, 5, 3)
LEVEL_MEAN = np.float32([300.0] + [200.0] * 95)
LEVEL_GAIN = np.full(96, 0.25, np.float32)
ZERO_POINT = -3


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("app_spectrogram")


def test_every_prediction_is_that_of_the_picture(program: Path, tmp_path: Path) -> None:
    raw = raw_samples(T + 30 * HOP, seed=4)
    window = WindowReference(T, HOP, SampleQuantization(KNEE, MEAN, GAIN, 0))
    how = SpectrogramQuantization(SHAPE, LEVEL_MEAN, LEVEL_GAIN, ZERO_POINT)
    expected = [
        (position, SMALL.engine(quantize_spectrogram(rows[None], how)))
        for position, rows in window.push(raw.astype(np.float32) * UNITS)
    ]
    with Board(program, tmp_path / "flash.img") as board:
        board.hello()
        found = [prediction(frame) for frame in stream(board, raw)]
    assert [(end, crc) for end, _, _, crc, _ in found] == [
        (position, zlib.crc32(cut)) for position, cut in expected
    ]
    assert len(found) == 31 and len({crc for _, _, _, crc, _ in found}) > 20
    head = SMALL.head()
    for (*_, probabilities), (_, cut) in zip(found, expected, strict=True):
        assert probabilities.tobytes() == head.predict(cut).tobytes()

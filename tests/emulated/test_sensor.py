"""A board with a motion sensor of its own: what it says to have measured is what it computed on.

The sensor plays a recording. From the samples that come as SENSED alone, TFLite-Micro's interpreter
and NumPy have to find the very features and probabilities that the board predicted.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.board.client import Client
from pipeline.bundle import emit, load_bundle
from pipeline.protocol.messages import (
    Prediction,
    Sensed,
    Sensor,
    SensorState,
    SensorTrouble,
    Status,
)
from pipeline.sim.build import build_firmware
from pipeline.sim.emulator import TARGETS, Target, launch
from pipeline.sim.sensor_replay import write_played

pytestmark = pytest.mark.emulated

SAMPLES = 200  # a round: windows end with sample 127 and 191, and 128 samples behind the gap
WINDOWS = 3
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Heard:
    """What one board said in one session."""

    first: SensorState
    last: SensorState
    status: Status
    sensed: list[Sensed]
    predictions: list[Prediction]
    before: list[int]
    """Index behind the last sample that had come when each prediction did."""


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    """(SAMPLES, 6) float32, not on the grid of the wire."""
    rng = np.random.default_rng(3)
    turns = np.arange(SAMPLES)[:, None] / 50 * rng.uniform(0.5, 4, 6) + rng.uniform(0, 1, 6)
    samples = np.array([0.6, 0.5, 0.4, 2, 3, 1]) * np.sin(2 * np.pi * turns)
    samples += rng.normal(0, 0.1, samples.shape)
    samples[:, 2] += 1.0
    return samples.astype(np.float32)


@pytest.fixture(scope="module")
def heard(
    bundle_directory: Path, recording: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Target, Heard]]:
    """Both boards, at the same time."""
    folder = tmp_path_factory.mktemp("sensor")
    emit(load_bundle(bundle_directory), folder / "generated")
    write_played(folder / "played", recording)
    images = {t: build_firmware(t, folder / "generated", folder / t).path for t in TARGETS}
    with ExitStack() as stack:
        clients = {}
        for target, image in images.items():
            flash = folder / f"{target}.flash"
            board = stack.enter_context(launch(target, image, flash, sensor=folder / "played"))
            clients[target] = stack.enter_context(Client.open(board.port))
        states = {target: begin(client) for target, client in clients.items()}
        yield {target: hear(client, states[target]) for target, client in clients.items()}


def begin(client: Client) -> SensorState:
    client.hello()
    return client.sensor(send=True)


def hear(client: Client, first: SensorState) -> Heard:
    sensed: list[Sensed] = []
    predictions: list[Prediction] = []
    before: list[int] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(predictions) < WINDOWS and time.monotonic() < deadline:
        prediction = client.prediction(1.0)
        while (piece := client.sensed()) is not None and (
            prediction is None or piece.index <= prediction.end_index
        ):
            sensed.append(piece)
        if piece is not None:
            sensed.append(piece)
        if prediction is not None:
            predictions.append(prediction)
            before.append(sensed[-1].index + len(sensed[-1].samples))
    last = client.sensor(send=False)
    return Heard(first, last, client.status(), sensed, predictions, before)


@pytest.fixture(params=TARGETS)
def said(request: pytest.FixtureRequest, heard: dict[Target, Heard]) -> Heard:
    return heard[request.param]


def measured(said: Heard) -> dict[int, np.ndarray]:
    """Samples (6,) by their index."""
    return {
        piece.index + at: sample for piece in said.sensed for at, sample in enumerate(piece.samples)
    }


def test_the_sensor_is_a_played_recording_at_the_models_rate(said: Heard) -> None:
    assert (said.first.sensor, said.first.trouble) == (Sensor.PLAYED, SensorTrouble.RIGHT)
    assert said.first.nominal_hz == 50.0
    assert (said.first.sending, said.last.sending) == (True, False)
    assert (said.last.overruns, said.last.bus_errors) == (0, 0)


def test_the_samples_are_those_of_the_recording_round_after_round(
    said: Heard, recording: np.ndarray
) -> None:
    (at,) = np.flatnonzero((recording == said.sensed[0].samples[0]).all(axis=1))
    first = said.sensed[0].index
    for index, sample in measured(said).items():
        place = (int(at) + index - first) % (SAMPLES + 1)
        assert place < SAMPLES, "one sample is missing between two rounds"
        assert sample.tobytes() == recording[place].tobytes()


def test_the_numbers_go_on_but_for_the_gap_between_two_rounds(said: Heard) -> None:
    expected = said.sensed[0].index
    gaps = []
    for piece in said.sensed:
        assert piece.index == expected + piece.lost
        if piece.lost:
            gaps.append(piece.lost)
        expected = piece.index + len(piece.samples)
    assert gaps == [1]
    # More rounds may have ended until the board was asked.
    assert said.status.samples_lost == (said.status.samples_received - 1) // SAMPLES >= 1


def test_every_prediction_is_what_the_samples_give_bit_for_bit(
    said: Heard, bundle_directory: Path
) -> None:
    bundle = load_bundle(bundle_directory)
    samples = measured(said)
    length = bundle.window_samples
    compared = 0
    for prediction in said.predictions:
        window = range(prediction.end_index - length + 1, prediction.end_index + 1)
        if any(index not in samples for index in window):
            assert prediction is said.predictions[0], "all but what came before it was asked for"
            continue
        x = np.stack([samples[index] for index in window])[None]
        at_cut = bundle.at_cut(x)
        assert prediction.features_crc == zlib.crc32(at_cut.tobytes())
        probabilities = bundle.new_head().predict(at_cut)[0]
        assert np.float32(prediction.probabilities).tobytes() == probabilities.tobytes()
        compared += 1
    assert compared >= WINDOWS - 1


def test_the_samples_of_a_window_come_before_its_prediction(said: Heard) -> None:
    assert len(said.before) == WINDOWS
    for prediction, behind in zip(said.predictions, said.before, strict=True):
        assert behind > prediction.end_index


def test_a_prediction_has_the_time_of_its_last_sample(said: Heard) -> None:
    for prediction in said.predictions:
        piece = next(p for p in said.sensed if 0 <= prediction.end_index - p.index < len(p.samples))
        passed_ms = (prediction.end_index - piece.index) * 20
        assert abs(prediction.time_ms - piece.time_ms - passed_ms) <= 1

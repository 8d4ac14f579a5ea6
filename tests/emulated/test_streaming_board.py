"""A board that answers every 8 samples says of each window what TFLite-Micro and NumPy say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.board.client import Client
from pipeline.bundle import emit, load_bundle
from pipeline.bundle.ready import rebuild
from pipeline.data import windows_of
from pipeline.demo.board import agrees
from pipeline.protocol.samples import decode_samples, encode_samples
from pipeline.sim.build import build_firmware
from pipeline.sim.emulator import TARGETS, Target, launch

pytestmark = pytest.mark.emulated

HOP = 8


def moving(n: int, rate_hz: float) -> np.ndarray:
    """(n, 6): one way of moving, then another."""
    rng = np.random.default_rng(1)
    turns = np.arange(n)[:, None] / rate_hz * rng.uniform(0.5, 3, 6)
    x = np.sin(2 * np.pi * turns) * rng.uniform(0, 1, 6) + rng.normal(0, 0.05, (n, 6))
    x[n // 2 :] *= 0.1
    x[:, 0] += 1.0
    return x.astype(np.float32)


@pytest.mark.parametrize("target", TARGETS)
def test_every_answer_is_that_of_its_whole_window(target: Target, tmp_path: Path) -> None:
    bundle = rebuild("waist", tmp_path / "bundle", hop=HOP)
    emit(load_bundle(tmp_path / "bundle"), tmp_path / "generated")
    image = build_firmware(target, tmp_path / "generated", tmp_path / "build")
    samples = moving(440, bundle.rate_hz)
    twin = bundle.new_twin()
    compared, activities, counts = 0, set(), []
    with (
        launch(target, image.path, tmp_path / "flash.img") as emulator,
        Client.open(emulator.port) as client,
    ):
        assert client.hello().hop == HOP and client.board.step == 32
        for begin in (0, 13):  # each stream starts with a restart
            streamed = client.stream(samples[begin:])
            heard = decode_samples(encode_samples(samples[begin:])[0])
            windows = windows_of(heard, bundle.window_samples, HOP)
            assert len(streamed.predictions) == len(windows)
            twin.restart()
            for seen, said in zip(
                twin.see(bundle.at_cut(windows)), streamed.predictions, strict=True
            ):
                assert agrees(said, seen)
                activities.add(said.activity)
                compared += 1
            counts.append([said.engine_count for said in streamed.predictions])
    assert compared > 90 and len(activities) > 1
    if target == "mps2":
        # The first answer takes the whole window, the others a hop.
        assert all(first > 5 * max(others) for first, *others in counts)

"""What a model at a lower rate is given of the motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.data import Dataset, Segment, swing_kept
from tests.support.synthetic import synthetic_task


def swings(hz: float) -> Dataset:
    """Half a minute of walking that swings at this frequency, at 50 Hz, and as long at rest."""
    dataset = synthetic_task(people=4, seconds=4.0).dataset
    t = np.arange(1500) / 50.0
    walk = np.zeros((1500, 6), np.float32)
    walk[:, 0] = 1.0 + 0.5 * np.sin(2 * np.pi * hz * t)
    walk[:, 3] = 2.0 * np.sin(2 * np.pi * hz * t)
    rest = np.tile(np.float32([1, 0, 0, 0, 0, 0]), (1500, 1))
    recording = replace(
        dataset.recordings[0],
        samples=np.concatenate([walk, rest]),
        segments=(Segment(0, 1500, "walking"), Segment(1500, 3000, "resting")),
    )
    return replace(dataset, recordings=(recording,), activities=("walking", "resting"))


@pytest.mark.parametrize(("hz", "least", "most"), [(2.0, 0.99, 1.01), (20.0, 0.0, 0.01)])
def test_steps_are_kept_and_what_would_fold_into_them_is_not(
    hz: float, least: float, most: float
) -> None:
    walking, resting = swing_kept(swings(hz), 25.0)
    for sensor, size in (("accel_g", 0.5), ("gyro_rad_s", 2.0)):
        assert walking[f"{sensor}_before"] == pytest.approx(size / np.sqrt(2), rel=0.01)
        assert least <= walking[f"{sensor}_kept"] <= most
    assert resting["accel_g_before"] < 1e-3 and resting["gyro_rad_s_kept"] <= 1.0


def test_info_draws_walking_and_rest_before_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.cli.data._load", lambda _: swings(2.0))
    png = tmp_path / "a.png"
    done = CliRunner().invoke(app, ["data", "info", "mine", "--rate", "25", "--png", str(png)])
    assert done.exit_code == 0 and "at 25 Hz" in done.stdout
    assert png.read_bytes().startswith(b"\x89PNG")
    done = CliRunner().invoke(app, ["data", "info", "mine", "--png", str(png)])
    assert done.exit_code == 2 and "--rate" in done.stderr

"""A sensor that lost single samples was put on a grid without them, as if its times had been those
of arrival: by the end it was seconds away from the other one."""

from __future__ import annotations

import numpy as np

from pipeline.data.delimited import read_delimited
from pipeline.data.tracks import joined, read_track


def _text(name: str, times: np.ndarray, values: np.ndarray) -> bytes:
    """A sensor that shows ``values`` on each of its axes."""
    pairs = zip(times, values, strict=True)
    lines = [f"{time:.3f},{value:.3f},{value:.3f},{value:.3f}" for time, value in pairs]
    return "\n".join([f"{name},x,y,z", *lines]).encode()


def test_every_value_stays_at_its_time() -> None:
    times = np.arange(3000) / 100
    kept = times[np.arange(3000) % 20 != 7]  # one of twenty is lost
    tracks = [
        read_track(read_delimited(name, _text(name, at, at)), 0, (1, 2, 3))
        for name, at in (("whole", times), ("lossy", kept))
    ]
    assert any("are missing" in doubt for doubt in tracks[1].doubts)
    (stretch,), rate_hz, _ = joined(tracks, "x")
    assert rate_hz == 100.0
    np.testing.assert_allclose(stretch.values[:, 3:], stretch.values[:, :3], atol=1e-6)


def test_times_of_arrival_are_still_replaced_by_the_stated_rate() -> None:
    at = np.arange(3000)
    track = read_track(read_delimited("a", _text("t", at // 10 / 10, at)), 0, (1, 2, 3), 100.0)
    np.testing.assert_allclose(track.times, at / 100)

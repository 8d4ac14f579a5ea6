"""Two gaps in time may leave a single sample; brought to another rate it was six times NaN, and the
import was refused for "values that are not finite"."""

from __future__ import annotations

import numpy as np

from pipeline.data import Recording, Segment
from pipeline.data.resampling import resample


def test_a_single_sample_stays_what_it_is() -> None:
    samples = np.array([[0.0, 0.6, 0.8, 0.1, -0.2, 0.3]], np.float32)
    alone = Recording(samples, 50.0, "anna", "kitchen", "a.csv", (Segment(0, 1, "sitting"),))
    for rate_hz in (20.0, 100.0):
        found = resample(alone, rate_hz).samples
        assert len(found) == max(1, rate_hz // 50)
        # A short filter sees little more than its own edge.
        assert np.allclose(found, samples, atol=1e-3)

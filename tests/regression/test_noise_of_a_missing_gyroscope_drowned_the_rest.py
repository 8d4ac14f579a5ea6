"""Data without a gyroscope has zeros there; augmentation added jitter and offset, normalization
blew them up a thousandfold, and what was trained on it guessed."""

from __future__ import annotations

import numpy as np

from pipeline.training.augment import Augmentation, augment


def test_zeros_stay_zeros_beside_windows_that_have_a_gyroscope() -> None:
    x = np.random.default_rng(0).normal(size=(4, 128, 6)).astype(np.float32)
    x[1::2, :, 3:] = 0.0
    found = augment(x, np.random.default_rng(1), Augmentation())
    assert not found[1::2, :, 3:].any()
    assert found[::2, :, 3:].all() and (found[..., :3] != x[..., :3]).all()

#!/usr/bin/env python3
"""What tells sitting from standing in one window of a phone on the waist?

Prints, over HAPT's official training subjects (never the test subjects): how well single quantities
order the two postures (area under the ROC curve, 0.5 is chance), and how well a logistic
classifier on groups of them does on people left out one by one. docs/RESULTS.md cites it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.data import CHANNELS, Windows
from pipeline.training.classifier import fit_head
from pipeline.training.task import load_task

Array = np.ndarray[Any, Any]
BANDS_HZ = ((0.3, 0.9), (0.9, 1.7), (1.7, 3.0), (3.0, 6.0), (6.0, 12.0), (12.0, 25.0))


def area_under_roc(values: Array, positive: Array) -> float:
    ranks = np.argsort(np.argsort(values))
    n1, n0 = positive.sum(), (~positive).sum()
    return float((ranks[positive].sum() - n1 * (n1 - 1) / 2) / (n1 * n0))


def band_energies(x: Array, rate_hz: float) -> Array:
    """Windows (N, T, C) -> log energy (N, bands * C), band by band."""
    hann = np.hanning(x.shape[1])[None, :, None]
    power = np.abs(np.fft.rfft((x - x.mean(1, keepdims=True)) * hann, axis=1)) ** 2
    frequency = np.fft.rfftfreq(x.shape[1], 1 / rate_hz)
    inside = [(frequency >= low) & (frequency < high) for low, high in BANDS_HZ]
    return np.concatenate([np.log(power[:, band].mean(1) + 1e-7) for band in inside], axis=1)


def left_out_accuracy(features: Array, standing: Array, subjects: Array) -> float:
    """Logistic regression on the features and their squares, every person judged by the others."""
    right = np.zeros(len(standing), bool)
    for person in np.unique(subjects):
        others = subjects != person
        z = (features - features[others].mean(0)) / features[others].std(0)
        z = np.concatenate([z, z**2], axis=1).astype(np.float32)
        weights, bias = fit_head(z[others], standing[others].astype(int), 2)
        right[~others] = (z[~others] @ weights.T + bias).argmax(1) == standing[~others]
    return float(right.mean())


def postures(windows: Windows) -> Windows:
    wanted = [windows.activities.index(name) for name in ("sitting", "standing")]
    return windows.subset(np.isin(windows.y, wanted))


def main() -> None:
    task = load_task("hapt")
    people = (*task.split.train, *task.split.validation)
    windows = postures(task.windows.for_subjects(people))
    x, standing = windows.x, windows.y == windows.activities.index("standing")
    print(f"{len(windows)} windows of {len(people)} people\n")

    gravity, sway = x[..., :3].mean(1), np.log(x.std(1) + 1e-4)
    print("area under the ROC curve, standing against sitting")
    for c, channel in enumerate(CHANNELS):
        mean = gravity[:, c] if c < 3 else x[..., c].mean(1)
        print(
            f"  {channel}: mean {area_under_roc(mean, standing):.3f}"
            f"   log deviation {area_under_roc(sway[:, c], standing):.3f}"
        )
    bands = band_energies(x, task.dataset.rate_hz)
    gyroscope = np.tile(np.arange(6) >= 3, len(BANDS_HZ))
    print("\naccuracy, one person left out")
    for name, features in (
        ("gravity direction", gravity),
        ("  + deviation of the accelerometer", np.c_[gravity, sway[:, :3]]),
        ("  + deviation about the vertical (gx)", np.c_[gravity, sway[:, 3]]),
        ("  + deviation of the gyroscope", np.c_[gravity, sway[:, 3:]]),
        ("  + band energies of the accelerometer", np.c_[gravity, bands[:, ~gyroscope]]),
        ("  + band energies of the gyroscope", np.c_[gravity, bands[:, gyroscope]]),
        ("  + band energies of both", np.c_[gravity, bands]),
    ):
        print(f"  {name:40s}{left_out_accuracy(features, standing, windows.subjects):.3f}")


if __name__ == "__main__":
    main()

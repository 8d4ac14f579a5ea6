"""From a source's rate and labels to the project's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from pipeline.core.errors import InputError
from pipeline.data.recording import Recording, Segment

MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 10_000.0


def resample(recording: Recording, rate_hz: float) -> Recording:
    """The same stretch at another rate, low-passed below half the lower of the two.

    Polyphase FIR (Kaiser window, beta 5), the straight line from first to last sample taken off
    before and put back after, so that gravity does not ring at the ends. A sample belongs to the
    segment in which its moment lies.

    Raises:
        InputError: a rate outside 1..10,000 Hz.
    """
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise InputError(f"rate {rate_hz:g} Hz; give {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz")
    ratio = Fraction(rate_hz).limit_denominator(1000) / Fraction(
        recording.rate_hz
    ).limit_denominator(1000)
    ratio = ratio.limit_denominator(2000)
    if ratio == 1:
        return dataclasses.replace(recording, rate_hz=rate_hz)
    from scipy.signal import resample_poly

    samples = resample_poly(
        recording.samples.astype(np.float64),
        ratio.numerator,
        ratio.denominator,
        axis=0,
        # No line goes through a single sample, which two gaps in time may leave.
        padtype="line" if len(recording.samples) > 1 else "mean",
    ).astype(np.float32)
    segments = [
        Segment(
            min(math.ceil(segment.start * ratio), len(samples)),
            min(math.ceil(segment.stop * ratio), len(samples)),
            segment.activity,
        )
        for segment in recording.segments
    ]
    return dataclasses.replace(
        recording,
        samples=samples,
        rate_hz=rate_hz,
        segments=tuple(segment for segment in segments if len(segment)),
    )


def renamed(recording: Recording, names: Mapping[str, str]) -> Recording:
    """With every label called as ``names`` says; "" takes the label off."""
    return dataclasses.replace(
        recording,
        segments=tuple(
            Segment(segment.start, segment.stop, names[segment.activity])
            for segment in recording.segments
            if names[segment.activity]
        ),
    )


def labelled_parts(recording: Recording) -> list[Recording]:
    """The labelled stretches, each a recording of its own; what has no label is cut away."""
    runs: list[list[Segment]] = []
    for segment in recording.segments:
        if runs and runs[-1][-1].stop == segment.start:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return [recording.part(run[0].start, run[-1].stop) for run in runs]

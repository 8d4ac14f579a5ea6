"""Recordings at another rate. Down to 30 Hz or less, the last step is the half-band filter that
the board has, too (firmware/boards/nano33ble/halver.c): what a model learns is what it gets."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.plausibility import Samples
from pipeline.data.recording import Dataset, Recording, Segment

MIN_RATE_HZ, MAX_RATE_HZ = 1.0, 10_000.0
HALVED_UP_TO_HZ = 30.0


def _half_band() -> npt.NDArray[np.float32]:
    n = np.arange(1, 10, 2)
    taps = np.sinc(n / 2) * np.kaiser(19, 3.5)[9 + n]
    return np.asarray(taps / (4 * taps.sum()), np.float32)


HALF_BAND = _half_band()
"""Taps 1, 3, 5, 7 and 9 to either side of the middle one, which is 0.5; the others are 0. A sinc
under a Kaiser window (beta 3.5), scaled to a gain of 1 for what stands still: 25 Hz out of 50 keep
8 Hz to 0.1 dB and 10 Hz to 0.5 dB; what would be folded below 8 Hz is 48 dB down."""
_REACH = 2 * len(HALF_BAND) - 1  # samples to either side


def resample(recording: Recording, rate_hz: float) -> Recording:
    """The same stretch at another rate, low-passed below half the lower of the two.

    Polyphase FIR (Kaiser window, beta 5), the straight line from first to last sample taken off
    before and put back after, so that gravity does not ring at the ends; down to 30 Hz or less,
    that to twice the rate and `halve`. A sample belongs to the segment in which its moment lies.

    Raises:
        InputError: a rate outside 1..10,000 Hz.
    """
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise InputError(f"rate {rate_hz:g} Hz; give {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz")
    ratio = _ratio(rate_hz, recording.rate_hz)
    if ratio == 1:
        return dataclasses.replace(recording, rate_hz=rate_hz)
    if ratio < 1 and rate_hz <= HALVED_UP_TO_HZ:
        samples = halve(_polyphase(recording.samples, 2 * ratio))
    else:
        samples = _polyphase(recording.samples, ratio)
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


def at_rate(dataset: Dataset, rate_hz: float) -> Dataset:
    """The data set with every recording at ``rate_hz``. Raises as `resample`."""
    if dataset.rate_hz == rate_hz:
        return dataset
    recordings = tuple(resample(recording, rate_hz) for recording in dataset.recordings)
    return dataclasses.replace(dataset, recordings=recordings, rate_hz=rate_hz)


def halve(samples: Samples) -> Samples:
    """Every second of (n, 6) samples, after the half-band filter: (ceil(n / 2), 6). Summed in
    float32 in the order of the board, whose outputs these are. Before the first and after the last
    sample, signals go on point-symmetrically, so that gravity does not ring."""
    if len(samples) < 2:
        return samples.copy()
    at = np.arange(-_REACH, len(samples) + _REACH)
    last = len(samples) - 1
    mirrored = np.abs((np.abs(at) + last) % (2 * last) - last)
    inside = samples[mirrored.clip(0, last)]
    ends = np.where((at < 0)[:, None], samples[0], samples[last])
    outside = ((at < 0) | (at > last))[:, None]
    padded = np.where(outside, 2 * ends - inside, inside).astype(np.float32)
    middle = np.arange(_REACH, _REACH + len(samples), 2)
    half: Samples = padded[middle] * np.float32(0.5)
    for k, tap in enumerate(HALF_BAND):
        half = half + tap * (padded[middle - 2 * k - 1] + padded[middle + 2 * k + 1])
    return half


def _ratio(to_hz: float, from_hz: float) -> Fraction:
    ratio = Fraction(to_hz).limit_denominator(1000) / Fraction(from_hz).limit_denominator(1000)
    return ratio.limit_denominator(2000)


def _polyphase(samples: Samples, ratio: Fraction) -> Samples:
    if ratio == 1:
        return samples
    from scipy.signal import resample_poly

    found: Samples = resample_poly(
        samples.astype(np.float64),
        ratio.numerator,
        ratio.denominator,
        axis=0,
        # No line goes through a single sample, which two gaps in time may leave.
        padtype="line" if len(samples) > 1 else "mean",
    ).astype(np.float32)
    return found

"""WISDM v1.1: thirty-six people, a phone in the front pocket, accelerometer only, dirty lines.

    33,Jogging,49105962326000,-0.6946377,12.680544,0.50395286;

Records are ended by a semicolon, a line end or both; some are cut, doubled or without a time.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.importers.tree import MAX_NUMBER, Given, Importer, Reading, Tree
from pipeline.data.plausibility import STANDARD_GRAVITY
from pipeline.data.recording import Recording, Segment
from pipeline.data.vocabulary import canonical

RATE_HZ = 20.0
# The phone's timing wanders between 10 and 20 Hz; only the usual step must be right.
RATE_TOLERANCE = 0.25
NAME = "WISDM_ar_v1.1_raw.txt"
ACTIVITIES = ("Walking", "Jogging", "Upstairs", "Downstairs", "Sitting", "Standing")
GAP_S = 0.3
MIN_S = 1.0
MAX_PERSON = 999
MAX_NANOSECONDS = 1 << 62
MAX_DROPPED = 0.1


class Sample(NamedTuple):
    """A record: a moment of a person who does something, and a vector."""

    person: int
    activity: str
    time_s: float
    x: float
    y: float
    z: float


def read_wisdm(tree: Tree, _given: Given) -> Reading:
    """Reads ``WISDM_ar_v1.1_raw.txt``: m/s2 becomes g, the three gyroscope channels are 0.

    Uneven times are put on an even 20 Hz by linear interpolation; a gap over 0.3 s cuts.
    """
    counts: Counter[str] = Counter()
    place = tree.place(NAME)
    samples = read_samples(tree.text(NAME), place, counts, ACTIVITIES, range(1, MAX_PERSON + 1))
    dropped = sum(counts.values())
    check_times(samples, place)
    recordings = []
    for stretch in stretches_of(samples):
        recording = _even(stretch)
        if recording is None:
            counts["samples in short stretches"] += len(stretch)
        else:
            recordings.append(recording)
    order = sorted(recordings, key=lambda recording: recording.subject)
    return Reading(
        tuple(order), {"records": len(samples) + dropped, "records dropped": dropped, **counts}
    )


def check_times(samples: Sequence[Sample], place: str) -> None:
    """Raises InputError where the usual step is not that of 20 Hz."""
    steps = np.diff([sample.time_s for sample in samples])
    same = np.array([a.person == b.person for a, b in itertools.pairwise(samples)], dtype=bool)
    usual = steps[same & (steps > 0) & (steps <= GAP_S)]
    step = float(np.median(usual)) if len(usual) else math.nan
    if not abs(step * RATE_HZ - 1) <= RATE_TOLERANCE:
        raise InputError(f"{place}: {1 / step:.4g} Hz by its times; WISDM has {RATE_HZ:g} Hz")


def read_samples(
    text: str, place: str, counts: Counter[str], activities: Container[str], people: Container[int]
) -> list[Sample]:
    """The records that can be read, in the file's order; ``counts`` says why others cannot.

    Raises:
        InputError: none of them, or too few.
    """
    dropped: Counter[str] = Counter()
    samples = list(_readable(text, dropped, activities, people))
    if not samples:
        raise InputError(f"{place}: no record like 33,Jogging,49105962326000,-0.69,12.68,0.50;")
    lost, total = dropped.total(), len(samples) + dropped.total()
    if lost > MAX_DROPPED * total:
        raise InputError(
            f"{place}: {lost} of {total} records cannot be read; it is damaged or another file"
        )
    counts.update(dropped)
    return samples


def _readable(
    text: str, counts: Counter[str], activities: Container[str], people: Container[int]
) -> Iterator[Sample]:
    last: Sample | None = None
    for record in re.split(r"[;\n]", text):
        cells = [cell.strip() for cell in record.strip().removesuffix(",").split(",")]
        if cells == [""]:
            continue
        if len(cells) != 6:
            counts["records cut or run together"] += 1
            continue
        try:
            person, nanoseconds = int(cells[0]), int(cells[2])
            x, y, z = (float(cell) for cell in cells[3:])
        except ValueError:
            counts["records with a word for a number"] += 1
            continue
        if cells[1] not in activities or person not in people:
            counts["records of an unknown activity or person"] += 1
        elif not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
            counts["records with a word for a number"] += 1
        elif max(abs(x), abs(y), abs(z)) > MAX_NUMBER:
            counts["records with an impossible number"] += 1
        elif not 0 < nanoseconds < MAX_NANOSECONDS:
            counts["records without a time"] += 1
        else:
            sample = Sample(person, cells[1], nanoseconds * 1e-9, x, y, z)
            if last and last[:3] == sample[:3]:
                counts["records of a moment that was there"] += 1
                continue
            last = sample
            yield sample


def stretches_of(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Runs of one person and one activity without a gap in time."""
    stretch = [samples[0]]
    for sample in samples[1:]:
        step = sample.time_s - stretch[-1].time_s
        if sample[:2] != stretch[-1][:2] or not 0 < step <= GAP_S:
            yield stretch
            stretch = []
        stretch.append(sample)
    yield stretch


def _even(stretch: list[Sample]) -> Recording | None:
    """A stretch on an even 20 Hz, or None where it is too short."""
    time_s = np.array([sample.time_s for sample in stretch])
    values: npt.NDArray[np.float64] = np.array([sample[3:] for sample in stretch])  # (n, 3)
    duration = float(time_s[-1] - time_s[0])
    if duration < MIN_S:
        return None
    # Half a microsecond of room, so that rounding does not cost the last sample.
    grid = time_s[0] + np.arange(math.floor(duration * RATE_HZ + 1e-5) + 1) / RATE_HZ
    samples = np.zeros((len(grid), 6), np.float32)
    for axis in range(3):
        samples[:, axis] = np.interp(grid, time_s, values[:, axis]) / STANDARD_GRAVITY
    subject = f"user{stretch[0].person:02d}"
    return Recording(
        samples=samples,
        rate_hz=RATE_HZ,
        subject=subject,
        session=subject,
        source="WISDM v1.1",
        segments=(Segment(0, len(samples), stretch[0].activity),),
    )


IMPORTER = Importer(
    name="wisdm",
    dataset="wisdm",
    title="WISDM v1.1: six activities, phone in the trousers' front pocket",
    expects=f"the folder WISDM_ar_v1.1, its zip, or the file {NAME}",
    anchor=re.compile(r"(?:(?<=/)|^)WISDM_ar_v1\.1_raw\.txt$"),
    people="the thirty-six people of WISDM v1.1",
    placement="pocket",
    axes="front pocket; Android's axes, +1 g along what points up; 20 Hz, no gyroscope",
    terms=(
        "Published by the WISDM Lab, Fordham University, which asks to be cited; no other terms "
        "are stated. Do not redistribute."
    ),
    citation=(
        "Kwapisz, Weiss, Moore: Activity Recognition using Cell Phone Accelerometers. "
        "SensorKDD 2010."
    ),
    read=read_wisdm,
    word=lambda label: "running" if label == "Jogging" else canonical(label),
    has_gyroscope=False,
)

"""PAMAP2: nine people, three sensors on the body, of which the one on the hand is taken."""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.importers.tree import Given, Importer, Reading, Tree
from pipeline.data.plausibility import STANDARD_GRAVITY
from pipeline.data.recording import Recording, segments_of

RATE_HZ = 100.0
RATE_TOLERANCE = 0.05
COLUMNS = 54
# Counted from 0: time in s, activity, acceleration +-16 g in m/s2, angular rate in rad/s. The
# second accelerometer, +-6 g, saturates; the orientation columns are invalid by the readme.
USED = (0, 1, 4, 5, 6, 10, 11, 12)
GAP_PERIODS = 2.5
# The radio loses samples. Up to 0.1 s are bridged by a straight line; a longer gap cuts.
MAX_BRIDGED = 10
MIN_SAMPLES = 100
ACTIVITIES = {
    1: "lying",
    2: "sitting",
    3: "standing",
    4: "walking",
    5: "running",
    6: "cycling",
    7: "nordic-walking",
    9: "watching-tv",
    10: "computer-work",
    11: "car-driving",
    12: "ascending-stairs",
    13: "descending-stairs",
    16: "vacuum-cleaning",
    17: "ironing",
    18: "folding-laundry",
    19: "house-cleaning",
    20: "playing-soccer",
    24: "rope-jumping",
}
NO_ACTIVITY = 0
_FILE = re.compile(r"^(?:Protocol/)?subject(10\d)\.dat$")


def read_pamap2(tree: Tree, _given: Given) -> Reading:
    """Reads every ``Protocol/subject10N.dat``."""
    counts = {"samples bridged": 0, "samples in gaps": 0, "samples in short stretches": 0}
    recordings: list[Recording] = []
    for name in tree.names:
        if match := _FILE.match(name):
            recordings += _person(tree, name, f"subject{match[1]}", counts)
    return Reading(tuple(recordings), counts)


def _person(tree: Tree, name: str, subject: str, counts: dict[str, int]) -> list[Recording]:
    table = tree.table(name, COLUMNS, use=USED)
    place = tree.place(name)
    time_s, numbers, values = table[:, 0], table[:, 1], table[:, 2:]
    if not np.isfinite(table[:, :2]).all():
        raise InputError(f"{place}: a time or an activity is not a number")
    unknown = sorted(set(np.unique(numbers).tolist()) - {*ACTIVITIES, NO_ACTIVITY})
    if unknown:
        raise InputError(f"{place}: unknown activity {unknown[0]:g}")
    steps = np.diff(time_s)
    if len(steps) and (steps <= 0).any():
        raise InputError(f"{place}, line {int(np.argmax(steps <= 0)) + 2}: time does not increase")
    step = float(np.median(steps)) if len(steps) else 1 / RATE_HZ
    if abs(step * RATE_HZ - 1) > RATE_TOLERANCE:
        raise InputError(f"{place}: {1 / step:.4g} Hz by its times; PAMAP2 has {RATE_HZ:g} Hz")
    labels = [ACTIVITIES.get(int(number), "") for number in numbers]
    values = values.copy()
    lost = _bridge(values, counts)
    values[:, :3] /= STANDARD_GRAVITY
    gaps = (np.flatnonzero(steps > GAP_PERIODS / RATE_HZ) + 1).tolist()
    cuts = {0, len(values), *gaps, *(np.flatnonzero(np.diff(lost.astype(np.int8))) + 1).tolist()}
    found = []
    for start, stop in itertools.pairwise(sorted(cuts)):
        if lost[start]:
            counts["samples in gaps"] += stop - start
        elif stop - start < MIN_SAMPLES:
            counts["samples in short stretches"] += stop - start
        else:
            found.append(
                Recording(
                    samples=values[start:stop].astype(np.float32),
                    rate_hz=RATE_HZ,
                    subject=subject,
                    session=subject,
                    source=f"PAMAP2, {subject}, hand",
                    segments=segments_of(labels[start:stop]),
                )
            )
    return found


def _bridge(values: npt.NDArray[np.float64], counts: dict[str, int]) -> npt.NDArray[np.bool_]:
    """Fills short gaps of (n, 6) in place; True where a sample is lost for good."""
    lost: npt.NDArray[np.bool_] = ~np.isfinite(values).all(axis=1)
    there = np.flatnonzero(~lost)
    borders = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(np.int8), [0]])))
    for start, stop in borders.reshape(-1, 2).tolist():
        if start > 0 and stop < len(values) and stop - start <= MAX_BRIDGED:
            lost[start:stop] = False
            counts["samples bridged"] += stop - start
            for column in range(values.shape[1]):
                values[start:stop, column] = np.interp(
                    np.arange(start, stop), there, values[there, column]
                )
    return lost


IMPORTER = Importer(
    name="pamap2",
    dataset="pamap2",
    title="PAMAP2: daily activities, sensor on the wrist of the dominant arm",
    expects="the folder or zip PAMAP2_Dataset with Protocol/subject101.dat ...",
    anchor=re.compile(r"(?:(?:(?<=/)|^)Protocol/|^)subject10\d\.dat$"),
    people="the nine people of PAMAP2",
    placement="wrist",
    axes="wrist of the dominant arm; Colibri sensor's own axes; 100 Hz, low-passed to 50 Hz",
    terms="The UCI repository's page says CC BY 4.0. Cite the authors; do not redistribute.",
    citation=(
        "Reiss, Stricker: Introducing a New Benchmarked Dataset for Activity Monitoring. ISWC 2012."
    ),
    read=read_pamap2,
    labelled_only=True,
)

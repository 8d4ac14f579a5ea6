"""UCI HAR: thirty people, a phone on the waist, published as windows that overlap by half.

The windows carry no recording's name. Where the second half of one is the first half of the next,
of the same person and activity, they are put together again, so that windows of 128 samples every
64 give the published rows back, one for one.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.importers.tree import Given, Importer, Reading, Tree
from pipeline.data.recording import Recording, Segment
from pipeline.data.source import UCI_PEOPLE

RATE_HZ = 50.0
LENGTH = 128
HALF = LENGTH // 2
# Both windows print the same numbers; this is the last digit of what they print.
SAME_G = 1e-6
SIGNALS = [f"{sensor}_{axis}" for sensor in ("total_acc", "body_gyro") for axis in "xyz"]
MAX_PERSON = 999


def read_activity_labels(tree: Tree) -> dict[int, str]:
    """``activity_labels.txt``: number -> name. InputError for a line that is no such pair."""
    name = "activity_labels.txt"
    labels: dict[int, str] = {}
    for number, line in enumerate(tree.text(name, 10_000).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or not re.fullmatch(r"[0-9]{1,3}", words[0]) or len(words[1]) > 64:
            raise InputError(f"{tree.place(name)}, line {number}: no number and name")
        labels[int(words[0])] = words[1]
    if not labels:
        raise InputError(f"{tree.place(name)}: empty")
    return labels


def read_ucihar(tree: Tree, _given: Given) -> Reading:
    """Reads both halves of the folder "UCI HAR Dataset"."""
    labels = read_activity_labels(tree)
    recordings = [
        recording for part in ("train", "test") for recording in _part(tree, part, labels)
    ]
    return Reading(tuple(sorted(recordings, key=lambda recording: recording.subject)))


def _part(tree: Tree, part: str, labels: dict[int, str]) -> list[Recording]:
    people = tree.numbers(f"{part}/subject_{part}.txt", 1)[:, 0]
    numbers = tree.numbers(f"{part}/y_{part}.txt", 1)[:, 0]
    place = tree.place(part)
    if len(numbers) != len(people):
        raise InputError(f"{place}: {len(people)} people and {len(numbers)} labels")
    if not np.isin(numbers, list(labels)).all() or people.min() < 1 or people.max() > MAX_PERSON:
        raise InputError(f"{place}: an activity or a person out of range")
    channels = []
    for signal in SIGNALS:
        name = f"{part}/Inertial Signals/{signal}_{part}.txt"
        table = tree.table(name, LENGTH)
        if len(table) != len(people):
            raise InputError(f"{tree.place(name)}: {len(table)} rows for {len(people)} labels")
        channels.append(table.astype(np.float32))
    x = np.stack(channels, axis=2)  # (N, 128, 6)
    starts = np.flatnonzero(~_continues(x, people, numbers)) + 1
    return [
        _joined(x[first:last], int(people[first]), labels[int(numbers[first])], part, first)
        for first, last in itertools.pairwise([0, *starts.tolist(), len(x)])
    ]


def _continues(
    x: npt.NDArray[np.float32], people: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether row i + 1 goes on where row i ends: bool (N - 1,)."""
    same: npt.NDArray[np.bool_] = (
        (people[1:] == people[:-1])
        & (numbers[1:] == numbers[:-1])
        & (np.abs(x[1:, :HALF] - x[:-1, HALF:]) <= SAME_G).all(axis=(1, 2))
    )
    return same


def _joined(
    rows: npt.NDArray[np.float32], person: int, label: str, part: str, first: int
) -> Recording:
    """Rows (N, 128, 6) that overlap by half as one recording of (N + 1) * 64 samples."""
    samples = np.concatenate([rows[0, :HALF], rows[:, HALF:].reshape(-1, rows.shape[2])])
    return Recording(
        samples=samples,
        rate_hz=RATE_HZ,
        subject=f"subject{person:02d}",
        session=f"subject{person:02d}",
        source=f"UCI HAR, {part}, rows {first + 1}-{first + len(rows)}",
        segments=(Segment(0, len(samples), label),),
    )


IMPORTER = Importer(
    name="ucihar",
    dataset="ucihar",
    title="UCI HAR: six activities, phone on the waist, put together from its windows",
    expects='the folder or zip "UCI HAR Dataset" with train/ and test/',
    anchor=re.compile(r"(?:(?<=/)|^)train/(?:subject|y)_train\.txt$"),
    people=UCI_PEOPLE,
    placement="waist",
    axes="waist; Android's axes, +1 g along what points up; signals low-passed at 20 Hz",
    terms=(
        "Its README allows non-commercial use only; the UCI repository's page says CC BY 4.0. "
        "Cite the authors; do not redistribute."
    ),
    citation=(
        "Anguita, Ghio, Oneto, Parra, Reyes-Ortiz: A Public Domain Dataset for Human Activity "
        "Recognition Using Smartphones. ESANN 2013."
    ),
    read=read_ucihar,
)

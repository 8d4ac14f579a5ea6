"""HAPT as its authors publish it: raw text files, a table of what was done when."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from pipeline.core.errors import InputError
from pipeline.data.importers.tree import Given, Importer, Reading, Tree
from pipeline.data.importers.ucihar import RATE_HZ, read_activity_labels
from pipeline.data.recording import Recording, Segment
from pipeline.data.source import UCI_PEOPLE

_ACC = re.compile(r"^RawData/acc_exp(\d{2,3})_user(\d{2,3})\.txt$")
LABELS = "RawData/labels.txt"
# The two sensors' files of one experiment may end a moment apart.
MAX_DIFFERENCE_S = 1.0


def read_hapt_original(tree: Tree, _given: Given) -> Reading:
    """Reads ``RawData``: labels.txt holds experiment, person, activity, first and last sample,
    counted from 1, the last one included."""
    labels = read_activity_labels(tree)
    rows = tree.numbers(LABELS, 5)
    experiments = sorted(
        (int(match[1]), int(match[2]), name) for name in tree.names if (match := _ACC.match(name))
    )
    known = {(experiment, person) for experiment, person, _ in experiments}
    for number, (experiment, person, activity, *_) in enumerate(rows.tolist(), start=1):
        where = f"{tree.place(LABELS)}, line {number}"
        if (experiment, person) not in known:
            raise InputError(f"{where}: there is no acc_exp{experiment:02d}_user{person:02d}.txt")
        if activity not in labels:
            raise InputError(f"{where}: unknown activity {activity}")
    trials: Counter[int] = Counter()
    counts: Counter[str] = Counter()
    recordings = []
    for experiment, person, name in experiments:
        trials[person] += 1
        own = rows[(rows[:, 0] == experiment) & (rows[:, 1] == person)]
        acceleration = tree.table(name, 3)
        rotation = tree.table(name.replace("/acc_", "/gyro_"), 3)
        n = min(len(acceleration), len(rotation))
        extra = max(len(acceleration), len(rotation)) - n
        if extra > MAX_DIFFERENCE_S * RATE_HZ:
            raise InputError(
                f"{tree.place(name)}: {len(acceleration)} samples, its gyro file {len(rotation)}"
            )
        if extra:
            counts["samples of one sensor only"] += extra
        subject = f"subject{person:02d}"
        try:
            recording = Recording(
                samples=np.hstack([acceleration[:n], rotation[:n]]).astype(np.float32),
                rate_hz=RATE_HZ,
                subject=subject,
                session=f"{subject}/trial{trials[person]}",
                source=f"HAPT, experiment {experiment}",
                segments=tuple(
                    Segment(start - 1, min(stop, n), labels[activity])
                    for _, _, activity, start, stop in sorted(own.tolist(), key=lambda r: r[3])
                    if stop <= n + extra
                ),
            )
        except InputError as error:
            raise InputError(f"{tree.place(name)}: {error}") from error
        late = own[own[:, 4] > n + extra]
        if len(late):
            raise InputError(
                f"{tree.place(LABELS)}: experiment {experiment} is labelled to sample "
                f"{late[0, 4]} and has {n}"
            )
        recordings.append(recording)
    return Reading(tuple(recordings), counts)


IMPORTER = Importer(
    name="hapt",
    dataset="hapt-original",
    title="HAPT: human activities and postural transitions, phone on the waist, authors' files",
    expects="the folder or zip of HAPT with RawData/labels.txt",
    anchor=re.compile(r"(?:(?<=/)|^)RawData/labels\.txt$"),
    people=UCI_PEOPLE,
    placement="waist",
    axes="waist; Android's axes, +1 g along what points up",
    terms=(
        "The UCI repository's page says CC BY 4.0; the README of UCI HAR, recorded from the same "
        "people, says non-commercial use only. Cite the authors; do not redistribute."
    ),
    citation=(
        "Reyes-Ortiz, Oneto, Sama, Parra, Anguita: Transition-Aware Human Activity Recognition "
        "Using Smartphones. Neurocomputing 171 (2016), 754-767."
    ),
    read=read_hapt_original,
)

"""MotionSense: twenty-four people, an iPhone in the trousers' front pocket."""

from __future__ import annotations

import re

import numpy as np

from pipeline.core.errors import InputError
from pipeline.data.importers.tree import Given, Importer, Reading, Tree
from pipeline.data.recording import Recording, Segment

RATE_HZ = 50.0
ACTIVITIES = {
    "dws": "downstairs",
    "ups": "upstairs",
    "wlk": "walking",
    "jog": "running",
    "sit": "sitting",
    "std": "standing",
}
# iOS gives gravity as what pulls: a phone on its back reads z = -1, and a falling one +1 of user
# acceleration. An accelerometer feels the opposite, and so do all other sources and the board.
SIGN = -1.0
_NAMES = "|".join(ACTIVITIES)
_FILE = re.compile(rf"^(?:A_DeviceMotion_data/)?({_NAMES})_(\d+)/sub_(\d+)\.csv$")
_VECTORS = ("gravity", "userAcceleration", "rotationRate")
_WANTED = [f"{vector}.{axis}" for vector in _VECTORS for axis in "xyz"]


def read_motionsense(tree: Tree, _given: Given) -> Reading:
    """Reads every ``{activity}_{trial}/sub_{person}.csv``: total acceleration is gravity plus user
    acceleration, both in g, turned to the sign that an accelerometer reads."""
    recordings = []
    for name in tree.names:
        if match := _FILE.match(name):
            recordings.append(_trial(tree, name, match[1], int(match[2]), int(match[3])))
    return Reading(tuple(sorted(recordings, key=lambda recording: recording.session)))


def _trial(tree: Tree, name: str, code: str, trial: int, person: int) -> Recording:
    line = tree.text(name).partition("\n")[0]
    columns = [cell.strip().strip('"') for cell in line.split(",")]
    missing = [wanted for wanted in _WANTED if columns.count(wanted) != 1]
    if missing:
        raise InputError(f"{tree.place(name)}, line 1: no column {', '.join(missing)}")
    use = [columns.index(wanted) for wanted in _WANTED]
    table = tree.table(name, len(columns), use=use, delimiter=",", header=True)
    gravity, user, rotation = np.split(table, 3, axis=1)  # each (n, 3)
    subject = f"subject{person:02d}"
    try:
        return Recording(
            samples=np.hstack([SIGN * (gravity + user), rotation]).astype(np.float32),
            rate_hz=RATE_HZ,
            subject=subject,
            session=f"{subject}/trial{trial:02d}",
            source=f"MotionSense, {code}_{trial}",
            segments=(Segment(0, len(table), ACTIVITIES[code]),),
        )
    except InputError as error:
        raise InputError(f"{tree.place(name)}: {error}") from error


IMPORTER = Importer(
    name="motionsense",
    dataset="motionsense",
    title="MotionSense: six activities, phone in the trousers' front pocket",
    expects="the folder or zip A_DeviceMotion_data with dws_1/sub_1.csv ...",
    anchor=re.compile(rf"(?:(?:(?<=/)|^)A_DeviceMotion_data/|^)(?:{_NAMES})_\d+/sub_\d+\.csv$"),
    people="the twenty-four people of MotionSense",
    placement="pocket",
    axes="front pocket, any way up; iPhone's axes, acceleration negated to read +1 g upwards",
    terms=(
        "The repository's licence is MIT; it states no other terms for the data. Cite the "
        "authors; do not redistribute."
    ),
    citation=(
        "Malekzadeh, Clegg, Cavallaro, Haddadi: Mobile Sensor Data Anonymization. IoTDI 2019."
    ),
    read=read_motionsense,
)

"""DSADS: eight people, nineteen activities of five minutes, five sensor units on the body.

A file is a segment of five seconds, ``a12/p1/s01.txt``: 125 lines of 45 numbers, nine for each
unit (acceleration in m/s2, angular rate in rad/s, magnetic field). The segments of one person and
activity follow each other, most of them without a gap.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.importers.tree import Given, Importer, Reading, Tree, Unit
from pipeline.data.plausibility import STANDARD_GRAVITY
from pipeline.data.recording import Recording, Segment

RATE_HZ = 25.0
LENGTH = 125
COLUMNS = 45
PER_UNIT = 9
ORDER = ("torso", "right_arm", "left_arm", "right_leg", "left_leg")
SEGMENTS, PEOPLE = 60, 8


class _Row(NamedTuple):
    activity: str
    words: str


ACTIVITIES = {
    1: _Row("sitting", "sitting"),
    2: _Row("standing", "standing"),
    3: _Row("lying", "lying on the back"),
    4: _Row("lying", "lying on the right side"),
    5: _Row("upstairs", "ascending stairs"),
    6: _Row("downstairs", "descending stairs"),
    9: _Row("walking", "walking in a car park"),
    10: _Row("walking", "treadmill at 4 km/h, flat"),
    11: _Row("walking", "treadmill at 4 km/h, 15 degrees"),
    12: _Row("running", "treadmill at 8 km/h"),
    13: _Row("stepper", "stepper"),
    14: _Row("cross-trainer", "cross trainer"),
    15: _Row("cycling", "exercise bike, lying"),
    16: _Row("cycling", "exercise bike, upright"),
    17: _Row("rowing", "rowing"),
    18: _Row("jumping", "jumping"),
    19: _Row("basketball", "basketball"),
}
# Standing in a lift, and about in one: neither is standing, nor walking, nor a class of its own.
LIFT = (7, 8)
# p8's rowing and jumping are p4's, ten samples later: one recording would train and test at once.
COPIES = {(17, 8), (18, 8)}
# Segments (activity, person) that do not follow each other, though their numbers do.
SCATTERED = {
    *((stairs, person) for stairs in (5, 6) for person in range(1, PEOPLE + 1)),
    *((1, 8), (2, 6), (2, 8), (3, 8), (4, 8), (13, 3), (18, 3), (18, 6)),
}
# Where a second is missing, it is the last of a segment: zeros, or a piece of another segment.
SECOND = slice(100, 125)

# A left arm mirrors a right one in the plane of x and z: acceleration is a vector, rate is not.
MIRROR_Y = np.array([1, -1, 1, -1, 1, -1], dtype=np.float32)
_FILE = re.compile(r"^a(0[1-9]|1\d)/p([1-8])/s(0[1-9]|[1-5]\d|60)\.txt$")

Table = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def read_dsads(tree: Tree, given: Given) -> Reading:
    """Reads every ``aAA/pP/sSS.txt`` for the units that ``given.unit`` names."""
    counts: Counter[str] = Counter()
    names: dict[tuple[int, int], dict[int, str]] = defaultdict(dict)
    files = 0
    for name in tree.names:
        if not (match := _FILE.match(name)):
            continue
        files += 1
        activity, person, segment = (int(group) for group in match.groups())
        if activity in LIFT:
            counts["segments in a lift"] += 1
        elif (activity, person) in COPIES:
            counts["segments that p4 has, too"] += 1
        else:
            names[person, activity][segment] = name
    recordings = []
    units = _MEMBERS.get(given.unit, (given.unit,))
    for (person, activity), own in sorted(names.items()):
        stretches = list(_stretches(tree, own, units, (activity, person), counts))
        for unit in units:
            recordings += [_recording(table, unit, person, activity) for table in stretches]
    whole = SEGMENTS * PEOPLE * (len(ACTIVITIES) + len(LIFT))
    missing = f"{tree.where}: {files} of {whole:,} segments; the copy is not complete"
    return Reading(tuple(recordings), counts, () if files == whole else (missing,))


def _stretches(
    tree: Tree,
    names: dict[int, str],
    units: tuple[str, ...],
    which: tuple[int, int],
    counts: Counter[str],
) -> Iterator[Table]:
    """The segments of one person and activity, (n, 45), joined where they follow each other."""
    numbers = sorted(names)
    tables = np.stack([_segment(tree, names[number]) for number in numbers])  # (S, 125, 45)
    lost = _lost(tables, units)
    counts["samples that are missing"] += int(lost.sum())
    follows = np.diff(numbers) == 1
    torn = _torn(tables, lost) | (which in SCATTERED)
    counts["segments that do not follow the one before"] += int((follows & torn).sum())
    joined = follows & ~torn
    ends = {(at + 1) * LENGTH for at in np.flatnonzero(~joined).tolist()}
    rows, flat = tables.reshape(-1, COLUMNS), lost.ravel()
    ends.update((np.flatnonzero(np.diff(flat.astype(np.int8))) + 1).tolist())
    for start, stop in itertools.pairwise(sorted({0, *ends, len(rows)})):
        if not flat[start]:
            yield rows[start:stop]


def _segment(tree: Tree, name: str) -> Table:
    table = tree.table(name, COLUMNS, delimiter=",")
    if len(table) != LENGTH:
        raise InputError(f"{tree.place(name)}: {len(table)} lines; expected {LENGTH}")
    if not np.isfinite(table).all():
        raise InputError(f"{tree.place(name)}: not all are finite numbers")
    return table


def _lost(tables: Table, units: tuple[str, ...]) -> Mask:
    """(S, 125): True where a wanted unit has only zeros, and in a last second that is a copy."""
    lost = np.zeros(tables.shape[:2], bool)
    for unit in units:
        lost |= ~tables[:, :, _columns(unit)].any(axis=2)
    rows = [[row.tobytes() for row in table] for table in tables]
    seen = Counter(itertools.chain.from_iterable(rows))
    for number, segment in enumerate(rows):
        if all(seen[row] > 1 for row in segment[SECOND]):
            lost[number, SECOND] = True
    return lost


def _torn(tables: Table, lost: Mask) -> Mask:
    """(S - 1,): whether a segment does not go on where the one before ends, by the step between.

    A step larger than every one inside the segments tears them. Where the steps between are larger
    as a whole, none follows another: their ranks among the steps inside have the mean 0.5 where all
    do, give or take what chance does to so many.
    """
    motion = np.concatenate([tables[:, :, _columns(unit)] for unit in ORDER], axis=2)
    steps = np.diff(motion, axis=1)[~(lost[:, 1:] | lost[:, :-1])]  # (n, 30)
    between = motion[1:, 0] - motion[:-1, -1]
    there = ~(lost[1:, 0] | lost[:-1, -1])
    if not len(steps) or not there.any():
        return np.zeros(len(between), bool)
    scale = np.sqrt((steps**2).mean(axis=0)) + 1e-3
    inside = np.sort(np.linalg.norm(steps / scale, axis=1))
    size = np.linalg.norm(between / scale, axis=1)
    rank = np.searchsorted(inside, size) / len(inside)
    chance = math.sqrt(1 / 12 / int(there.sum()))
    torn: Mask = there & (size > inside[-1])
    if rank[there].mean() > 0.5 + 3 * chance:
        torn = there
    return torn


def _columns(unit: str) -> slice:
    first = ORDER.index(unit) * PER_UNIT
    return slice(first, first + 6)


def _recording(table: Table, unit: str, person: int, activity: int) -> Recording:
    samples = table[:, _columns(unit)].astype(np.float32)
    samples[:, :3] /= STANDARD_GRAVITY
    if unit == "left_arm":
        samples *= MIRROR_Y
    row = ACTIVITIES[activity]
    return Recording(
        samples=samples,
        rate_hz=RATE_HZ,
        subject=f"p{person}",
        session=f"p{person}/{unit}",
        source=f"DSADS, p{person}/a{activity:02d}, {row.words}",
        segments=(Segment(0, len(samples), row.activity),),
    )


_OWN = "Xsens unit's own axes"
_RIGHT = f"wrist, {_OWN}: x along the forearm"
_MIRRORED = "the left arm in the right arm's frame: y of acceleration, x and z of rate negated"
_MEMBERS = {"arms": ("right_arm", "left_arm")}

IMPORTER = Importer(
    name="dsads",
    dataset="dsads",
    title="DSADS: daily and sports activities",
    expects="the folder or zip of DSADS with a01/p1/s01.txt ...",
    anchor=re.compile(r"(?:(?<=/)|^)a(?:0[1-9]|1\d)/p[1-8]/s(?:0[1-9]|[1-5]\d|60)\.txt$"),
    people="the eight people of DSADS",
    placement="",
    axes=_OWN,
    terms=(
        "The UCI repository's page is believed to say CC BY 4.0; that is not confirmed. Cite the "
        "authors; do not redistribute."
    ),
    citation=(
        "Altun, Barshan, Tuncel: Comparative study on classifying human activities with miniature "
        "inertial and magnetic sensors. Pattern Recognition 43 (2010), 3605-3620. Barshan, "
        "Yuksek: Recognizing daily and sports activities in two open source machine learning "
        "environments using body-worn sensor units. The Computer Journal 57 (2014), 1649-1667."
    ),
    read=read_dsads,
    units={
        "right_arm": Unit("wrist", _RIGHT),
        "left_arm": Unit("wrist", f"{_RIGHT}; {_MIRRORED}"),
        "arms": Unit("wrist", f"{_RIGHT}; {_MIRRORED}"),
        "torso": Unit("torso", f"chest, {_OWN}: x up"),
        "right_leg": Unit("leg", f"thigh, {_OWN}"),
        "left_leg": Unit("leg", f"thigh, {_OWN}"),
    },
)

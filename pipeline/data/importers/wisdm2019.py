"""WISDM 2019: fifty-one people, eighteen activities, a watch and a phone, two sensors in each.

    raw/watch/accel/data_1600_accel_watch.txt    1600,A,90426757696641,4.972757,-0.158317,6.696732;
    raw/watch/gyro/data_1600_gyro_watch.txt      1600,A,90426708196641,0.314944,-1.022277,-0.309962;

In m/s2 and rad/s, each sensor at uneven times of its own.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.importers.tree import Given, Importer, Reading, Tree, Unit
from pipeline.data.importers.wisdm import (
    MIN_S,
    RATE_HZ,
    Sample,
    check_times,
    read_samples,
    stretches_of,
)
from pipeline.data.plausibility import STANDARD_GRAVITY
from pipeline.data.recording import Recording, Segment
from pipeline.data.vocabulary import canonical

ACTIVITIES = {
    "A": "walking",
    "B": "jogging",
    "C": "stairs",
    "D": "sitting",
    "E": "standing",
    "F": "typing",
    "G": "brushing-teeth",
    "H": "eating-soup",
    "I": "eating-chips",
    "J": "eating-pasta",
    "K": "drinking",
    "L": "eating-sandwich",
    "M": "kicking",
    "O": "catching",
    "P": "dribbling",
    "Q": "writing",
    "R": "clapping",
    "S": "folding",
}
PEOPLE = range(1600, 1651)
_FILE = re.compile(r"(?:raw/)?(phone|watch)/(accel|gyro)/data_(16\d\d)_\2_\1\.txt")


def read_wisdm2019(tree: Tree, given: Given) -> Reading:
    """Reads the accelerometer and the gyroscope of the watch or the phone.

    Both are put on one even 20 Hz by linear interpolation, over the time that they share; a gap
    over 0.3 s in either cuts.
    """
    names: dict[int, dict[str, str]] = defaultdict(dict)
    for name in tree.names:
        match = _FILE.fullmatch(name)
        if match and match[1] == given.unit:
            names[int(match[3])][match[2]] = name
    if not names:
        raise InputError(f"{tree.where}: no file of the {given.unit} in it")
    counts: Counter[str] = Counter()
    recordings: list[Recording] = []
    alone_s = 0.0
    for person, files in sorted(names.items()):
        if len(files) < 2:
            counts["people with one of the two sensors"] += 1
            continue
        sensors = []
        for sensor in ("accel", "gyro"):
            place = tree.place(files[sensor])
            samples = read_samples(
                tree.text(files[sensor]), place, counts, ACTIVITIES, range(person, person + 1)
            )
            check_times(samples, place)
            counts["records"] += len(samples)
            sensors.append(_by_activity(samples))
        for letter in ACTIVITIES:
            accel, gyro = (sensor.get(letter, []) for sensor in sensors)
            own = [_recording(person, given.unit, letter, *pair) for pair in _shared(accel, gyro)]
            there = sum(float(track.times[-1] - track.times[0]) for track in accel)
            alone_s += there - sum(recording.duration_s for recording in own)
            recordings += own
    counts["seconds of acceleration without the gyroscope"] = max(0, round(alone_s))
    missing = f"{tree.where}: {len(names)} of {len(PEOPLE)} people; the copy is not complete"
    return Reading(tuple(recordings), counts, () if len(names) == len(PEOPLE) else (missing,))


class _Track:
    """A stretch of one sensor: ``times`` (n,) in s, rising, and ``values`` (n, 3)."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.times = np.array([sample.time_s for sample in samples])
        self.values: npt.NDArray[np.float64] = np.array([sample[3:] for sample in samples])

    def at(self, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.stack([np.interp(times, self.times, axis) for axis in self.values.T], axis=1)


def _by_activity(samples: Sequence[Sample]) -> dict[str, list[_Track]]:
    """The stretches of each activity without a gap, by time."""
    tracks: dict[str, list[_Track]] = defaultdict(list)
    for stretch in stretches_of(samples):
        tracks[stretch[0].activity].append(_Track(stretch))
    for own in tracks.values():
        own.sort(key=lambda track: float(track.times[0]))
    return tracks


def _shared(
    ones: Sequence[_Track], others: Sequence[_Track]
) -> Iterator[tuple[_Track, _Track, float, float]]:
    """Pairs of stretches that share some time, and its start and end in s."""
    left, right = 0, 0
    while left < len(ones) and right < len(others):
        one, other = ones[left], others[right]
        start = max(float(one.times[0]), float(other.times[0]))
        stop = min(float(one.times[-1]), float(other.times[-1]))
        if stop - start >= MIN_S:
            yield one, other, start, stop
        if one.times[-1] < other.times[-1]:
            left += 1
        else:
            right += 1


def _recording(
    person: int, unit: str, letter: str, accel: _Track, gyro: _Track, start: float, stop: float
) -> Recording:
    # Half a microsecond of room, so that rounding does not cost the last sample.
    times = start + np.arange(math.floor((stop - start) * RATE_HZ + 1e-5) + 1) / RATE_HZ
    samples = np.hstack([accel.at(times) / STANDARD_GRAVITY, gyro.at(times)]).astype(np.float32)
    return Recording(
        samples=samples,
        rate_hz=RATE_HZ,
        subject=f"p{person}",
        session=f"p{person}/{unit}",
        source=f"WISDM 2019, {unit}, {letter}",
        segments=(Segment(0, len(samples), ACTIVITIES[letter]),),
    )


IMPORTER = Importer(
    name="wisdm2019",
    dataset="wisdm2019",
    title="WISDM 2019: eighteen activities of daily life",
    expects="the folder or zip of WISDM 2019 with raw/watch/accel/data_1600_accel_watch.txt ...",
    anchor=re.compile(
        r"(?:(?<=/)|^)(?:raw/)?(?:phone|watch)/(?:accel|gyro)/data_16\d\d_(?:accel|gyro)_"
        r"(?:phone|watch)\.txt$"
    ),
    people="the fifty-one people of WISDM 2019",
    placement="",
    axes="Android's axes, +1 g along what points up; 20 Hz",
    terms=(
        "The UCI repository's page is believed to say CC BY 4.0; that is not confirmed. Cite the "
        "authors; do not redistribute."
    ),
    citation=(
        "Weiss, Yoneda, Hayajneh: Smartphone and Smartwatch-Based Biometrics Using Activities of "
        "Daily Living. IEEE Access 7 (2019), 133190-133202."
    ),
    read=read_wisdm2019,
    word=lambda label: "running" if label == "jogging" else canonical(label),
    units={
        "watch": Unit("wrist", "watch on the dominant hand; Android's axes"),
        "phone": Unit("pocket", "phone in the trousers' pocket, any way up; Android's axes"),
    },
)

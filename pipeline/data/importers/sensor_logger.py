"""A recording of the app Sensor Logger (Kelvin Choi): a folder, or the zip that it exports.

    TotalAcceleration.csv, Gyroscope.csv     time,seconds_elapsed,z,y,x
    Annotation.csv                           time,seconds_elapsed,text,...

``Accelerometer.csv`` is without gravity, which ``Gravity.csv`` has: their sum stands in where there
is no ``TotalAcceleration.csv``. All in m/s2 and rad/s. iOS gives acceleration with the opposite
sign, unless "Standardise Units & Frames" was on: ``Metadata.csv`` says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.core.errors import InputError
from pipeline.data.delimited import header_of, read_delimited
from pipeline.data.importers.columns import check_label
from pipeline.data.importers.own import Form, OwnFile
from pipeline.data.recording import Recording, segments_of
from pipeline.data.tracks import Stretch, Track, joined, read_track
from pipeline.data.units import ACCELERATION, Stated, find_unit, to_samples

TIME = "seconds_elapsed"
AXES = ("x", "y", "z")
TOTAL, WITHOUT_GRAVITY, GRAVITY = "TotalAcceleration.csv", "Accelerometer.csv", "Gravity.csv"
GYROSCOPE, METADATA, ANNOTATION = "Gyroscope.csv", "Metadata.csv", "Annotation.csv"
_ON, _OFF = ("true", "1", "yes", "on"), ("", "false", "0", "no", "off")

Labels = list[tuple[float, str]]


def _recognises(name: str, head: bytes) -> bool:
    if not name.lower().endswith(".csv"):
        return False
    header = {cell.lower() for cell in header_of(head)}
    return {"time", TIME} <= header or {"platform", "device name"} <= header


def _read(file: OwnFile) -> Sequence[Recording]:
    place = file.tree.place(file.folder) if "/" in file.name else file.tree.where
    acceleration = [_track(file, name) for name in _sensors(file, place)]
    tracks = [*acceleration, _track(file, GYROSCOPE)]
    stretches, rate_hz, doubts = joined(tracks, place)
    sign, doubt = _sign(file)
    labels, more = _labels(file)
    raw = []
    for stretch in stretches:
        parts = np.split(stretch.values, len(tracks), axis=1)
        raw.append(np.hstack([sign * np.sum(parts[:-1], axis=0), parts[-1]]))
    unit = find_unit(file.given.accel_unit or "m/s2", ACCELERATION, "--accel-unit")
    try:
        samples, others = to_samples(raw, rate_hz, Stated(unit, "rad/s"), place)
    except InputError as error:
        raise InputError(
            f"{error}; acceleration was read as {unit}, --accel-unit says otherwise"
        ) from None
    watch = [name for name in file.siblings if name.startswith(("watch", "wrist"))]
    if watch:
        others.append(f"the phone's own sensors are taken, not those of the watch ({watch[0]})")
    for text in (*doubts, *(f"{place}: {each}" for each in (*doubt, *more, *others))):
        file.doubt(text)
    return [
        Recording(
            samples=found,
            rate_hz=rate_hz,
            subject=file.given.subject or file.folder,
            session=file.folder,
            source=file.folder,
            segments=segments_of(_at(stretch, labels)),
        )
        for found, stretch in zip(samples, stretches, strict=True)
    ]


def _sensors(file: OwnFile, place: str) -> list[str]:
    """The files whose sum is the acceleration."""
    there = file.siblings
    found = [TOTAL] if TOTAL.lower() in there else [WITHOUT_GRAVITY, GRAVITY]
    missing = [name for name in (*found, GYROSCOPE) if name.lower() not in there]
    if missing:
        raise InputError(
            f"{place}: no {' and no '.join(missing)} in it; give the whole folder or zip that "
            "Sensor Logger exports, recorded with Accelerometer, Gravity and Gyroscope switched on"
        )
    return found


def _track(file: OwnFile, name: str) -> Track:
    path = file.siblings[name.lower()]
    text = read_delimited(file.tree.place(path), file.read(path))
    missing = [column for column in (TIME, *AXES) if column not in text.header]
    if missing:
        raise InputError(
            f"{text.place}, line {text.header_line}: no column {', '.join(missing)}; export it "
            "again"
        )
    columns = [text.header.index(axis) for axis in AXES]
    return read_track(text, text.header.index(TIME), columns, file.given.recorded_rate)


def _sign(file: OwnFile) -> tuple[float, list[str]]:
    """-1 where acceleration has the signs of iOS, and what the owner should know."""
    path = file.siblings.get(METADATA.lower(), "")
    platform, text = "", None
    if path:
        text = read_delimited(file.tree.place(path), file.read(path))
        header = [cell.lower() for cell in text.header]
        rows = list(text.rows())
        if len(rows) != 1 or "platform" not in header:
            raise InputError(f"{text.place}: expected a column platform and one line of values")
        about = dict(zip(header, rows[0][1], strict=True))
        platform = about["platform"].lower()
        standard = about.get("standardisation", "").lower()
        if standard not in (*_ON, *_OFF):
            raise InputError(
                f"{text.place}, line {rows[0][0]}, column standardisation: {standard[:30]!r} is "
                "neither true nor false"
            )
        if platform == "ios" and standard in _OFF:
            return -1.0, ["acceleration is negated: iOS gives what pulls"]
    if platform in ("android", "ios"):
        return 1.0, []
    return 1.0, [
        f"no {METADATA} that says Android or iOS: acceleration is taken as Android gives it; iOS "
        "gives the opposite signs unless Standardise Units & Frames was on"
    ]


def _labels(file: OwnFile) -> tuple[Labels, list[str]]:
    """(time in s, label) of where a label begins, in time's order."""
    path = file.siblings.get(ANNOTATION.lower(), "")
    labels: Labels = []
    if path:
        text = read_delimited(file.tree.place(path), file.read(path))
        if not {TIME, "text"} <= set(text.header):
            raise InputError(f"{text.place}, line {text.header_line}: no column {TIME} or text")
        when, what = text.header.index(TIME), text.header.index("text")
        for line, cells in text.rows():
            label = check_label(cells[what], f"{text.place}, line {line}", "rename it there")
            labels.append((text.number(cells[when], line, TIME), label))
    if any(label for _, label in labels):
        return sorted(labels, key=lambda each: each[0]), [
            f"the texts of {ANNOTATION} are the activities, each from its moment to the next one "
            "(an empty text: unlabelled)"
        ]
    activity = check_label(file.given.activity, "--activity", "give another one")
    if activity:
        return [(-np.inf, activity)], []
    return [], [f"unlabelled: no text in {ANNOTATION}; give --activity NAME to har data import"]


def _at(stretch: Stretch, labels: Labels) -> list[str]:
    """The label of each sample."""
    which = np.searchsorted([time for time, _ in labels], stretch.times, side="right")
    names = ["", *(label for _, label in labels)]
    return [names[at] for at in which.tolist()]


FORM = Form(
    name="sensor-logger",
    title="recorded with Sensor Logger",
    expects=f"a folder or zip of Sensor Logger ({TOTAL}, {GYROSCOPE})",
    suffixes=(".csv",),
    recognises=_recognises,
    read=_read,
    takes=("recorded_rate", "accel_unit", "subject", "activity"),
    whole_folder=lambda _: True,
)

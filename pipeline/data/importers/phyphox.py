"""Exports of the app phyphox: a zip or folder with a CSV file for each sensor, or one file of both.

    "Time (s)","Acceleration x (m/s^2)","Acceleration y (m/s^2)","Acceleration z (m/s^2)"
    "Time (s)","Gyroscope x (rad/s)","Gyroscope y (rad/s)","Gyroscope z (rad/s)"

With commas, tabs or semicolons, decimal points or commas. ``meta/`` says what phone it was; phyphox
gives the signs and units of Android on iOS, too. What "Linear Acceleration" has is no gravity.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.core.errors import InputError
from pipeline.data.delimited import Delimited, header_of, read_delimited
from pipeline.data.importers.columns import check_label
from pipeline.data.importers.own import Form, OwnFile
from pipeline.data.recording import Recording, Segment
from pipeline.data.tracks import Track, joined, read_track
from pipeline.data.units import ACCELERATION, ROTATION, Stated, find_unit, to_samples

_TIME = re.compile(r"(?:time|t) \(s\)", re.IGNORECASE)
_ACCELERATION = re.compile(r"(?:acceleration|accelerometer) ([xyz]) \((.+)\)", re.IGNORECASE)
_ROTATION = re.compile(r"gyroscope ([xyz]) \((.+)\)", re.IGNORECASE)
_LINEAR = re.compile(r"linear acceleration ([xyz]) \((.+)\)", re.IGNORECASE)
_META = ({"property", "value"}, {"event", "experiment time", "system time"})
_HOW = (
    "add an experiment of your own with Accelerometer and Gyroscope in phyphox (+), and record that"
)


@dataclass(frozen=True)
class _Sensor:
    """``columns`` are those of x, y and z."""

    text: Delimited
    time: int
    columns: tuple[int, ...]
    unit: str


def _recognises(name: str, head: bytes) -> bool:
    header = header_of(head)
    return name.lower().endswith((".csv", ".txt", ".tsv")) and (
        bool(header and _TIME.fullmatch(header[0])) or _is_meta(header)
    )


def _is_meta(header: Sequence[str]) -> bool:
    return any(words <= {cell.lower() for cell in header} for words in _META)


def _is_part(head: bytes) -> bool:
    """Whether a file does not have both sensors."""
    header = header_of(head)
    return not all(_columns(header, sensor) for sensor in (_ACCELERATION, _ROTATION))


def _read(file: OwnFile) -> Sequence[Recording]:
    alone = not _is_part(file.data)
    own = file.default_name if alone else file.folder
    place = file.place
    names = [file.name]
    if not alone:
        if _is_meta(header_of(file.data)):
            return ()
        place = file.tree.place(file.folder) if "/" in file.name else file.tree.where
        names = [name for name in file.siblings.values() if _recognises(name, file.read(name))]
    texts = [read_delimited(file.tree.place(name), file.read(name)) for name in names]
    acceleration = _sensor(texts, _ACCELERATION, place, "acceleration")
    rotation = _sensor(texts, _ROTATION, place, "gyroscope")
    tracks = [_track(sensor, file.given.recorded_rate) for sensor in (acceleration, rotation)]
    stretches, rate_hz, doubts = joined(tracks, place)
    stated = Stated(
        find_unit(acceleration.unit, ACCELERATION, f"{acceleration.text.place}, unit"),
        find_unit(rotation.unit, ROTATION, f"{rotation.text.place}, unit"),
    )
    samples, others = to_samples([each.values for each in stretches], rate_hz, stated, place)
    activity = check_label(file.given.activity, "--activity", "give another one")
    if not activity:
        others.append(
            "unlabelled: phyphox has no activities; give --activity NAME to har data import"
        )
    for text in (*doubts, *(f"{place}: {other}" for other in others)):
        file.doubt(text)
    return [
        Recording(
            samples=found,
            rate_hz=rate_hz,
            subject=file.given.subject or own,
            session=own,
            source=file.name if alone else own,
            segments=(Segment(0, len(found), activity),) if activity else (),
        )
        for found in samples
    ]


def _columns(header: Sequence[str], sensor: re.Pattern[str]) -> list[tuple[str, str, int]]:
    """(axis, unit, column) of each axis of a sensor."""
    matches = ((sensor.fullmatch(" ".join(cell.split())), at) for at, cell in enumerate(header))
    return sorted((match[1].lower(), match[2], at) for match, at in matches if match)


def _sensor(texts: Sequence[Delimited], pattern: re.Pattern[str], place: str, what: str) -> _Sensor:
    """The one file and the columns that have the sensor."""
    found = [text for text in texts if _columns(text.header, pattern)]
    if not found:
        if pattern is _ACCELERATION and any(_columns(text.header, _LINEAR) for text in texts):
            raise InputError(
                f"{place}: gravity was taken out of it (Linear Acceleration, acceleration without "
                f"g); {_HOW}"
            )
        raise InputError(f"{place}: no {what} in it; give the whole folder or zip, or {_HOW}")
    if len(found) > 1:
        one, other, *_ = (
            PurePosixPath(text.place.removeprefix(f"{place}, ")).name for text in found
        )
        raise InputError(
            f"{place}: {what} in {one} and in {other}; put each recording into a folder of its own"
        )
    (text,) = found
    columns = _columns(text.header, pattern)
    units = {unit for _, unit, _ in columns}
    times = [at for at, cell in enumerate(text.header) if _TIME.fullmatch(cell)]
    before = [at for at in times if at < columns[0][2]]
    if [axis for axis, *_ in columns] != ["x", "y", "z"] or len(units) != 1 or not before:
        raise InputError(
            f"{text.place}, line {text.header_line}: expected a time and x, y and z of the {what} "
            f"in one unit, found {', '.join(text.header)[:100]}"
        )
    return _Sensor(text, before[-1], tuple(at for *_, at in columns), units.pop())


def _track(sensor: _Sensor, stated_hz: float | None) -> Track:
    return read_track(sensor.text, sensor.time, sensor.columns, stated_hz)


FORM = Form(
    name="phyphox",
    title="recorded with phyphox",
    expects="a folder or zip of phyphox (Accelerometer.csv, Gyroscope.csv), or one CSV of both",
    suffixes=(".csv", ".txt", ".tsv"),
    recognises=_recognises,
    read=_read,
    takes=("recorded_rate", "subject", "activity"),
    whole_folder=_is_part,
)

"""Gestures as the Arduino sketches of the TensorFlow tutorials print them: punch.csv, flex.csv.

    aX,aY,aZ,gX,gY,gZ
    0.518,-0.243,0.881,12.451,-3.601,0.977

One sample a line, in g and deg/s as the libraries of the board give them; no time and no rate. An
empty line, or the header again, ends a gesture. The file has the name of the gesture.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from pipeline.core.errors import InputError
from pipeline.data.csv_recording import comment_keys, stated_rate
from pipeline.data.delimited import Delimited, header_of, is_number, read_delimited
from pipeline.data.importers.columns import check_label
from pipeline.data.importers.own import Form, OwnFile
from pipeline.data.plausibility import MAX_ROTATION_RADS
from pipeline.data.recording import Recording, Segment
from pipeline.data.timeline import check_rate
from pipeline.data.units import ACCELERATION, ROTATION, Stated, find_unit, to_samples

COLUMNS = ("aX", "aY", "aZ", "gX", "gY", "gZ")
# What the serial monitor writes before each line where it shows timestamps.
_STAMP = re.compile(rb"^\d\d:\d\d:\d\d\.\d+ *-> *", re.MULTILINE)


def _recognises(name: str, head: bytes) -> bool:
    header = header_of(_STAMP.sub(b"", head))
    return name.lower().endswith((".csv", ".txt")) and (_is_header(header) or _is_sample(header))


def _is_header(cells: Sequence[str]) -> bool:
    return [cell.lower() for cell in cells] == [column.lower() for column in COLUMNS]


def _is_sample(cells: Sequence[str]) -> bool:
    return len(cells) == len(COLUMNS) and all(map(is_number, cells))


def _read(file: OwnFile) -> Sequence[Recording]:
    place, given = file.place, file.given
    text = read_delimited(place, _STAMP.sub(b"", file.data))
    keys = comment_keys(text)
    rate_hz = _rate(file, stated_rate(place, keys.get("rate_hz")))
    named = given.activity or PurePosixPath(file.default_name).name
    activity = check_label(named, place, "give --activity NAME")
    gestures = _gestures(text)
    stated = Stated(
        find_unit(given.accel_unit or "g", ACCELERATION, "--accel-unit"),
        find_unit(given.gyro_unit or "deg/s", ROTATION, "--gyro-unit"),
    )
    stretches = [np.array(rows, dtype=np.float64) for _, rows in gestures]
    try:
        samples, doubts = to_samples(stretches, rate_hz, stated, place)
    except InputError as error:
        raise InputError(
            f"{error}; it was read as {stated.acceleration} and {stated.rotation}: --accel-unit "
            "and --gyro-unit say otherwise"
        ) from None
    fastest = max(float(np.abs(stretch[:, 3:]).max()) for stretch in stretches)
    if activity and not given.activity:
        doubts.append(f"the activity is the name of the file, {activity}; --activity says another")
    if not (given.accel_unit and given.gyro_unit):
        doubts.append(
            f"read as {stated.acceleration} and {stated.rotation}, as the libraries of the board "
            "give them; --accel-unit and --gyro-unit say otherwise"
        )
    if not given.gyro_unit and fastest < MAX_ROTATION_RADS:
        doubts.append(
            f"it never turns faster than {fastest:.3g} deg/s; if that is rad/s, give "
            "--gyro-unit rad/s"
        )
    for doubt in (*doubts, *_uneven(gestures)):
        file.doubt(f"{place}: {doubt}")
    return [
        Recording(
            samples=gesture,
            rate_hz=rate_hz,
            subject=keys.get("subject", given.subject or file.default_name),
            session=keys.get("session", file.default_name),
            source=file.name,
            segments=(Segment(0, len(gesture), activity),) if activity else (),
        )
        for gesture in samples
    ]


def _rate(file: OwnFile, stated_hz: float | None) -> float:
    given_hz = file.given.recorded_rate
    if given_hz is None and stated_hz is None:
        path = Path(file.tree.where) / file.name
        if len(file.tree.names) > 1 or not path.is_file():
            path = Path(file.tree.where)
        raise InputError(
            f"{file.place}: no time and no rate in it. A Nano 33 BLE Sense records at 119 Hz, its "
            f"Rev2 at 100: har data import arduino {shlex.quote(str(path))} --recorded-rate 119 "
            "--as gestures, then har train --data gestures; or write '# rate_hz: 119' above the "
            "header"
        )
    if given_hz is not None and stated_hz is not None and given_hz != stated_hz:
        raise InputError(
            f"{file.place}: --recorded-rate {given_hz:g}, but rate_hz in it says {stated_hz:g}; "
            "correct one of them"
        )
    rate_hz = stated_hz if given_hz is None else given_hz
    assert rate_hz is not None
    check_rate(rate_hz, file.place)
    return rate_hz


def _gestures(text: Delimited) -> list[tuple[int, list[list[float]]]]:
    """Line of the first sample, and samples, of what empty lines or headers keep apart."""
    rows = list(text.rows(blank=True))
    if not _is_header(text.header):
        rows.insert(0, (text.header_line, list(text.header)))
    gestures: list[tuple[int, list[list[float]]]] = []
    apart = True
    for line, cells in rows:
        if not cells or _is_header(cells):
            apart = True
            continue
        if apart:
            gestures.append((line, []))
        apart = False
        gestures[-1][1].append(
            [text.number(cell, line, column) for cell, column in zip(cells, COLUMNS, strict=True)]
        )
    samples = sum(len(each) for _, each in gestures)
    if samples < 2:
        raise InputError(f"{text.place}: {samples} samples; a recording needs at least two")
    return gestures


def _uneven(gestures: Sequence[tuple[int, list[list[float]]]]) -> list[str]:
    """A sketch records every gesture equally long: another length is a lost line, or two in one."""
    lengths = Counter(len(rows) for _, rows in gestures)
    (usual, count), *_ = lengths.most_common(1)
    odd = [(line, len(rows)) for line, rows in gestures if len(rows) != usual]
    if not odd or count < len(gestures) / 2:
        return []
    line, length = odd[0]
    return [
        f"most gestures have {usual} samples, but {len(odd)} have not (the one from line {line} on "
        f"has {length}): lines were lost, or an empty line between two"
    ]


FORM = Form(
    name="arduino",
    title="gestures recorded with an Arduino sketch",
    expects=f"a CSV file of an Arduino sketch ({','.join(COLUMNS)}; an empty line ends a gesture)",
    suffixes=(".csv", ".txt"),
    recognises=_recognises,
    read=_read,
    takes=("recorded_rate", "accel_unit", "gyro_unit", "subject", "activity"),
)

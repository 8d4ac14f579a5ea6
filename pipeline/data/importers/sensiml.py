"""SensiML's CSV files: `sequence` or `timestamp`, then AccelerometerX and so on, and labels in a
column `Label` or as segments of a .dcli file next to it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.data.csv_recording import MAX_NAME_LENGTH
from pipeline.data.delimited import header_of
from pipeline.data.importers.columns import LABELS, channel_of, check_label, read_table
from pipeline.data.importers.label_ranges import labels_of_ranges, parse_json
from pipeline.data.importers.own import Form, OwnFile
from pipeline.data.importers.tree import SEGMENTS, Tree
from pipeline.data.recording import Recording
from pipeline.data.timeline import (
    GAP_PERIODS_COUNTED,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    TIME_UNITS_S,
    Timeline,
    check_rate,
    read_timeline,
)
from pipeline.data.units import Values


def _recognises(name: str, head: bytes) -> bool:
    header = [each.lower() for each in header_of(head)]
    if not name.lower().endswith(".csv") or not any(map(channel_of, header)):
        return False
    theirs = any(each in LABELS or each == "accelerometerx" for each in header)
    return header[0] == "sequence" or (header[0] == "timestamp" and theirs)


def _read(file: OwnFile) -> Sequence[Recording]:
    subject, segments = _listed(file.tree).get(file.name, ("", []))

    def labels(n: int) -> list[str]:
        if segments:
            return labels_of_ranges(f"{file.place}, its {SEGMENTS} file", segments, n)
        return [check_label(file.given.activity, "--activity", "give another one")] * n

    return read_table(file, _timeline(file), labels, subject or file.given.subject)


def _timeline(file: OwnFile) -> Callable[[Values, Callable[[int], int], str], Timeline]:
    rate_hz = file.given.recorded_rate
    if rate_hz is not None:
        check_rate(rate_hz, f"{file.place}, --recorded-rate")

    def read(times: Values, line_of: Callable[[int], int], column: str) -> Timeline:
        unit, scale, gap_periods = "seconds", 1.0, {}
        if column.lower() == "sequence":
            if rate_hz is None:
                raise InputError(
                    f"{file.place}: {column} counts samples and no rate is in it; give "
                    "--recorded-rate HZ"
                )
            # It counts, so that a single number that is missing is a lost sample.
            scale, gap_periods = 1 / rate_hz, {"gap_periods": GAP_PERIODS_COUNTED}
        else:
            unit = _unit(times)
            scale = TIME_UNITS_S[unit]
        remedy = "give --recorded-rate {rate:.5g}"
        return read_timeline(
            times * scale,
            file.place,
            line_of,
            stated_hz=rate_hz,
            column=column,
            unit=unit,
            remedy=remedy,
            **gap_periods,
        )

    return read


def _unit(times: Values) -> str:
    """The only unit in which the times can be those of a body's motion."""
    steps = np.diff(times)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    for unit, size in TIME_UNITS_S.items():
        if 1 / MAX_RATE_HZ <= usual * size <= 1 / MIN_RATE_HZ:
            return unit
    return "milliseconds"


# ---- segments ------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=2)
def _listed(tree: Tree) -> dict[str, tuple[str, list[Any]]]:
    """Person and labelled ranges that the .dcli files have for each file, by its name."""
    found: dict[str, tuple[str, list[Any]]] = {}
    for name in tree.names:
        if not name.lower().endswith(SEGMENTS):
            continue
        place = tree.place(name)
        entries = parse_json(place, tree.read(name))
        if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
            raise InputError(f"{place}: no list of files in it; export it again")
        for entry in entries:
            own = str(entry.get("file_name"))
            path = (PurePosixPath(name).parent / own).as_posix()
            if path in found:
                raise InputError(f"{place}: {own[:60]!r} is listed twice; keep one")
            found[path] = _person(entry, place), _ranges(entry, place)
    return found


def _person(entry: dict[str, Any], place: str) -> str:
    for each in _dicts(entry.get("metadata", []), place, "metadata"):
        if str(each.get("name")).lower() == "subject":
            name = " ".join(str(each.get("value", "")).split())
            if len(name) > MAX_NAME_LENGTH or not name.isprintable():
                raise InputError(
                    f"{place}: a Subject of more than {MAX_NAME_LENGTH} printable characters"
                )
            return name
    return ""


def _ranges(entry: dict[str, Any], place: str) -> list[Any]:
    sessions = [
        each
        for each in _dicts(entry.get("sessions", []), place, "sessions")
        if each.get("segments")
    ]
    if len(sessions) > 1:
        names = ", ".join(repr(str(each.get("session_name"))[:30]) for each in sessions)
        raise InputError(f"{place}: several sessions label one file: {names}; keep one")
    return [
        {"startIndex": each.get("start"), "endIndex": each.get("end"), "label": each.get("value")}
        for session in sessions
        for each in _dicts(session["segments"], place, "segments")
    ]


def _dicts(value: object, place: str, what: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise InputError(f"{place}: its {what} are no list of names and values; export it again")
    return value


FORM = Form(
    name="sensiml",
    title="own recordings of SensiML",
    expects="CSV files of SensiML (sequence or timestamp, AccelerometerX, ..., Label)",
    suffixes=(".csv",),
    recognises=_recognises,
    read=_read,
    takes=("recorded_rate", "accel_unit", "gyro_unit", "subject", "activity"),
)

"""Edge Impulse's data acquisition format: JSON, CBOR, or CSV with a timestamp in ms.

The label is what the file's name begins with (`walking.1.json`), unless `structured_labels.labels`
next to it has ranges, or the `info.labels` of a studio's export says it.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.format import printable
from pipeline.data.csv_recording import MAX_NAME_LENGTH
from pipeline.data.delimited import MAX_NUMBER, header_of
from pipeline.data.importers.columns import (
    channel_of,
    check_label,
    find_channels,
    read_table,
    to_recordings,
)
from pipeline.data.importers.label_ranges import labels_of_ranges, parse_json, shown
from pipeline.data.importers.own import Form, OwnFile
from pipeline.data.importers.tree import LABEL_FILES, Tree
from pipeline.data.recording import Recording
from pipeline.data.timeline import RATE_TOLERANCE, Timeline, check_rate, read_timeline
from pipeline.data.units import Values

RANGES, INFO = LABEL_FILES
# The device type of what `har data export` writes: its device name is a person's.
OWN_DEVICE = "har data export"
MAX_DEPTH = 32
_REMEDY = "name the file ACTIVITY.NUMBER.json, or give --activity NAME"


def _recognises(name: str, head: bytes) -> bool:
    name = name.lower()
    if name.endswith(".csv"):
        header = header_of(head)
        return header[:1] in (("timestamp",), ("Timestamp",)) and any(map(channel_of, header))
    plain = head.replace(b"\0", b"")
    keys = (b'"payload"', b'"protected"', b'"interval_ms"')
    return name.endswith(".cbor") or (name.endswith(".json") and any(key in plain for key in keys))


def _read(file: OwnFile) -> Sequence[Recording]:
    if file.name.lower().endswith(".csv"):
        return read_table(file, _timeline(file), lambda n: _labels(file, n), file.given.subject)
    payload = _payload(file)
    sensors = payload["sensors"]
    if not isinstance(sensors, list) or not all(
        isinstance(each, dict) and isinstance(each.get("name"), str) for each in sensors
    ):
        raise InputError(f"{file.place}: its sensors are no list of names and units")
    names = [printable(each["name"]) for each in sensors]
    units = [each["units"] if isinstance(each.get("units"), str) else "" for each in sensors]
    columns = find_channels(file, names)
    rate_hz = _rate_hz(file, payload["interval_ms"])
    values = _values(file.place, payload["values"], names)[:, columns]
    return to_recordings(
        file,
        values,
        [units[at] for at in columns],
        Timeline(rate_hz, []),
        _labels(file, len(values)),
        _subject(file, payload),
    )


def _payload(file: OwnFile) -> dict[str, Any]:
    whole = (_cbor if file.name.lower().endswith(".cbor") else parse_json)(file.place, file.data)
    payload = whole.get("payload") if isinstance(whole, dict) else None
    if not isinstance(payload, dict):
        raise InputError(
            f"{file.place}: no payload in it, so it is no file of Edge Impulse's data acquisition; "
            "export it again"
        )
    missing = [key for key in ("interval_ms", "sensors", "values") if key not in payload]
    if missing:
        raise InputError(
            f"{file.place}: no {' and no '.join(missing)} in its payload, which Edge Impulse's "
            "data acquisition format has; export it again"
        )
    return payload


def _cbor(place: str, data: bytes) -> Any:
    import cbor2

    stream = io.BytesIO(data)
    try:
        # No tag means anything here, so that none makes the decoder work.
        whole = cbor2.load(
            stream, max_depth=MAX_DEPTH, semantic_decoders=dict.fromkeys(_TAGS, _refuse_tag)
        )
    except (cbor2.CBORError, ValueError, OverflowError, MemoryError, RecursionError) as error:
        reason = " ".join(str(error).split())[:100]
        at = f"byte {stream.tell()} of {len(data)}"
        raise InputError(
            f"{place}, {at}: damaged or cut short ({reason}); export it again"
        ) from None
    # Devices fill the last page of their flash.
    if data[stream.tell() :].strip(b"\xff\0"):
        raise InputError(f"{place}: more after its end, at byte {stream.tell()}; export it again")
    return whole


_TAGS = (*range(64), 100, 256, 258, 260, 261, 1004, 43000, 55799)


def _refuse_tag(*_: object) -> Any:
    raise ValueError("a tag, which this format does not have")


def _rate_hz(file: OwnFile, interval_ms: object) -> float:
    if not _is_number(interval_ms) or not interval_ms > 0:  # type: ignore[operator]
        raise InputError(
            f"{file.place}: interval_ms is {shown(interval_ms)}; it is the time in ms from one "
            "sample to the next"
        )
    interval = float(interval_ms)  # type: ignore[arg-type]
    # 15 digits: 1000 / (1000 / 119) is 119 again.
    rate_hz = float(f"{1000 / interval:.15g}")
    check_rate(rate_hz, f"{file.place}, interval_ms {interval:g}")
    stated = file.given.recorded_rate
    if stated is None:
        return rate_hz
    # Some devices round it to whole ms.
    if not stated > 0 or abs(1000 / stated - interval) > max(RATE_TOLERANCE * interval, 0.5):
        raise InputError(
            f"{file.place}: interval_ms {interval:g} is {rate_hz:g} Hz, but --recorded-rate says "
            f"{stated:g} Hz; leave that out, or correct the file"
        )
    return stated


def _values(place: str, rows: object, names: Sequence[str]) -> Values:
    """Values (n, len(names)), n >= 2."""
    if not isinstance(rows, list) or len(rows) < 2:
        count = len(rows) if isinstance(rows, list) else "no"
        raise InputError(f"{place}: {count} samples in its values; a recording needs at least two")
    for at, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            count = len(row) if isinstance(row, list) else "no row of"
            raise InputError(
                f"{place}, values[{at}]: {count} numbers; expected {len(names)}, one a sensor"
            )
        for name, value in zip(names, row, strict=True):
            if not _is_number(value):
                raise InputError(
                    f"{place}, values[{at}], {name}: {shown(value)} is no usable number; cut that "
                    "stretch out"
                )
    return np.array(rows, dtype=np.float64)


def _is_number(value: object) -> bool:
    """Whether it is one that can be right; nan is not."""
    return type(value) in (int, float) and abs(value) <= MAX_NUMBER  # type: ignore[arg-type]


def _subject(file: OwnFile, payload: dict[str, Any]) -> str:
    device = payload.get("device_name", "")
    if not isinstance(device, str) or len(device) > MAX_NAME_LENGTH or not device.isprintable():
        raise InputError(
            f"{file.place}: device_name is no text of up to {MAX_NAME_LENGTH} printable characters"
        )
    device = " ".join(device.split())
    if device and payload.get("device_type") == OWN_DEVICE:
        return device
    if device and not file.given.subject:
        file.doubt(
            f"{file.tree.where}: the files of the device {device} count as one person's, as they "
            "name nobody; give --subject NAME, for the files of each person alone"
        )
    return file.given.subject or device


def _timeline(file: OwnFile) -> Callable[[Values, Callable[[int], int], str], Timeline]:
    return lambda times, line_of, column: read_timeline(
        times * 1e-3,
        file.place,
        line_of,
        stated_hz=file.given.recorded_rate,
        column=column,
        unit="milliseconds",
        remedy="give --recorded-rate {rate:.5g}",
    )


# ---- labels --------------------------------------------------------------------------------------


def _labels(file: OwnFile, n: int) -> list[str]:
    """What each of n samples shows, "" for unknown."""
    found = _structured(file)
    where = f"{file.place}, {RANGES}"
    if found is None:
        found, where = _info(file), f"{file.place}, {INFO}"
    if found is None:
        stem = PurePosixPath(file.name).name.partition(".")[0]
        found, where = file.given.activity or stem, file.place
    if isinstance(found, str):
        return [check_label(found, where, _REMEDY)] * n
    return labels_of_ranges(where, found, n)


def _structured(file: OwnFile) -> Any:
    """The ranges that the folder's file has for this one; None where it has none."""
    path = PurePosixPath(file.name)
    name = (path.parent / RANGES).as_posix()
    content = _label_file(file.tree, name)
    if content is None:
        return None
    labels = content.get("structuredLabels")
    if not isinstance(labels, dict):
        raise InputError(f"{file.tree.place(name)}: no structuredLabels in it; export it again")
    return labels.get(path.name)


def _info(file: OwnFile) -> Any:
    """The label, or the ranges, that an export's list has for this file; None where it has none."""
    path = PurePosixPath(file.name)
    for folder in path.parents:
        listed = _listed(file.tree, (folder / INFO).as_posix())
        own = path.relative_to(folder).as_posix()
        if own in listed:
            return _entry(file, listed[own])
    return None


@functools.lru_cache(maxsize=8)
def _listed(tree: Tree, name: str) -> dict[str, Any]:
    """What an export's list says of each file, by its path from there."""
    content = _label_file(tree, name) or {"files": []}
    files = content.get("files")
    if not isinstance(files, list) or not all(isinstance(each, dict) for each in files):
        raise InputError(f"{tree.place(name)}: no list of files in it; export it again")
    return {str(each.get("path")): each.get("label") for each in files}


def _entry(file: OwnFile, label: object) -> Any:
    kind = label.get("type") if isinstance(label, dict) else None
    if kind == "unlabeled":
        return file.given.activity
    key = {"label": "label", "multi-label": "labels"}.get(str(kind), "")
    found = label.get(key) if isinstance(label, dict) else None
    if not isinstance(found, str if key == "label" else list):
        raise InputError(f"{file.place}, {INFO}: no label for it in a form that is known")
    return found


@functools.lru_cache(maxsize=8)
def _label_file(tree: Tree, name: str) -> dict[str, Any] | None:
    if name not in tree.names:
        return None
    content = parse_json(tree.place(name), tree.read(name))
    if not isinstance(content, dict):
        raise InputError(f"{tree.place(name)}: no labels in it; export it again")
    return content


FORM = Form(
    name="edge-impulse",
    title="own recordings of Edge Impulse",
    expects="JSON, CBOR or CSV files of Edge Impulse's data acquisition",
    suffixes=(".json", ".cbor", ".csv"),
    recognises=_recognises,
    read=_read,
    takes=("recorded_rate", "accel_unit", "gyro_unit", "subject", "activity"),
)

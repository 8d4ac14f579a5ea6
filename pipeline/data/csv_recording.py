"""Your own recordings, as CSV.

    # rate_hz: 50
    # subject: anna
    # session: anna/kitchen
    time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity
    0.00,0.01,-0.02,1.00,0.001,0.002,-0.001,walking

The comment lines are optional, others than these say nothing. An empty activity means unlabelled.
What `har record` writes (csv_writer.py) has `# lost_samples:` as well: there the time of every
sample is a multiple of the rate's, and a single missing one is a gap.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.plausibility import check_gravity, check_rotation, check_turning_gravity
from pipeline.data.recording import UNITS, Dataset, Recording, segments_of

T = TypeVar("T")

COLUMNS = ("time_s", "ax_g", "ay_g", "az_g", "gx_rads", "gy_rads", "gz_rads", "activity")
KEYS = ("rate_hz", "subject", "session", "lost_samples")
MAX_BYTES = 200_000_000
MAX_NAME_LENGTH = 64
MAX_NUMBER = 1e12
RATE_TOLERANCE = 0.05
# A step this many times the usual one is a gap; what is before and after it never shares a window.
GAP_PERIODS = 2.5
GAP_PERIODS_COUNTED = 1.5  # where lost samples were counted


class RecordingWarning(UserWarning):
    """The recording can be used, and its owner should know something about it."""


class FewActivitiesWarning(RecordingWarning):
    """It has one activity or none: no classifier can be trained on it alone."""


def with_doubts(read: Callable[[], T]) -> tuple[T, list[RecordingWarning]]:
    """Return what ``read`` returns and every RecordingWarning that it gave on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RecordingWarning)
        found = read()
    return found, [each.message for each in caught if isinstance(each.message, RecordingWarning)]


def read_csv(path: Path) -> Recording:
    """Read and check one recording.

    Subject and session default to the file's name, the rate to the measured one. A gap in time
    ends a segment, so that no window straddles it. A gap, a single activity or none at all give a
    RecordingWarning.

    Raises:
        InputError: a line, the time, the rate or a unit cannot be right; the message names the
            line and what to do.
        FileNotFoundError: no such file.
    """
    return _recording(path, _read_bytes(path))[0]


def read_pieces(path: PurePath, data: bytes, default_name: str) -> list[Recording]:
    """The recording in ``data``, a CSV file called ``path``, cut where time has a gap.

    ``default_name`` is subject and session where the file names none.

    Raises:
        InputError: as ``read_csv``.
    """
    recording, gaps = _recording(path, data, default_name)
    borders = [0, *gaps, len(recording.samples)]
    return [recording.part(start, stop) for start, stop in itertools.pairwise(borders)]


def read_csv_dataset(path: Path) -> Dataset:
    """A CSV recording, or a folder of them, as a Dataset; its activities in the order in which
    they first appear.

    Raises:
        InputError: as ``read_csv``; no CSV file in the folder, or several rates.
        FileNotFoundError: no such file.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no CSV file in this folder")
    contents = [_read_bytes(file) for file in files]
    recordings = [_recording(file, data)[0] for file, data in zip(files, contents, strict=True)]
    rates = sorted({recording.rate_hz for recording in recordings})
    if len(rates) > 1:
        raise InputError(
            f"{path}: recordings at {rates} Hz; `har data import csv {path}` brings them to one"
        )
    activities = tuple(
        dict.fromkeys(
            segment.activity for recording in recordings for segment in recording.segments
        )
    )
    if not activities:
        raise InputError(f"{path}: no sample has an activity; fill the last column")
    return Dataset(
        name=path.stem,
        title=f"own recording {path.name}",
        recordings=tuple(recordings),
        activities=activities,
        rate_hz=rates[0],
        units=UNITS,
        terms="your own recording",
        citation="",
        package="",
        version="",
        sha256=hashlib.sha256(b"".join(contents)).hexdigest(),
    )


@dataclass
class _Table:
    keys: dict[str, str] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    first_line: int = 0  # of the samples, counted from 1


def _read_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: longer than {MAX_BYTES} bytes; cut it into several recordings")
    return data


def _recording(path: PurePath, data: bytes, default_name: str = "") -> tuple[Recording, list[int]]:
    """The recording, and the indices of the samples that follow a gap."""
    table = _parse(path, data)
    time_s = np.array(table.times, dtype=np.float64)
    standing = np.flatnonzero(np.diff(time_s) <= 0)
    if len(standing):
        raise InputError(
            f"{path}, line {table.first_line + int(standing[0]) + 1}: time_s does not increase; "
            "sort the lines by time and drop repeated ones"
        )
    periods = GAP_PERIODS_COUNTED if "lost_samples" in table.keys else GAP_PERIODS
    rate_hz, gaps = _rate_and_gaps(path, time_s, table.keys.get("rate_hz"), periods)
    samples = np.array(table.values, dtype=np.float32)
    check_gravity([(samples, rate_hz)], str(path))
    check_rotation(samples, rate_hz, str(path))
    stretches = [(stretch, rate_hz) for stretch in np.split(samples, gaps)]
    _, doubts = check_turning_gravity(stretches, str(path))
    for doubt in doubts:
        _warn(path, doubt)
    names = {segment for segment in table.labels if segment}
    if gaps:
        warn = f"{len(gaps)} gaps in time, the first before line {table.first_line + gaps[0]}"
        _warn(path, f"{warn}; no window will straddle them")
    if len(names) < 2:
        few = f"only one activity, {min(names)}" if names else "no sample has an activity"
        _warn(path, few, FewActivitiesWarning)
    recording = Recording(
        samples=samples,
        rate_hz=rate_hz,
        subject=table.keys.get("subject", default_name or path.stem),
        session=table.keys.get("session", default_name or path.stem),
        source=path.name,
        segments=segments_of(table.labels, gaps),
    )
    return recording, gaps


def _warn(path: PurePath, message: str, kind: type[RecordingWarning] = RecordingWarning) -> None:
    warnings.warn(f"{path}: {message}", kind, stacklevel=4)


def _parse(path: PurePath, data: bytes) -> _Table:
    try:
        lines = data.decode("utf-8-sig").rstrip().split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, byte {error.start}: no UTF-8 text; save it as CSV") from None
    table = _Table()
    at = 0
    while at < len(lines) and (not lines[at].strip() or lines[at].lstrip().startswith("#")):
        _read_key(table.keys, lines[at], f"{path}, line {at + 1}")
        at += 1
    if at == len(lines):
        raise InputError(f"{path}: no header and no samples; begin with the line {_header()}")
    if tuple(name.strip() for name in lines[at].split(",")) != COLUMNS:
        shown = lines[at].strip()[:100]
        raise InputError(f"{path}, line {at + 1}: the header is {shown!r}; it must be {_header()}")
    table.first_line = at + 2
    for number, line in enumerate(lines[at + 1 :], start=table.first_line):
        _read_sample(table, line, f"{path}, line {number}")
    if len(table.times) < 2:
        raise InputError(f"{path}: {len(table.times)} samples; a recording needs at least two")
    return table


def _header() -> str:
    return ",".join(COLUMNS)


def _read_key(keys: dict[str, str], line: str, place: str) -> None:
    """Takes ``# key: value``; other comments and blank lines say nothing."""
    name, colon, value = (part.strip() for part in line.lstrip("# \t").partition(":"))
    if not colon or name not in KEYS:
        return
    if name in keys:
        raise InputError(f"{place}: {name} is given twice; keep one")
    if not value or len(value) > MAX_NAME_LENGTH or not value.isprintable():
        raise InputError(f"{place}: {name} needs 1 to {MAX_NAME_LENGTH} printable characters")
    keys[name] = value


def _read_sample(table: _Table, line: str, place: str) -> None:
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != len(COLUMNS):
        raise InputError(f"{place}: {len(cells)} columns; expected {len(COLUMNS)}: {_header()}")
    numbers = [
        _number(cell, f"{place}, column {name}")
        for name, cell in zip(COLUMNS, cells[:-1], strict=False)
    ]
    label = cells[-1]
    if len(label) > MAX_NAME_LENGTH or not label.isprintable():
        raise InputError(f"{place}: an activity has up to {MAX_NAME_LENGTH} printable characters")
    table.times.append(numbers[0])
    table.values.append(numbers[1:])
    table.labels.append(label)


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{place}: {text[:30]!r} is not a number") from None
    if not math.isfinite(value) or abs(value) > MAX_NUMBER:
        raise InputError(f"{place}: {text[:30]} is not a usable number; cut or repair that stretch")
    return value


def _rate_and_gaps(
    path: PurePath, time_s: npt.NDArray[np.float64], stated: str | None, gap_periods: float
) -> tuple[float, list[int]]:
    """The rate in Hz, and the indices of the samples that follow a gap."""
    steps = np.diff(time_s)
    usual = gap_periods * float(np.median(steps))
    measured = 1.0 / float(steps[steps <= usual].mean())
    gaps = (np.flatnonzero(steps > usual) + 1).tolist()
    if stated is None:
        return round(measured, 1) or measured, gaps
    try:
        rate_hz = float(stated)
    except ValueError:
        rate_hz = math.nan
    if not math.isfinite(rate_hz) or rate_hz <= 0:
        raise InputError(f"{path}: rate_hz {stated!r} is not a positive number")
    if abs(measured / rate_hz - 1.0) > RATE_TOLERANCE:
        raise InputError(
            f"{path}: rate_hz says {rate_hz:g} Hz but time_s says {measured:.4g} Hz; correct "
            "rate_hz, or resample the samples to that rate before they are read"
        )
    return rate_hz, gaps

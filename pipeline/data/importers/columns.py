"""Columns that are called after sensors: which are the six channels, in which units, and a CSV file
of them."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.format import printable
from pipeline.core.names import check_name
from pipeline.data.delimited import Delimited, read_delimited
from pipeline.data.importers.own import OwnFile
from pipeline.data.recording import CHANNELS, Recording, segments_of
from pipeline.data.timeline import Timeline, check_rate
from pipeline.data.units import ACCELERATION, ROTATION, Stated, Values, find_unit, to_samples

LABELS = ("label", "activity", "class")
# Edge Impulse's name for a stretch without a label.
UNLABELLED = ("", "unlabeled", "unlabelled")
_USUAL = dict(zip(CHANNELS, ("accX", "accY", "accZ", "gyrX", "gyrY", "gyrZ"), strict=True))
_CHANNEL = re.compile(
    r"(?:(?P<a>a|acc|accel|acceleration|accelerometer)"
    r"|g|gyr|gyro|gyroscope|rotation|rotationrate|angularrate|angularvelocity)(?P<axis>[xyz])"
)
_NO_UNIT = ("", "n/a", "na", "none", "-")


def channel_of(name: str) -> str:
    """Which of the six channels ``name`` (accX, "Gyroscope X", ax, ...) means; "" for none."""
    match = _CHANNEL.fullmatch(re.sub(r"[\s_.-]", "", name.lower()))
    return ("a" if match["a"] else "g") + match["axis"] if match else ""


def find_channels(file: OwnFile, names: Sequence[str]) -> list[int]:
    """Where the six channels are among the columns; what else is there is left out with a doubt.

    Raises:
        InputError: one is missing, or there twice.
    """
    found: dict[str, int] = {}
    rest = []
    for at, name in enumerate(names):
        channel = channel_of(name)
        if not channel:
            rest.append(name)
        elif channel in found:
            first = names[found[channel]]
            raise InputError(f"{file.place}: {first} and {name} are the same channel; keep one")
        else:
            found[channel] = at
    missing = [_USUAL[channel] for channel in CHANNELS if channel not in found]
    if missing:
        there = ", ".join(names)[:100] or "no sensors"
        raise InputError(
            f"{file.place}: no {', '.join(missing)} among {there}; an accelerometer and a "
            "gyroscope are needed, each with x, y and z"
        )
    if rest:
        file.doubt(f"{file.place}: left out: {', '.join(rest)[:100]}")
    return [found[channel] for channel in CHANNELS]


def stated_units(file: OwnFile, units: Sequence[str]) -> Stated:
    """What the file says of the six channels (``units``), or else the user.

    Raises:
        InputError: a unit that nobody knows, or several for one sensor.
    """
    acceleration = _unit(file, units[:3], ACCELERATION, "--accel-unit", file.given.accel_unit)
    return Stated(
        acceleration, _unit(file, units[3:], ROTATION, "--gyro-unit", file.given.gyro_unit)
    )


def _unit(
    file: OwnFile, texts: Sequence[str], units: dict[str, float], option: str, given: str
) -> str:
    there = dict.fromkeys(text for text in texts if text.strip().lower() not in _NO_UNIT)
    try:
        found = {find_unit(text, units) for text in there}
    except InputError as error:
        raise InputError(f"{file.place}: {error}; correct it in the file") from None
    if len(found) > 1:
        several = printable(" and ".join(there))
        raise InputError(f"{file.place}: {several} for one sensor; convert them to one")
    return found.pop() if found else find_unit(given, units, option) if given else ""


def check_label(label: str, where: str, remedy: str) -> str:
    """The label as it is used, "" for what means none. InputError for no activity's name."""
    label = unicodedata.normalize("NFC", label.strip())
    if label.lower() in UNLABELLED:
        return ""
    try:
        check_name(label)
    except InputError as error:
        raise InputError(f"{where}: {error}; {remedy}") from None
    return label


def to_recordings(
    file: OwnFile,
    values: Values,
    units: Sequence[str],
    line: Timeline,
    labels: Sequence[str],
    subject: str,
) -> list[Recording]:
    """Values (n, 6) of the six channels in ``units`` -> recordings, cut at the gaps of ``line``.

    Raises:
        InputError: as `to_samples`.
    """
    stated = stated_units(file, units)
    try:
        stretches, doubts = to_samples(
            np.split(values, line.gaps), line.rate_hz, stated, file.place
        )
    except InputError as error:
        if (values == np.round(values)).all():
            raise InputError(
                f"{error} (whole numbers alone are a sensor's raw counts: divide them by the "
                "counts of 1 g, and of 1 deg/s, first)"
            ) from None
        raise
    for doubt in (*line.doubts, *doubts):
        file.doubt(f"{file.place}: {doubt}")
    if not any(labels):
        file.doubt(f"{file.place}: nothing says what is done in it; give --activity NAME")
    recording = Recording(
        samples=np.concatenate(stretches),
        rate_hz=line.rate_hz,
        subject=subject or file.default_name,
        session=file.default_name,
        source=file.name,
        segments=segments_of(labels, line.gaps),
    )
    borders = [0, *line.gaps, len(values)]
    return [recording.part(start, stop) for start, stop in itertools.pairwise(borders)]


def read_table(
    file: OwnFile,
    timeline: Callable[[Values, Callable[[int], int], str], Timeline],
    labels: Callable[[int], list[str]],
    subject: str = "",
) -> list[Recording]:
    """A CSV file whose first column counts or times the samples of the others.

    ``timeline`` takes that column, the line of a sample's index, and the column's name; ``labels``
    gives those of n samples where no column has them.

    Raises:
        InputError: no such file, or a cell that cannot be right.
    """
    table = read_delimited(file.place, file.data)
    header = [printable(name) for name in table.header]
    at = next((i for i, name in enumerate(header) if name.lower() in LABELS), None)
    used = [i for i in range(1, len(header)) if i != at]
    columns = [used[i] for i in find_channels(file, [header[i] for i in used])]
    numbers, lines, found = _cells(table, [0, *columns], at)
    if len(numbers) < 2:
        raise InputError(f"{file.place}: {len(numbers)} samples; a recording needs at least two")
    values = np.array(numbers, dtype=np.float64)
    line = timeline(values[:, 0], lines.__getitem__, header[0])
    check_rate(line.rate_hz, file.place)
    if line.gaps:
        file.doubt(
            f"{file.place}: {len(line.gaps)} gaps in {header[0]}, the first before line "
            f"{lines[line.gaps[0]]}; no window will straddle them"
        )
    names = labels(len(values)) if at is None else found
    return to_recordings(file, values[:, 1:], [""] * 6, line, names, subject)


def _cells(
    table: Delimited, columns: Sequence[int], label_at: int | None
) -> tuple[list[list[float]], list[int], list[str]]:
    """Numbers of the ``columns`` (n, k), lines (n,) and labels (n,) of the samples."""
    header = [printable(name) for name in table.header]
    numbers, lines, labels = [], [], []
    known: dict[str, str] = {}
    for line, cells in table.rows():
        numbers.append([table.number(cells[at], line, header[at]) for at in columns])
        lines.append(line)
        label = "" if label_at is None else cells[label_at]
        if label not in known:
            remedy = "leave the cell empty where nobody knows"
            known[label] = check_label(label, f"{table.place}, line {line}", remedy)
        labels.append(known[label])
    return numbers, lines, labels

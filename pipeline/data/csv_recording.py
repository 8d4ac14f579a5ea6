"""Your own recordings, as CSV.

    # rate_hz: 50
    # subject: anna
    # session: anna/kitchen
    time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity
    0.00,0.01,-0.02,1.00,0.001,0.002,-0.001,walking

The comment lines are optional, others than these say nothing. An empty activity means unlabelled.
A column ``placement`` may say where it was worn: the same in every line, since a file is one place.
What `har record` writes (csv_writer.py) has `# lost_samples:` as well: there the time of every
sample is a multiple of the rate's, and a single missing one is a gap.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.names import check_name
from pipeline.data.delimited import Delimited, read_delimited
from pipeline.data.placement import check_placement, join_placements
from pipeline.data.plausibility import check_samples
from pipeline.data.recording import UNITS, Dataset, Recording, segments_of
from pipeline.data.timeline import GAP_PERIODS, GAP_PERIODS_COUNTED, read_timeline
from pipeline.data.vocabulary import refuse_twins

COLUMNS = ("time_s", "ax_g", "ay_g", "az_g", "gx_rads", "gy_rads", "gz_rads", "activity")
HEADER = ",".join(COLUMNS)
PLACEMENT = "placement"
KEYS = ("rate_hz", "subject", "session", "lost_samples")
_KEY = re.compile(r"[#\s]*(\w+)\s*[:=](.*)", re.DOTALL)
MAX_BYTES = 200_000_000
MAX_NAME_LENGTH = 64

Doubt = Callable[[str], None]
"""Takes one line that the owner of a recording should read; the recording can be used."""


def read_csv(path: Path, doubt: Doubt = lambda _: None) -> Recording:
    """Read and check one recording.

    Subject and session default to the file's name, the rate to the measured one. A gap in time
    ends a segment, so that no window straddles it.

    Raises:
        InputError: a line, the time, the rate, a name or a unit cannot be right; the message names
            the line and what to do.
        FileNotFoundError: no such file.
    """
    return _recording(path, read_bytes(path), doubt)[0]


def read_pieces(
    path: PurePath,
    data: bytes,
    default_name: str,
    doubt: Doubt = lambda _: None,
    *,
    subject: str = "",
) -> list[Recording]:
    """The recording in ``data``, a CSV file called ``path``, cut where time has a gap.

    ``default_name`` is session where the file names none, and subject where ``subject`` is "".

    Raises:
        InputError: as ``read_csv``.
    """
    recording, gaps = _recording(path, data, doubt, default_name, subject)
    borders = [0, *gaps, len(recording.samples)]
    return [recording.part(start, stop) for start, stop in itertools.pairwise(borders)]


def read_csv_dataset(path: Path, doubt: Doubt = lambda _: None) -> Dataset:
    """A CSV recording, or a folder of them, as a Dataset; its activities in the order in which
    they first appear.

    Raises:
        InputError: as ``read_csv``; no CSV file in the folder, several rates, or two names that
            are one.
        FileNotFoundError: no such file.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: no CSV file in this folder")
    contents = [read_bytes(file) for file in files]
    recordings = [
        _recording(file, data, doubt)[0] for file, data in zip(files, contents, strict=True)
    ]
    rates = sorted({recording.rate_hz for recording in recordings})
    if len(rates) > 1:
        raise InputError(
            f"{path}: recordings at {rates} Hz; `har data import csv {path}` brings them to one"
        )
    activities = tuple(dict.fromkeys(s.activity for r in recordings for s in r.segments))
    refuse_twins((r.subject for r in recordings), str(path), "subject")
    refuse_twins(activities, str(path), "activity")
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
        placement=join_placements(recording.placement for recording in recordings),
    )


def read_bytes(path: Path) -> bytes:
    """The content of a file. InputError where it is longer than a recording may be."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: longer than {MAX_BYTES} bytes; cut it into several recordings")
    return data


def _recording(
    path: PurePath, data: bytes, doubt: Doubt, default_name: str = "", subject: str = ""
) -> tuple[Recording, list[int]]:
    """The recording, and the indices of the samples that follow a gap."""
    where = str(path)
    file = read_delimited(where, data)
    keys = comment_keys(file)
    names = [name.lower() for name in file.header]
    if sorted(names) not in (sorted(COLUMNS), sorted((*COLUMNS, PLACEMENT))):
        shown = ",".join(file.header)[:100]
        raise InputError(
            f"{where}, line {file.header_line}: the header is {shown!r}; it must be {HEADER}, or "
            "`har data import` reads it (`har data import --help` lists the forms)"
        )
    times, values, labels = _samples(file)
    _refuse_repeated(file, times, values)
    if len(times) < 2:
        raise InputError(f"{where}: {len(times)} samples; a recording needs at least two")
    line = read_timeline(
        np.array(times, dtype=np.float64),
        where,
        lambda index: file.header_line + 1 + index,
        stated_hz=stated_rate(where, keys.get("rate_hz")),
        gap_periods=GAP_PERIODS_COUNTED if "lost_samples" in keys else GAP_PERIODS,
    )
    samples = np.array(values, dtype=np.float32)
    for text in (*line.doubts, *check_samples(samples, line.rate_hz, line.gaps, where)):
        doubt(f"{where}: {text}")
    if line.gaps:
        first = file.header_line + 1 + line.gaps[0]
        doubt(
            f"{where}: {len(line.gaps)} gaps in time, the first before line {first}; no window "
            "will straddle them"
        )
    recording = Recording(
        samples=samples,
        rate_hz=line.rate_hz,
        subject=keys.get("subject", subject or default_name or path.stem),
        session=keys.get("session", default_name or path.stem),
        source=f"{default_name}{path.suffix}" if default_name else path.name,
        segments=segments_of(labels, line.gaps),
        placement=_placement(file),
    )
    return recording, line.gaps


def comment_keys(file: Delimited) -> dict[str, str]:
    """``# key: value`` (or =) of the comments, with a key of ``KEYS``; others say nothing."""
    keys: dict[str, str] = {}
    for line, text in file.comments:
        match = _KEY.match(text)
        name = match[1].lower() if match else ""
        if not match or name not in KEYS:
            continue
        where = f"{file.place}, line {line}"
        if name in keys:
            raise InputError(f"{where}: {name} is given twice; keep one")
        keys[name] = check_field(match[2], f"{where}: {name}")
    return keys


def check_field(text: str, what: str) -> str:
    """Who or what a recording is of, as it is used. InputError for what can be no name."""
    text = unicodedata.normalize("NFC", text.strip())
    if not text or len(text) > MAX_NAME_LENGTH or not text.isprintable():
        raise InputError(f"{what} needs 1 to {MAX_NAME_LENGTH} printable characters")
    return " ".join(text.split())


def _samples(file: Delimited) -> tuple[list[float], list[list[float]], list[str]]:
    """Times in s (n,), values (n, 6) and labels (n,)."""
    times, values, labels = [], [], []
    known: dict[str, str] = {"": ""}
    names = [name.lower() for name in file.header]
    places = [names.index(name) for name in COLUMNS]
    for line, found in file.rows():
        cells = [found[place] for place in places]
        numbers = [
            file.number(cell, line, name) for name, cell in zip(COLUMNS, cells[:-1], strict=False)
        ]
        if cells[-1] not in known:
            label = unicodedata.normalize("NFC", cells[-1])
            try:
                check_name(label)
            except InputError as error:
                raise InputError(
                    f"{file.place}, line {line}: {error}; leave the cell empty where nobody knows"
                ) from None
            known[cells[-1]] = label
        times.append(numbers[0])
        values.append(numbers[1:])
        labels.append(known[cells[-1]])
    return times, values, labels


def _placement(file: Delimited) -> str:
    """What the column says, if there is one."""
    names = [name.lower() for name in file.header]
    if PLACEMENT not in names:
        return ""
    at = names.index(PLACEMENT)
    found: dict[str, str] = {}
    for line, cells in file.rows():
        if cells[at] in found:
            continue
        try:
            placement = check_placement(cells[at])
        except InputError as error:
            raise InputError(
                f"{file.place}, line {line}: {error}; leave the column out where nobody knows"
            ) from None
        found[cells[at]] = placement
        first = next(iter(found.values()))
        if placement != first:
            raise InputError(
                f"{file.place}, line {line}: {PLACEMENT} {placement!r} after {first!r}; a "
                "recording has one, in every line: cut the file in two"
            )
    return next(iter(found.values()), "")


def _refuse_repeated(
    file: Delimited, times: Sequence[float], values: Sequence[Sequence[float]]
) -> None:
    rows = list(zip(times, values, strict=True))
    again = [at for at in range(1, len(rows)) if rows[at] == rows[at - 1]]
    if again:
        raise InputError(
            f"{file.place}, line {file.header_line + 1 + again[0]}: the same line again, as "
            f"{len(again)} of {len(rows)} are: time_s does not increase; drop the repeated ones"
        )


def stated_rate(where: str, text: str | None) -> float | None:
    """The rate in Hz that ``# rate_hz`` states; InputError for what can be none."""
    if text is None:
        return None
    try:
        rate_hz = float(text)
    except ValueError:
        rate_hz = math.nan
    if not math.isfinite(rate_hz) or rate_hz <= 0:
        raise InputError(f"{where}: rate_hz {text!r} is not a positive number")
    return rate_hz

"""Writes a recording as CSV while it goes, in the form that csv_recording.py reads.

Whatever ends it, Ctrl-C or a full disk in the middle of a line, what is kept is whole lines.
"""

from __future__ import annotations

import itertools
import logging
import re
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from io import FileIO
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.files import try_lock
from pipeline.data.csv_recording import COLUMNS, MAX_NAME_LENGTH, PLACEMENT
from pipeline.data.recording import CHANNELS

# Known only when all is over: written over in place, which needs no room on the disk.
LATE_KEYS = ("sensor_rate_hz", "lost_samples")
LATE_CHARACTERS = 12
SLUG_CHARACTERS = 40
PART = ".part"

_HEADER = re.compile(rf"{','.join(COLUMNS)}(,{PLACEMENT})?\n".encode())

_LOG = logging.getLogger(__name__)


def recording_path(folder: Path, activity: str, when: datetime) -> Path:
    """`folder/walking-20260131-120000.csv`: letters, digits and dashes; any name is safe."""
    return folder / f"{file_slug(activity) or 'activity'}-{when:%Y%m%d-%H%M%S}.csv"


def file_slug(text: str) -> str:
    """Letters a to z, digits and dashes of ``text``; "" where it has none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_CHARACTERS].strip("-")


def check_field(what: str, text: str, *, longest: int = MAX_NAME_LENGTH) -> str:
    """`text` without the spaces around it. Raises InputError for what no line of CSV can hold."""
    text = text.strip()
    if not 1 <= len(text) <= longest or not text.isprintable() or "," in text:
        raise InputError(
            f"{what} {text!r}: give 1 to {longest} printable characters without a comma"
        )
    return text


def rescue_recordings(folder: Path) -> list[Path]:
    """Give what killed recordings left in ``folder`` its name, cut at the last whole line, and say
    so. Returns the paths; one without a sample is removed. Raises OSError."""
    rescued = []
    for part in sorted(folder.glob(f"*.csv{PART}")):
        with part.open("r+b") as file:
            data = file.read()
            header = _HEADER.search(data)
            if not try_lock(file) or not data.startswith(b"# rate_hz: "):
                continue  # still being written, or somebody else's
            body = data[header.end() :] if header else b""
            end = body.rfind(b"\n") + 1
            file.truncate(len(data) - len(body) + end)
            if not end:
                part.unlink()
                continue
            path = next(name for name in _names(part.with_suffix("")) if not name.exists())
            part.rename(path)
        _LOG.warning(
            "%s: kept %d samples of a recording that was interrupted", path, body.count(b"\n")
        )
        rescued.append(path)
    return rescued


def float_text(value: np.float32) -> str:
    """The shortest decimal that gives the same float32 back, also when it is read as a float64."""
    text = str(value)
    return text if np.float32(float(text)) == value else repr(float(value))


class CsvWriter:
    """One recording of one activity; `path` is where it ends up.

    Until `close` the file is `NAME.part` in the same folder. Nothing is ever overwritten: a name
    that is taken gets a number. `keys` go into the header with `rate_hz` and the late keys;
    `placement` gets a column where it is known. Every `write` is on its way to the disk before it
    returns.

    Raises InputError for a key, an activity or a placement that no line can hold, OSError as the
    disk does.
    """

    def __init__(
        self,
        path: Path,
        activity: str,
        *,
        rate_hz: float,
        keys: Mapping[str, str],
        placement: str = "",
    ) -> None:
        self.activity = check_field("activity", activity)
        self.rate_hz = rate_hz
        columns, self._words = list(COLUMNS), self.activity
        if placement:
            columns.append(PLACEMENT)
            self._words += f",{check_field(PLACEMENT, placement)}"
        self._late: dict[str, int] = {}  # where their values stand
        lines = [f"# rate_hz: {rate_hz:g}\n"]
        lines += [f"# {key}: {check_field(key, value)}\n" for key, value in keys.items()]
        header = "".join(lines)
        for key in LATE_KEYS:
            header += f"# {key}: "
            self._late[key] = len(header.encode())
            header += f"{'unknown' if key != 'lost_samples' else '0':<{LATE_CHARACTERS}}\n"
        header += ",".join(columns) + "\n"
        self._header_bytes = len(header.encode())
        self.path, self._part, self._file = _begin(path)
        try:
            self._write(header)
        except BaseException:
            self._file.close()
            self._part.unlink()
            raise

    def write(self, first: int, samples: npt.NDArray[np.float32]) -> None:
        """Appends samples (n, 6) float32 [g, rad/s]; `first` is the number of the first one since
        the recording began, counting those that were lost. Raises OSError: disk full, gone."""
        if samples.dtype != np.float32 or samples.ndim != 2 or samples.shape[1] != len(CHANNELS):
            raise ValueError(f"samples are float32 (n, 6), not {samples.dtype} {samples.shape}")
        lines = []
        for number, sample in enumerate(samples, start=first):
            time_s = round(number / self.rate_hz, 6)
            lines.append(f"{time_s},{','.join(map(float_text, sample))},{self._words}\n")
        self._write("".join(lines))

    def set_late(self, key: str, value: str) -> None:
        """Fills in what was not known at the beginning. Raises OSError."""
        self._file.seek(self._late[key])
        self._file.write(f"{value:<{LATE_CHARACTERS}}"[:LATE_CHARACTERS].encode())
        self._file.seek(0, 2)

    def close(self) -> int:
        """Ends the file at its last whole line and gives it its name; how many samples it holds.
        With none there is no file."""
        kept = self._cut()
        self._file.close()
        if kept:
            self._part.rename(self.path)
        else:
            self._part.unlink()
        return kept

    def _write(self, text: str) -> None:
        data = memoryview(text.encode())
        while data:  # a disk that fills up takes a part first
            data = data[self._file.write(data) or 0 :]

    def _cut(self) -> int:
        self._file.seek(self._header_bytes)
        body = self._file.readall()
        end = body.rfind(b"\n") + 1
        self._file.truncate(self._header_bytes + end)
        return body.count(b"\n", 0, end)


def _begin(path: Path) -> tuple[Path, Path, FileIO]:
    """The first free name, its temporary twin, and that one open."""
    for name in _names(path):
        part = name.with_name(name.name + PART)
        if name.exists():
            continue
        with suppress(FileExistsError):
            file = FileIO(part, "x+b")
            try_lock(file)  # so that `rescue_recordings` of another process leaves it alone
            return name, part, file
    raise AssertionError("names never end")


def _names(path: Path) -> Iterator[Path]:
    """`walking.csv`, `walking-2.csv`, ..."""
    yield path
    yield from (path.with_stem(f"{path.stem}-{number}") for number in itertools.count(2))

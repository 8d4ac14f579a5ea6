"""What an importer is: its data set in advance, the files that it is given in a folder or a zip
(read one by one, never extracted), and what it found there."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.data.archives import ZIP_ERRORS
from pipeline.data.placement import check_placement
from pipeline.data.recording import Recording
from pipeline.data.vocabulary import canonical

MAX_FILES = 100_000
MAX_NUMBER = 1e9
MAX_DEPTH = 8
MAX_FILE_BYTES = 700_000_000
MAX_TOTAL_BYTES = 8_000_000_000
MAX_INNER_ZIP_BYTES = 2_000_000_000
# What Edge Impulse keeps labels in, next to the files that they are of.
LABEL_FILES = ("structured_labels.labels", "info.labels")
# How the names of SensiML's files of labels end.
SEGMENTS = ".dcli"
_CHUNK = 1 << 20


class Tree:
    """Files by their names relative to the data's root, with ``/`` between the parts.

    Whatever is read is bounded in size, and hashed: ``sha256`` afterwards is the same for a folder
    and for a zip of it. ``left_out`` is what lies there and is no file to read, a line for each.
    """

    def __init__(
        self,
        where: str,
        names: dict[str, str],
        opener: Callable[[str], IO[bytes]],
        left_out: Sequence[str] = (),
    ) -> None:
        self.where = where
        self.left_out = tuple(left_out)
        self.names = tuple(sorted(names))
        self._paths = names
        self._open = opener
        self._hashes: dict[str, str] = {}
        self._total = 0

    def place(self, name: str) -> str:
        """How messages call a file."""
        return f"{self.where}, {name}" if name != self.where else name

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """The bytes of a file, at most ``limit`` of them.

        Raises:
            InputError: no such file, damaged, or longer.
        """
        if name not in self._paths:
            raise InputError(f"{self.place(name)}: no such file; the copy is not complete")
        if not is_utf8(self.place(name)):
            raise InputError(f"{self.place(name)!r}: a name that is no UTF-8; rename it")
        data = io.BytesIO()
        try:
            with self._open(self._paths[name]) as stream:
                while chunk := stream.read(_CHUNK):
                    data.write(chunk)
                    self._total += len(chunk)
                    if data.tell() > limit or self._total > MAX_TOTAL_BYTES:
                        raise InputError(f"{self.place(name)}: longer than any file of this data")
        except PermissionError:
            raise
        except ZIP_ERRORS as error:
            raise InputError(
                f"{self.place(name)}: damaged or cut short ({error}); download it again"
            ) from error
        content = data.getvalue()
        self._hashes[name] = hashlib.sha256(content).hexdigest()
        return content

    def text(self, name: str, limit: int = MAX_FILE_BYTES) -> str:
        """The same as text; InputError for bytes that are none."""
        try:
            return self.read(name, limit).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{self.place(name)}, byte {error.start}: no text") from None

    def table(
        self,
        name: str,
        columns: int,
        *,
        use: Sequence[int] | None = None,
        delimiter: str | None = None,
        header: bool = False,
    ) -> npt.NDArray[np.float64]:
        """A file of numbers as (n, len(use) or columns); nan and inf are let through.

        Raises:
            InputError: empty, another number of columns, a word where a number belongs, or a number
                beyond float32.
        """
        data = self.read(name)
        lines = data.split(b"\n", 2)
        first = lines[1] if header and len(lines) > 1 else b"" if header else lines[0]
        separator = delimiter.encode() if delimiter else None
        found = len(first.strip().split(separator)) if first.strip() else 0
        if found != columns:
            raise InputError(
                f"{self.place(name)}, line {1 + header}: {found} columns; expected {columns}"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                table: npt.NDArray[np.float64] = np.loadtxt(
                    io.BytesIO(data),
                    dtype=np.float64,
                    comments=None,
                    delimiter=delimiter,
                    skiprows=int(header),
                    usecols=list(range(columns)) if use is None else use,
                    ndmin=2,
                )
        except (ValueError, UserWarning) as error:
            raise InputError(f"{self.place(name)}: {' '.join(str(error).split())[:200]}") from error
        if (np.abs(table[np.isfinite(table)]) > np.finfo(np.float32).max).any():
            raise InputError(f"{self.place(name)}: a number beyond float32; download it again")
        return table

    def numbers(self, name: str, columns: int) -> npt.NDArray[np.int64]:
        """A file of whole numbers as (n, columns); InputError for anything else."""
        table = self.table(name, columns)
        if not (np.abs(table) < MAX_NUMBER).all() or (table != np.floor(table)).any():
            raise InputError(f"{self.place(name)}: not all are whole numbers")
        return table.astype(np.int64)

    def sha256(self) -> str:
        """Over the names and hashes of everything that was read."""
        lines = "".join(f"{digest} {name}\n" for name, digest in sorted(self._hashes.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


@contextlib.contextmanager
def open_tree(
    path: Path, anchor: re.Pattern[str], expects: str, *, zips: bool = False
) -> Iterator[Tree]:
    """The data below ``path``: a folder, a zip, a zip inside that zip, or one file.

    ``anchor`` matches what only this data has; what stands before the match is the root. With
    ``zips``, a zip in a folder is like a folder of its name, unless that is there.

    Raises:
        InputError: nothing there, no readable zip, the data is not in it, or several times.
    """
    if path.is_dir():
        names, left_out = _walk(path)
        inside: dict[str, tuple[Path, str]] = {}
        if zips:
            inside, unopened = _in_zips(path, _visible(names))
            left_out += unopened
            names = [name for name in names if not name.lower().endswith(".zip")]

        def opener(name: str) -> IO[bytes]:
            if name in inside:
                archive, member = inside[name]
                return zipfile.ZipFile(archive).open(member)
            return (path / name).open("rb")

        yield _rooted(str(path), [*names, *inside], anchor, expects, opener, left_out)
        return
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: no regular file; write what it gives into one first")
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
        except FileNotFoundError:
            raise InputError(f"{path}: no such file or folder") from None
        magic = file.read(4)
        if magic[:2] == b"\x1f\x8b":
            raise InputError(f"{path}: a gzip archive; unpack it and give the folder")
        if magic[:2] != b"PK" and path.suffix.lower() != ".zip":
            if not anchor.search(path.name):
                raise InputError(f"{path}: not the data that is expected here: {expects}")
            folder = path.parent
            # What labels the file is no file of its own.
            labels: list[str] = []
            with contextlib.suppress(OSError):  # a folder that may be entered, but not listed
                labels = [each.name for each in folder.iterdir() if _labels_others(each)]
            names = [path.name, *(each for each in labels if each != path.name)]
            yield _rooted(
                str(folder), names, anchor, expects, lambda name: (folder / name).open("rb")
            )
            return
        archive = _zip(stack, file, str(path))
        where, names = str(path), _members(archive, str(path))
        inner = [name for name in names if name.lower().endswith(".zip")]
        if not any(anchor.search(name) for name in names) and len(inner) == 1:
            where = f"{path}, {inner[0]}"
            archive = _zip(stack, _unwrapped(stack, archive, inner[0], where), where)
            names = _members(archive, where)
        yield _rooted(where, names, anchor, expects, archive.open)


def _labels_others(path: Path) -> bool:
    return (path.name in LABEL_FILES or path.suffix.lower() == SEGMENTS) and path.is_file()


def _walk(root: Path) -> tuple[list[str], list[str]]:
    """Names of the files below a folder, without following links to folders, and a line for each
    entry that is not looked into."""
    names: list[str] = []
    left_out: list[str] = []
    pending = [(root, 0)]
    while pending:
        folder, depth = pending.pop()
        for entry in sorted(folder.iterdir()):
            name = entry.relative_to(root).as_posix()
            why = ""
            if entry.is_dir() and not entry.is_symlink():
                if depth < MAX_DEPTH:
                    pending.append((entry, depth + 1))
                else:
                    why = f"deeper than {MAX_DEPTH} folders; name its own folder"
            elif entry.is_file():
                names.append(name)
            elif entry.is_dir():
                why = "a link to a folder; put the folder itself there"
            else:
                why = "a link to nothing" if entry.is_symlink() else "no regular file"
            if why and _visible([name]):
                left_out.append(f"{root}, {name}: left out, {why}")
            if len(names) > MAX_FILES:
                raise InputError(f"{root}: more than {MAX_FILES} files; name the data's own folder")
    return names, left_out


def _visible(names: Iterable[str]) -> list[str]:
    """Without what is hidden, and without what macOS adds."""
    return [
        name
        for name in names
        if not any(
            part == "__MACOSX" or (part.startswith(".") and part.strip("."))
            for part in name.split("/")
        )
    ]


def _plain(name: str) -> str:
    """The name of a file in a zip without the ./ and the \\ that some programs write."""
    return PurePosixPath(name.replace("\\", "/")).as_posix()


def is_utf8(text: str) -> bool:
    """Whether the text of a name can be written down; a file system may have any bytes there."""
    return text.encode(errors="ignore").decode() == text


def _in_zips(root: Path, names: Sequence[str]) -> tuple[dict[str, tuple[Path, str]], list[str]]:
    """The members of the zips among ``names``, as if unpacked: name -> (zip, member). And a line
    for each zip whose folder is there and lacks some of them."""
    found: dict[str, tuple[Path, str]] = {}
    left_out: list[str] = []
    folders, there = {name.rpartition("/")[0] for name in names}, set(names)
    for name in names:
        folder, suffix = name[:-4], name[-4:].lower()
        if suffix != ".zip":
            continue
        with contextlib.ExitStack() as stack:
            file = stack.enter_context((root / name).open("rb"))
            members = _members(_zip(stack, file, str(root / name)), str(root / name))
        inside = {f"{folder}/{member}": (root / name, member) for member in members}
        if not any(f"{each}/".startswith(f"{folder}/") for each in folders):
            found |= inside
        elif lacking := [each for each in _visible(map(_plain, inside)) if each not in there]:
            left_out.append(
                f"{root}, {name}: left out, as its folder is there, which has no "
                f"{lacking[0].removeprefix(f'{folder}/')}; take one of the two away"
            )
        if len(found) > MAX_FILES:
            raise InputError(f"{root}: more than {MAX_FILES} files; name the data's own folder")
    return found, left_out


def _zip(stack: contextlib.ExitStack, file: IO[bytes], where: str) -> zipfile.ZipFile:
    try:
        return stack.enter_context(zipfile.ZipFile(file))
    except ZIP_ERRORS as error:
        raise InputError(
            f"{where}: no readable zip, perhaps cut short ({error}); download it again"
        ) from error


def _members(archive: zipfile.ZipFile, where: str) -> list[str]:
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if len(names) > MAX_FILES:
        raise InputError(f"{where}: more than {MAX_FILES} files")
    if "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= set(names):
        raise InputError(f"{where}: a spreadsheet or another office file; save it as CSV (UTF-8)")
    twice = [name for name, count in Counter(map(_plain, names)).items() if count > 1]
    if twice:
        raise InputError(f"{where}: several files called {twice[0]} in it; zip them again")
    return names


def _unwrapped(
    stack: contextlib.ExitStack, archive: zipfile.ZipFile, name: str, where: str
) -> IO[bytes]:
    """A zip inside a zip, in an unnamed temporary file: a zip must be read from its end."""
    file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    try:
        with archive.open(name) as stream:
            while chunk := stream.read(_CHUNK):
                if file.tell() > MAX_INNER_ZIP_BYTES:
                    raise InputError(f"{where}: longer than {MAX_INNER_ZIP_BYTES} bytes")
                file.write(chunk)
    except ZIP_ERRORS as error:
        raise InputError(f"{where}: damaged or cut short ({error}); download it again") from error
    file.seek(0)
    return file


def _rooted(
    where: str,
    names: Sequence[str],
    anchor: re.Pattern[str],
    expects: str,
    opener: Callable[[str], Any],
    left_out: Sequence[str] = (),
) -> Tree:
    plain = {_plain(name): name for name in names}
    kept = _visible(plain)
    roots = {name[: match.start()] for name in kept if (match := anchor.search(name))}
    if not roots:
        raise InputError(f"{where}: not the data that is expected here: {expects}")
    if len(roots) > 1:
        raise InputError(f"{where}: several copies, {', '.join(sorted(roots)[:3])}; name one")
    (root,) = roots
    inside = {name.removeprefix(root): plain[name] for name in kept if name.startswith(root)}
    return Tree(f"{where}/{root.rstrip('/')}" if root else where, inside, opener, left_out)


# ---- importer ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """What the user stated about the copy: ``unit`` is the one of ``Importer.units`` to take; the
    others are what a file of one's own may leave open: the rate in Hz at which it was recorded, the
    units of its two sensors, who is in it, what that person does and where it was worn."""

    unit: str = ""
    recorded_rate: float | None = None
    accel_unit: str = ""
    gyro_unit: str = ""
    subject: str = ""
    activity: str = ""
    placement: str = ""


@dataclass(frozen=True)
class Unit:
    """One of several sensor units on the body: where it sits, and which axes its samples have."""

    placement: str
    axes: str


@dataclass(frozen=True)
class Reading:
    """What a reader found.

    ``recordings`` are in g and rad/s, at the source's rate, with the source's own labels;
    ``counts`` says how much was left out or repaired and why; ``warnings`` are for the user.
    """

    recordings: tuple[Recording, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Importer:
    """One published form.

    ``anchor`` finds the data below a folder or inside a zip: what it matches begins at the data's
    own root. ``dataset`` is the name it gets by default ("" for the path's), ``people`` names
    who was recorded, so that the same people never count as two data sets ("" for unknown).
    ``placement`` is where the sensor sits (waist, wrist, torso, leg, pocket; "" for unknown).
    ``labelled_only`` cuts away what carries no label. ``units`` are the sensor units that its
    people wore at once: the user names one, which gives placement, axes and the end of the name.
    ``zips``: a folder of zips is one of folders.
    ``word`` turns the source's own labels into the common words; ``takes`` are the fields of Given
    that have a meaning here.
    ``read`` raises InputError for whatever is not as published.
    """

    name: str
    dataset: str
    title: str
    expects: str
    anchor: re.Pattern[str]
    people: str
    axes: str
    terms: str
    citation: str
    read: Callable[[Tree, Given], Reading]
    placement: str = ""
    has_gyroscope: bool = True
    labelled_only: bool = False
    word: Callable[[str], str] = canonical
    units: Mapping[str, Unit] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    zips: bool = False

    def check_given(self, given: Given) -> None:
        """Raises InputError where something is stated that has no meaning for this importer, or
        another placement than it knows."""
        if self.placement and given.placement:
            if check_placement(given.placement) != self.placement:
                raise InputError(
                    f"{self.name}: worn at the {self.placement}, but --placement says "
                    f"{given.placement}; leave it out"
                )
            given = replace(given, placement="")
        for name, value in vars(given).items():
            if value not in ("", None) and name not in (*self.takes, "unit"):
                option = f"--{name.replace('_', '-')} {value}"
                raise InputError(f"{self.name}: {option} has no meaning there; leave it out")

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names that an import gets by default."""
        return tuple(f"{self.dataset}-{unit}" for unit in self.units) or (self.dataset,)

    def of_unit(self, unit: str) -> Importer:
        """This importer for one of its units.

        Raises:
            InputError: no such unit, none named where there are several, or one where there are
                none.
        """
        if not self.units:
            if unit:
                raise InputError(f"{self.name} has one sensor; --unit {unit} has no meaning there")
            return self
        if unit not in self.units:
            found = f"no unit {unit!r}" if unit else "several sensor units"
            raise InputError(f"{self.name}: {found}; give --unit {', '.join(self.units)}")
        worn = self.units[unit]
        return replace(
            self,
            dataset=f"{self.dataset}-{unit}",
            title=f"{self.title}, {unit.replace('_', ' ')}",
            placement=worn.placement,
            axes=worn.axes,
            units={},
        )

"""Your own recordings, whatever program wrote them: a file is one recording."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from pipeline.core.errors import InputError
from pipeline.data.csv_recording import MAX_BYTES, Doubt
from pipeline.data.csv_writer import PART
from pipeline.data.delimited import HEAD_BYTES, refuse_binary
from pipeline.data.importers.tree import Given, Importer, Reading, Tree
from pipeline.data.mixed import OWN_PEOPLE
from pipeline.data.recording import Recording
from pipeline.data.vocabulary import refuse_twins

# What holds recordings in some form, so that it is never left out in silence.
_ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".7z", ".rar")
_TABLES = (".xls", ".xlsx", ".xlsm", ".ods", ".parquet", ".feather", ".h5", ".hdf5", ".mat", ".pkl")
_TEXTS = (".csv", ".tsv", ".tab", ".txt", ".dat", ".json", ".jsonl", ".cbor", ".npz", ".wav")
_DATA = (*_ARCHIVES, *_TABLES, *_TEXTS)
_NO_DATA = re.compile(
    r"(^|/)(readme|licen[cs]e|info|notes?)([^a-z/][^/]*)?$|\.labels$", re.IGNORECASE
)


def is_no_data(name: str) -> bool:
    """Whether a file of this name only says something about others."""
    return bool(_NO_DATA.search(name))


@dataclass(frozen=True)
class OwnFile:
    """A file to read: ``data`` is its content, ``place`` what messages call it, ``default_name``
    subject and session where it names none; ``doubt`` takes what its owner should know."""

    tree: Tree
    name: str
    data: bytes
    given: Given
    doubt: Doubt

    @property
    def place(self) -> str:
        return self.tree.place(self.name)

    @property
    def default_name(self) -> str:
        """Its path without the suffix: files of one name in two folders are not one person."""
        return _default_name(self.name)

    @property
    def folder(self) -> str:
        """The folder it is in; at the root, what the data itself is called."""
        parent = PurePosixPath(self.name).parent.as_posix()
        return (
            Path(self.tree.where).resolve().name.removesuffix(".zip") if parent == "." else parent
        )

    @property
    def siblings(self) -> dict[str, str]:
        """The files of its folder, itself too: what they are called there, in lower case, to their
        names in the tree."""
        parent = PurePosixPath(self.name).parent
        paths = (PurePosixPath(name) for name in self.tree.names)
        return {path.name.lower(): path.as_posix() for path in paths if path.parent == parent}

    def read(self, name: str) -> bytes:
        """The content of a file of the tree."""
        return self.data if name == self.name else self.tree.read(name, MAX_BYTES)


@dataclass(frozen=True)
class Form:
    """How one program writes a recording. ``recognises`` takes a file's name and first bytes;
    ``read`` gives its recordings, cut where time has a gap, with ``source`` the file's name, or
    raises InputError; ``takes`` are the fields of Given that it may need. ``whole_folder`` tells by
    a file's first bytes whether it is one of several that make one recording, with their folder as
    its ``source``: ``read`` is given the first of them, and reads the others itself."""

    name: str
    title: str
    expects: str
    suffixes: tuple[str, ...]
    recognises: Callable[[str, bytes], bool]
    read: Callable[[OwnFile], Sequence[Recording]]
    takes: tuple[str, ...] = ("subject",)
    whole_folder: Callable[[bytes], bool] = lambda _: False

    def importer(self) -> Importer:
        """To import files of this form alone."""
        ends = "|".join(re.escape(suffix) for suffix in self.suffixes)
        return Importer(
            name=self.name,
            dataset="",
            title=self.title,
            expects=self.expects,
            # Everything matches from its beginning: the root is the path itself.
            anchor=re.compile(rf"^.*(?:{ends})$", re.IGNORECASE),
            people=OWN_PEOPLE,
            axes="as you wore it; +1 g along what points up",
            terms="your own recordings",
            citation="",
            read=partial(read_own, forms=(self,)),
            word=str,
            takes=(*self.takes, "placement"),
            zips=True,
        )


def read_own(
    tree: Tree,
    given: Given,
    forms: Sequence[Form],
    refused: Callable[[InputError], None] | None = None,
) -> Reading:
    """Reads every file below the path that has one of the ``forms``; the first that recognises it
    reads it. ``refused`` takes what is wrong with a file, if given, and the others are read.

    Raises:
        InputError: as the form's ``read``; a file that may hold a recording and has none of the
            forms, one file under two names, one subject in two spellings.
    """
    recordings: list[Recording] = []
    doubts = list(tree.left_out)
    seen: dict[str, str] = {}
    nameless = 0
    for name in tree.names:
        place = tree.place(name)
        if name.endswith(f".csv{PART}"):
            doubts.append(
                f"{place}: left out, a recording that is going on or was interrupted; the next "
                "`har record` into this folder keeps its whole lines"
            )
        if not name.lower().endswith(_DATA):
            continue
        if is_no_data(name):
            if not name.lower().endswith(".txt"):
                doubts.append(f"{place}: left out, by its name no recording; rename it if it is")
            continue
        try:
            pieces = _pieces(tree, name, given, forms, seen, doubts.append)
            pieces = [_worn(piece, given.placement, place) for piece in pieces]
        except InputError as error:
            if refused is None:
                raise
            refused(error)
            continue
        recordings += pieces
        nameless += any(piece.subject in (_default_name(name), piece.source) for piece in pieces)
    if nameless > 1:
        doubts.append(
            f"{nameless} files name no subject and count as a person each; if they are of one "
            "person, write '# subject: NAME' into them or give --subject NAME, or that person "
            "trains and tests at once"
        )
    refuse_twins((each.subject for each in recordings), tree.where, "subject")
    return Reading(tuple(recordings), warnings=tuple(dict.fromkeys(doubts)))


def _worn(piece: Recording, placement: str, place: str) -> Recording:
    """The piece with the placement that the user stated, if any."""
    if piece.placement and placement not in ("", piece.placement):
        raise InputError(
            f"{place}: worn at the {piece.placement}, as its column placement says, but "
            f"--placement says {placement}; correct one of them"
        )
    return replace(piece, placement=piece.placement or placement)


def _default_name(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _pieces(
    tree: Tree,
    name: str,
    given: Given,
    forms: Sequence[Form],
    seen: dict[str, str],
    doubt: Doubt,
) -> Sequence[Recording]:
    """The recordings in one file, or in its folder; ``seen`` are the files so far by their SHA-256,
    and folders."""
    place = tree.place(name)
    if name.lower().endswith(_ARCHIVES):
        raise InputError(f"{place}: an archive that is not looked into here; unpack it")
    data = tree.read(name, MAX_BYTES)
    form = next((each for each in forms if each.recognises(name, data[:HEAD_BYTES])), None)
    if form is None:
        refuse_binary(place, data)
        expected = "; ".join(each.expects for each in forms)
        raise InputError(f"{place}: no recording in a form that is known here: {expected}")
    file = OwnFile(tree, name, data, given, doubt)
    pieces: Sequence[Recording] | None = None
    if form.whole_folder(data[:HEAD_BYTES]):
        if seen.setdefault(f"{form.name} {file.folder}", name) != name:
            return ()
        pieces = form.read(file)
        if not pieces:
            return ()
        data = b"".join(piece.samples.tobytes() for piece in pieces)
    twin = seen.setdefault(hashlib.sha256(data).hexdigest(), name)
    if twin != name:
        raise InputError(
            f"{place}: the same file as {twin}; one recording under two names could train and "
            "test at once: drop one"
        )
    return form.read(file) if pieces is None else pieces

"""Your own recordings: a CSV file, or a folder or zip of them, in the project's own form."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePath, PurePosixPath

from pipeline.core.errors import InputError
from pipeline.data.csv_recording import MAX_BYTES, read_pieces
from pipeline.data.csv_writer import PART
from pipeline.data.importers.tree import Given, Importer, Reading, Tree
from pipeline.data.mixed import OWN_PEOPLE
from pipeline.data.recording import Recording
from pipeline.data.vocabulary import refuse_twins


def read_own_csv(tree: Tree, _given: Given) -> Reading:
    """Reads every .csv below the path; a gap in time makes two recordings of one.

    Raises InputError as `read_pieces`, and for one file
    under two names and one name in two spellings.
    """
    recordings: list[Recording] = []
    doubts: list[str] = []
    seen: dict[bytes, str] = {}
    nameless = 0
    for name in tree.names:
        if name.endswith(f".csv{PART}"):
            doubts.append(
                f"{tree.place(name)}: left out, a recording that is going on or was interrupted; "
                "the next `har record` into this folder keeps its whole lines"
            )
        if not name.lower().endswith(".csv"):
            continue
        data = tree.read(name, MAX_BYTES)
        twin = seen.setdefault(hashlib.sha256(data).digest(), name)
        if twin != name:
            raise InputError(
                f"{tree.place(name)}: the same file as {twin}; one recording under two names could "
                "train and test at once: drop one"
            )
        # Files of one name in two folders are not one person.
        default_name = PurePosixPath(name).with_suffix("").as_posix()
        path = PurePath(tree.where) / name
        pieces = read_pieces(path, data, default_name, doubts.append)
        recordings += pieces
        nameless += pieces[0].subject == default_name
    if nameless > 1:
        doubts.append(
            f"{nameless} files name no subject and count as a person each; if they are of one "
            "person, write '# subject: NAME' into them, or that person trains and tests at once"
        )
    refuse_twins((each.subject for each in recordings), tree.where, "subject")
    return Reading(tuple(recordings), warnings=tuple(doubts))


IMPORTER = Importer(
    name="csv",
    dataset="",
    title="own recordings",
    expects="a CSV file, or a folder or zip of CSV files",
    # Everything matches from its beginning: the root is the path itself.
    anchor=re.compile(r"^.*\.csv$", re.IGNORECASE),
    people=OWN_PEOPLE,
    axes="as you wore it; +1 g along what points up",
    terms="your own recordings",
    citation="",
    read=read_own_csv,
    word=str,
)

"""One's own recordings: a CSV file, or a folder or zip of them, in the project's own form."""

from __future__ import annotations

import re
import warnings
from pathlib import PurePath, PurePosixPath

from pipeline.data.csv_recording import MAX_BYTES, RecordingWarning, read_pieces
from pipeline.data.importers.importer import Importer, Reading
from pipeline.data.importers.tree import Tree
from pipeline.data.mixed import OWN_PEOPLE


def read_own_csv(tree: Tree) -> Reading:
    """Reads every .csv below the path; a gap in time makes two recordings of one."""
    recordings = []
    told = []
    for name in tree.names:
        if not name.lower().endswith(".csv"):
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", RecordingWarning)
            recordings += read_pieces(
                PurePath(tree.where) / name,
                tree.read(name, MAX_BYTES),
                # Files of one name in two folders are not one person.
                default_name=PurePosixPath(name).with_suffix("").as_posix(),
            )
        told += [
            str(warning.message)
            for warning in caught
            if issubclass(warning.category, RecordingWarning)
        ]
    return Reading(tuple(recordings), warnings=tuple(told))


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
)

"""The project's own CSV, as `har record` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from pipeline.data.csv_recording import read_pieces
from pipeline.data.importers.own import Form, OwnFile
from pipeline.data.recording import Recording


def _read(file: OwnFile) -> Sequence[Recording]:
    path = PurePath(file.tree.where) / file.name
    return read_pieces(path, file.data, file.default_name, file.doubt, subject=file.given.subject)


FORM = Form(
    name="csv",
    title="own recordings",
    expects="a CSV file of this project (data/README.md), or a folder or zip of them",
    suffixes=(".csv",),
    # Last of all forms: a CSV that no other one knows is refused with the header that is expected.
    recognises=lambda name, _: name.lower().endswith(".csv"),
    read=_read,
)

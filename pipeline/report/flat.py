"""Rows of a report as comma-separated values, for spreadsheets and data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel


def flat_csv(model: type[BaseModel], rows: Sequence[BaseModel]) -> str:
    """A header and a line a row: the fields of ``model`` in their order.

    None is an empty cell, a truth "true" or "false", a list of numbers its items with spaces
    between, a list of sentences a line of the cell each. The same rows give the same bytes.
    """
    import csv
    import io

    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    names = list(model.model_fields)
    writer.writerow(names)
    for row in rows:
        writer.writerow(_cell(getattr(row, name)) for name in names)
    return written.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ("\n" if value and isinstance(value[0], str) else " ").join(map(str, value))
    return str(value)

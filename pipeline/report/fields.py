"""Fields that the JSON documents of several reports share, and rows of them as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Row = BaseModel | tuple[Any, ...]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """A part of a report's JSON document: what its fields say and nothing else."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )


@dataclass(frozen=True)
class SubjectScore:
    """One subject or session: share of windows named right, and how many windows that is."""

    accuracy: Share
    windows: Count


# ---- rows as CSV ---------------------------------------------------------------------------------


def flat_csv(kind: type[Row], rows: Sequence[Row]) -> str:
    """A header and a line a row: the fields of ``kind`` in their order.

    None is an empty cell, a truth "true" or "false", a list of numbers its items with spaces
    between, a list of sentences a line of the cell each. The same rows give the same bytes.
    """
    import csv
    import io

    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    names = list(kind.__annotations__)
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

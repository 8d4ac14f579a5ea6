"""What an experiment set out to show, and whether its figures show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from pipeline.report.tables import MISSING, Cell, Table


class Claim(NamedTuple):
    """``published``: the figure of the literature, or the bound that this project sets itself;
    ``measured``: what this run has. ``n``: measurements after it (rows, users, windows, as the
    claim says). ``holds``: None where nothing was measured."""

    claim: str
    published: str
    measured: str
    n: int
    holds: bool | None


def with_claims(report: BaseModel, claims: Sequence[Claim], **more: object) -> dict[str, Any]:
    """The JSON document of a report, with ``more`` and its claims."""
    document = report.model_dump(mode="json", by_alias=True)
    return document | more | {"claims": [claim._asdict() for claim in claims]}


def claims_table(claims: Sequence[Claim]) -> Table:
    """For the terminal and the page."""
    verdicts = {True: Cell("yes", "good"), False: Cell("no", "bad"), None: Cell(MISSING, "dim")}
    rows: list[list[str | Cell]] = [
        [each.claim, each.published, each.measured, str(each.n), verdicts[each.holds]]
        for each in claims
    ]
    return Table("Claims", ["claim", "published", "measured", "n", "holds"], rows, names=3)


def span(values: Sequence[float], form: str = ".1f") -> str:
    """The least and the greatest: "5.3 to 14.0", one figure where both read the same, `MISSING`
    without any."""
    if not values:
        return MISSING
    low, high = (f"{end:{form}}".replace("-", "\u2212") for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"

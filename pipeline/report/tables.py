"""Tables as data: the same cells in the terminal and on a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pipeline.core.format import grouped, percent, printable
from pipeline.report.fields import Row, SubjectScore

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.text import Text

    from pipeline.core.types import Array

Tone = Literal["", "good", "bad", "warn", "strong", "dim"]
_STYLES: Mapping[Tone, str] = {
    "": "",
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "strong": "bold",
    "dim": "dim",
}

MISSING = "\u2013"


@dataclass(frozen=True)
class Cell:
    """Text with emphasis; ``tone`` is a class of the page's style."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True)
class Table:
    """``rows`` of as many cells as ``columns``; the first ``names`` columns are text, the others
    figures. ``notes`` stand below, a line each; without ``columns`` there are only notes."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    notes: Sequence[str] = ()
    names: int = 1

    def without(self, *columns: str) -> Table:
        """The same table, narrower."""
        kept = [at for at, name in enumerate(self.columns) if name not in columns]
        return replace(
            self,
            columns=[self.columns[at] for at in kept],
            rows=[[row[at] for at in kept] for row in self.rows],
        )

    def cells(self) -> list[list[Cell]]:
        """All rows, every cell a `Cell`."""
        return [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in self.rows]


def number(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """With a true minus; `MISSING` for None. With ``sign``, + is shown, too."""
    if value is None:
        return MISSING
    value = round(value, digits) or 0.0  # never -0.0
    return f"{value:{'+' * sign}.{digits}f}".replace("-", "\u2212")


def share(value: float | None) -> str:
    """0 to 1 in percent, without the sign."""
    return number(None if value is None else 100 * value)


def plain(value: object, style: str = "") -> Text:
    """A name from outside as text that is never read as markup."""
    from rich.text import Text

    return Text(printable(value), style=style)


def terminal(table: Table) -> Group:
    """The table for a terminal. Figures are never cut off or wrapped, names fold."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as Drawn

    drawn = Drawn(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for place, name in enumerate(table.columns):
        text = place < table.names
        drawn.add_column(
            plain(name),
            justify="left" if text else "right",
            overflow="fold",
            no_wrap=not text,
            min_width=min(len(name), 12),
        )
    for row in table.cells():
        drawn.add_row(*(plain(cell.text, _STYLES[cell.tone]) for cell in row))
    parts: list[RenderableType] = []
    if table.columns:
        parts = [plain(table.title, "bold cyan"), drawn]
    return Group(*parts, *(plain(note, "dim") for note in table.notes))


def print_tables(tables: Iterable[Table]) -> None:
    """One below the other on stdout, an empty line between; at least 80 columns wide, also where
    that runs over the edge."""
    from pipeline.core.console import Console

    console = Console(width=max(Console().width, 80))
    for place, table in enumerate(tables):
        if place:
            console.print()
        console.print(terminal(table))


def confusion_table(activities: Sequence[str], counts: Array) -> Table:
    """(K, K) counts: rows are the true activity, columns the predicted one."""

    def cell(row: int, column: int) -> Cell:
        count = int(counts[row, column])
        tone: Tone = "strong" if row == column else "warn" if count else "dim"
        return Cell(grouped(count) if count else "·", tone)

    k = range(len(activities))
    rows: list[list[str | Cell]] = [
        [activities[row], *(cell(row, column) for column in k)] for row in k
    ]
    return Table("Confusion (int8)", ["true \\ predicted", *activities], rows)


def group_table(name: str, scores: Mapping[Any, SubjectScore]) -> Table:
    """Accuracy and windows of each subject or session, the worst first."""
    ranked = sorted(scores.items(), key=lambda item: (item[1].accuracy, str(item[0])))
    rows = [[str(who), grouped(each.windows), percent(each.accuracy)] for who, each in ranked]
    return Table(f"Accuracy by {name} (int8)", [name, "windows", "accuracy"], rows)


def field_table(title: str, rows: Sequence[Row], names: int) -> Table:
    """All fields of all rows under their own names."""
    columns = list(type(rows[0]).__annotations__)
    cells = [[_shown(getattr(row, name)) for name in columns] for row in rows]
    return Table(title, columns, cells, names=names)


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(round(value, 4) if isinstance(value, float) else value)

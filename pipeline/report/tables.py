"""Rich tables for the terminal. Names from outside are Text, never markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.core.format import grouped, percent, printable
from pipeline.report.fields import SubjectScore

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table
    from rich.text import Text


def plain(value: object, style: str = "") -> Text:
    """A name from outside as text that is never read as markup."""
    from rich.text import Text

    return Text(printable(value), style=style)


def subject_table(per_subject: Mapping[int | str, SubjectScore]) -> Table:
    """Held-out people, best first, the worst one marked."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("person", "windows", "accuracy"):
        table.add_column(name, justify="right")
    ranked = sorted(per_subject.items(), key=lambda item: -item[1].accuracy)
    for position, (subject, score) in enumerate(ranked):
        style = "yellow" if position == len(ranked) - 1 else ""
        table.add_row(
            plain(subject, style),
            plain(grouped(score.windows), style),
            plain(percent(score.accuracy), style),
        )
    return table


def confusion_table(activities: Sequence[str], confusion: NDArray[Any]) -> Table:
    """(K, K) counts: rows what it was, columns what was said; the diagonal is right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("was \\ said")
    for activity in activities:
        table.add_column(plain(activity), justify="right")
    for i, activity in enumerate(activities):
        counts = [int(count) for count in confusion[i]]
        cells = [
            plain(
                grouped(count) if count else "·",
                "bold green" if i == j else "dim" if not count else "yellow",
            )
            for j, count in enumerate(counts)
        ]
        table.add_row(plain(activity), *cells)
    return table

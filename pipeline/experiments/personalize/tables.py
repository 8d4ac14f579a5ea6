"""`har personalize` in the terminal and in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.files import write_whole
from pipeline.experiments.personalize.picture import personalize_picture
from pipeline.experiments.personalize.report import (
    SCENES,
    PersonalizeReport,
    PersonalizeRow,
    groups,
)

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = (
    "k",
    "cut",
    "before",
    "after",
    "quarter",
    "hurt",
    "lose",
    "least",
    "forgot",
    "wrong",
    "serve",
)
_LEGEND = (
    "k: labelled windows of each activity; accuracies in %; quarter: the worst of the users, "
    "before and after",
    "hurt: % of users and seeds that lose over half a point; lose: how many, over one; least: the "
    "smallest change",
    "forgot: points lost on other people; wrong: after, with a tenth of the labels wrong; serve: % "
    "of the users whose learned cut serves",
)


def _cells(row: PersonalizeRow) -> tuple[str, ...]:
    def share(value: float | None) -> str:
        return "" if value is None else f"{100 * value:.1f}"

    def change(value: float | None) -> str:
        return "" if value is None else f"{100 * value:+.1f}".replace("-", "\u2212")

    return (
        str(row.k),
        row.cut,
        share(row.before),
        share(row.after),
        f"{share(row.worst_quarter_before)}\u2192{share(row.worst_quarter_after)}",
        f"{100 * row.hurt_share:.0f}",
        str(row.lose_over_one_point),
        change(row.worst_change),
        change(row.forgetting),
        share(row.after_wrong_labels),
        f"{100 * row.serving_share:.0f}",
    )


def _title(rows: Sequence[PersonalizeRow]) -> str:
    first = rows[0]
    left_out = max(row.users_left_out for row in rows)
    users = {row.users for row in rows}
    count = str(first.users) if len(users) == 1 else f"{min(users)} to {max(users)}"
    return (
        f"{first.dataset}: {SCENES[first.scene]} ({count} users, {first.seeds} "
        f"seed{'s' * (first.seeds > 1)}{f'; up to {left_out} left out' if left_out else ''})"
    )


def personalize_tables(report: PersonalizeReport) -> list[Table]:
    """One a scene and data set; below the last, what the columns mean."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    tables = []
    for rows in groups(report.rows).values():
        table = Table(
            title=Text(_title(rows), style="bold cyan"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        for name in _COLUMNS:
            table.add_column(name, justify="left" if name == "cut" else "right", no_wrap=True)
        for place, row in enumerate(rows):
            last = place + 1 == len(rows) or rows[place + 1].k != row.k
            table.add_row(*(Text(cell) for cell in _cells(row)), end_section=last)
        tables.append(table)
    if tables:
        tables[-1].caption = Text("\n".join(_LEGEND))
        tables[-1].caption_justify = "left"
    return tables


def markdown(report: PersonalizeReport) -> str:
    """The same tables for a document."""
    lines = [f"`{report.command}`, {report.date}, seeds {' '.join(map(str, report.seeds))}."]
    for rows in groups(report.rows).values():
        lines += ["", f"**{_title(rows)}**", "", "| " + " | ".join(_COLUMNS) + " |"]
        lines += ["| " + " | ".join("---" for _ in _COLUMNS) + " |"]
        lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    lines += ["", *(f"- {line}" for line in (*_LEGEND, *report.notes))]
    return "\n".join(lines) + "\n"


def write_personalize(report: PersonalizeReport, output: Path) -> None:
    """Writes personalize.json, personalize.md and personalize.svg into ``output``, each whole or
    not at all. Raises OSError."""
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "personalize.svg", personalize_picture(report))
    write_whole(output / "personalize.md", markdown(report))
    write_whole(output / "personalize.json", report.text())

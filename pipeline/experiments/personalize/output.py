"""`har personalize` in the terminal and in files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.files import write_files
from pipeline.experiments.personalize.report import (
    CUTS,
    SCENES,
    PersonalizeReport,
    PersonalizeRow,
    groups,
)
from pipeline.report.flat import flat_csv
from pipeline.report.tables import Table, number, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = (
    *("k", "cut", "before", "after", "quarter", "hurt", "lose", "least", "forgot", "wrong"),
    "active",
)
_LEGEND = (
    "k: labelled windows of each activity; accuracies in %; quarter: the worst of the users, "
    "before and after",
    "hurt: % of users and seeds that lose over half a point; lose: how many, over one; least: the "
    "smallest change",
    "forgot: points lost on other subjects; wrong: after, with a tenth of the labels wrong; "
    "active: % of the users whose learned head is active",
)


def _cells(row: PersonalizeRow) -> list[str]:
    def change(value: float | None) -> str:
        return "" if value is None else number(100 * value, sign=True)

    wrong = row.after_wrong_labels
    return [
        str(row.k),
        row.cut,
        share(row.before),
        share(row.after),
        f"{share(row.worst_quarter_before)}\u2192{share(row.worst_quarter_after)}",
        f"{100 * row.hurt_share:.0f}",
        str(row.lose_over_one_point),
        change(row.worst_change),
        change(row.forgetting),
        "" if wrong is None else share(wrong),
        f"{100 * row.serving_share:.0f}",
    ]


def personalize_tables(report: PersonalizeReport) -> list[Table]:
    """One for each scene and data set; below the last, what the columns mean."""
    tables = []
    for (scene, dataset), rows in groups(report.rows).items():
        users, left_out = {row.users for row in rows}, max(row.users_left_out for row in rows)
        count = " to ".join(map(str, sorted({min(users), max(users)})))
        title = (
            f"{dataset}: {SCENES[scene]} ({count} users, {rows[0].seeds} seeds"
            f"{f'; up to {left_out} left out' if left_out else ''})"
        )
        tables.append(Table(title, _COLUMNS, [_cells(row) for row in rows], names=0))
    return [*tables, Table("", (), (), _LEGEND)] if tables else []


def personalize_picture(report: PersonalizeReport) -> str:
    """Accuracy after k labels, a panel for each scene and data set, as one SVG file. Solid: the
    mean of all users; dashed: of the worst quarter."""
    from pipeline.report.plots import canvas, label, svg

    panels = groups(report.rows)
    with canvas("personalize", 3.6 * len(panels) + 1, 3.6) as figure:
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, ((scene, dataset), rows) in zip(grid, panels.items(), strict=True):
            _draw_cuts(axes, rows)
            axes.set_title(f"{label(dataset)}: {scene}")
        grid[0].set_ylabel("accuracy, %")
        lines = {line.get_label(): line for axes in grid for line in axes.get_lines()}
        figure.legend(
            handles=[line for name, line in lines.items() if not str(name).startswith("_")],
            loc="outside right center",
            title="cut; dashed:\nworst quarter",
            frameon=False,
        )
        return svg(figure)


def _draw_cuts(axes: Axes, rows: Sequence[PersonalizeRow]) -> None:
    ks = sorted({row.k for row in rows})
    for place, cut in enumerate(CUTS):
        mine = sorted((row for row in rows if row.cut == cut), key=lambda row: row.k)
        for style, name, figures in (
            ("-", cut, [100 * row.after for row in mine]),
            ("--", "_", [100 * row.worst_quarter_after for row in mine]),
        ):
            places = [ks.index(row.k) for row in mine]
            if places and any(figures):
                axes.plot(places, figures, style, color=f"C{place}", label=name, marker=".")
    axes.set_xticks(range(len(ks)), [str(k) for k in ks])
    axes.set_xlabel("labelled windows of each activity")
    axes.grid(axis="y", alpha=0.3)


def write_personalize(report: PersonalizeReport, output: Path) -> None:
    """Writes personalize.json, personalize.csv and personalize.svg into ``output``, each whole or
    not at all. Raises ExternalError."""
    files = {
        "personalize.svg": personalize_picture(report),
        "personalize.csv": flat_csv(PersonalizeRow, report.rows),
        "personalize.json": json.dumps(report.document(), indent=1) + "\n",
    }
    write_files(output, files)

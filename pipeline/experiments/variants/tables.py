"""`har variants` in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.core.format import grouped, printable
from pipeline.experiments.variants.format import brief, kilo, lost
from pipeline.experiments.variants.published import by_backbone
from pipeline.experiments.variants.schema import VariantRow, VariantsReport
from pipeline.report.tables import plain

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

LEGEND = (
    "file, gzip, arena (TFLite-Micro's), flash, RAM (the compiled engine's) in KB; not 0: weights",
    "accuracy, macro F1 and the worst person's accuracy in %; drop: points lost against float32",
    "nJ: MACs x 3.2 pJ; fits: the engine with which the board takes it, the firmware around it",
)
"""What the columns mean, a line each."""
_MISSING = "\u2013"


def _share(value: float) -> str:
    return f"{100 * value:.1f}"


def _optional(count: int | None) -> str:
    return _MISSING if count is None else kilo(count)


def board(row: VariantRow) -> str:
    """The engine with which it fits; "no" where it does not."""
    if row.fits is None:
        return "not measured"
    return (row.engine or "yes") if row.fits else "no"


_COLUMNS: Mapping[str, Callable[[VariantRow], str]] = {
    "file": lambda row: kilo(row.bytes),
    "gzip": lambda row: kilo(row.compressed_bytes),
    "not 0": lambda row: brief(row.nonzero_parameters),
    "acc.": lambda row: _share(row.accuracy),
    "F1": lambda row: _share(row.macro_f1),
    "worst": lambda row: _share(row.worst_subject_accuracy),
    "person": lambda row: printable(row.worst_subject),
    "drop": lambda row: lost(row.drop),
    "arena": lambda row: _optional(row.arena_bytes),
    "flash": lambda row: _optional(row.engine_flash_bytes),
    "RAM": lambda row: _optional(row.engine_ram_bytes),
    "fits": board,
}


def footnotes(rows: Sequence[VariantRow]) -> dict[str, list[str]]:
    """What limits the rows, each sentence once -> the variants that it limits."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for limit in dict.fromkeys(row.limits):
            found.setdefault(limit, []).append(row.variant)
    return found


def backbone_title(report: VariantsReport, rows: Sequence[VariantRow]) -> str:
    """E.g. "dscnn: 17,894 parameters, 286,144 MACs, 916 nJ; began with watch"."""
    figures = (
        f"{_ends(row.parameters for row in rows)} parameters, {_ends(row.macs for row in rows)} "
        f"MACs, {_ends(round(row.energy_nj) for row in rows)} nJ"
    )
    name, seeds = rows[0].backbone, max(len(row.seeds) for row in rows)
    began = report.weights.get(name)
    first = {None: "", "none": "; began untrained"}.get(began, f"; began with {began}")
    means = f"; means of {seeds} seeds" if seeds > 1 else ""
    return f"{name}: {figures}{first}{means}"


def _ends(counts: Iterable[int]) -> str:
    found = sorted(counts)
    return " to ".join(grouped(count) for count in dict.fromkeys((found[0], found[-1])))


def variants_table(report: VariantsReport) -> Group:
    """One table a network, each with what limits its rows below it; last what the columns mean.

    Reads at 100 columns and more.
    """
    from rich.console import Group

    head = plain(
        f"{report.dataset}, split {report.split}: {grouped(report.test_windows)} windows of "
        f"{report.test_people} people never trained on",
        "bold",
    )
    parts: list[RenderableType] = [head, *(plain(note, "yellow") for note in report.notes)]
    for rows in by_backbone(report.rows).values():
        parts += ["", _table(report, rows)]
    if report.rows:
        parts += ["", *(plain(line, "dim") for line in LEGEND)]
    return Group(*parts)


def _table(report: VariantsReport, rows: Sequence[VariantRow]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    below = [plain(f"{', '.join(names)}: {limit}") for limit, names in footnotes(rows).items()]
    table = Table(
        title=plain(backbone_title(report, rows), "bold cyan"),
        title_justify="left",
        caption=Text("\n").join(below) if below else None,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    table.add_column("variant", no_wrap=True)
    for name in _COLUMNS:
        flexible = name == "person"
        left = name in ("person", "fits")
        table.add_column(
            name,
            justify="left" if left else "right",
            no_wrap=not flexible,
            overflow="ellipsis",
            min_width=4 if flexible else None,
        )
    for row in rows:
        table.add_row(
            plain(row.variant),
            *(_styled(name, shown(row), row) for name, shown in _COLUMNS.items()),
        )
    return table


def _styled(name: str, shown: str, row: VariantRow) -> Text:
    if name == "fits":
        return plain(shown, {True: "green", False: "red", None: "dim"}[row.fits])
    if name == "acc.":
        return plain(shown, "bold")
    return plain(shown, "dim" if shown == _MISSING else "")

"""`har variants` in the terminal and in files: variants.json, .csv, .svg and .html."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.core.files import write_files
from pipeline.core.format import grouped
from pipeline.experiments.variants.compare import by_backbone, variant_claims
from pipeline.experiments.variants.rows import PUBLISHED, VariantRow, VariantsReport
from pipeline.report.claims import Claim, claims_table, span, with_claims
from pipeline.report.fields import flat_csv
from pipeline.report.html import Page, Picture, Section
from pipeline.report.tables import MISSING, Cell, Table, field_table, number, share

CAPTION = (
    "Accuracy against the size of the file, as it is and compressed by gzip -9, a line a network. "
    "Filled markers fit the board, half filled ones were not measured."
)
_MARKERS = "osDdv^<>PXph*8"
_FILL = {True: "full", False: "none", None: "bottom"}
_COLUMNS = (
    *(
        "variant",
        "file",
        "gzip",
        "shrink",
        "not 0",
        "acc.",
        "range",
        "F1",
        "worst",
        "subject",
        "drop",
    ),
    *("arena", "flash", "RAM", "instructions", "nJ", "fits"),
)
_ONLY_ON_PAGE = ("shrink", "not 0", "range", "F1", "subject", "instructions", "nJ")
LEGEND = (
    "file, gzip, arena (TFLite-Micro's), flash, RAM (the compiled engine's) in KB",
    "acc., worst: accuracy in %, of all test subjects and of the worst; drop: points lost against "
    "float32; fits: the engine with which the board takes it, the firmware around it",
)
_LEGEND_OF_PAGE = (
    "shrink: times, of the weights' bytes; not 0: weights; range: acc. over seeds; F1: macro, %; "
    "instructions: of one inference by the compiled engine on a Cortex-M4F; nJ: MACs x 3.2 pJ"
)
_PUBLISHED = "Course slides on MobileNet and SqueezeNet"


def variants_picture(rows: Sequence[VariantRow]) -> str:
    """One SVG file."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import EngFormatter

    from pipeline.report.plots import canvas, label, svg

    variants = list(
        dict.fromkeys(row.variant for mine in by_backbone(rows).values() for row in mine)
    )
    markers = {name: _MARKERS[at % len(_MARKERS)] for at, name in enumerate(variants)}
    with canvas("variants", 10.0, 4.5) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, size in zip(panels, ("bytes", "compressed_bytes"), strict=True):
            for number, mine in enumerate(by_backbone(rows).values()):
                joined = sorted(mine, key=lambda row: (getattr(row, size), row.accuracy))
                sizes = [max(getattr(row, size), 1) for row in joined]
                heights = [100 * row.accuracy for row in joined]
                axes.plot(sizes, heights, color=f"C{number}", linewidth=1)
                for row, x, y in zip(joined, sizes, heights, strict=True):
                    style = {"marker": markers[row.variant], "fillstyle": _FILL[row.fits]}
                    axes.plot(x, y, color=f"C{number}", **style)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(EngFormatter("B"))
            axes.grid(alpha=0.3)
        panels[0].set(xlabel="file", ylabel="accuracy, %")
        panels[1].set_xlabel("file, gzip -9")
        lines = [
            Line2D([], [], color=f"C{number}", label=label(name))
            for number, name in enumerate(by_backbone(rows))
        ]
        points = [
            Line2D([], [], color="grey", linestyle="none", marker=marker, label=name)
            for name, marker in markers.items()
        ]
        figure.legend(handles=lines + points, loc="outside right center", frameon=False)
        return svg(figure)


def _kilo(count: int | None) -> str:
    """Bytes in units of 1024."""
    return MISSING if count is None else f"{count / 1024:,.1f}"


def _fits(row: VariantRow) -> Cell:
    if row.fits is None:
        return Cell("not measured", "dim")
    return Cell(row.engine or "yes", "good") if row.fits else Cell("no", "bad")


def variants_tables(report: VariantsReport, *, page: bool = False) -> list[Table]:
    """A table for each network, and below it what limits its rows. On a ``page`` there are more
    columns."""
    found = []
    for rows in by_backbone(report.rows).values():
        limits: dict[str, list[str]] = {}
        for row in rows:
            for limit in dict.fromkeys(row.limits):
                limits.setdefault(limit, []).append(row.variant)
        first = rows[0]
        title = (
            f"{first.backbone}: {span([row.parameters for row in rows], ',.0f')} parameters, "
            f"{span([row.macs for row in rows], ',.0f')} MACs; initial weights: "
            f"{report.weights.get(first.backbone, 'unknown')}"
        )
        notes = [f"{', '.join(names)}: {limit}" for limit, names in limits.items()]
        table = Table(title, _COLUMNS, [_cells(row) for row in rows], notes)
        found.append(table if page else table.without(*_ONLY_ON_PAGE))
    if found:
        legend = [*LEGEND, _LEGEND_OF_PAGE] if page else LEGEND
        found.append(Table("", (), (), [*legend, *report.notes]))
    return found


def _cells(row: VariantRow) -> list[str | Cell]:
    return [
        row.variant,
        _kilo(row.bytes),
        _kilo(row.compressed_bytes),
        number(row.shrink, 2),
        grouped(row.nonzero_parameters),
        Cell(share(row.accuracy), "strong"),
        span([100 * each for each in row.accuracies]),
        share(row.macro_f1),
        share(row.worst_subject_accuracy),
        row.worst_subject,
        number(100 * row.drop, 2),
        _kilo(row.arena_bytes),
        _kilo(row.engine_flash_bytes),
        _kilo(row.engine_ram_bytes),
        MISSING if row.instructions is None else grouped(row.instructions),
        f"{row.energy_nj:,.0f}",
        _fits(row),
    ]


def variants_document(report: VariantsReport) -> dict[str, Any]:
    """For --json and variants.json: the report and its claims."""
    return with_claims(report, variant_claims(report.rows, report.test_windows))


def variants_page(report: VariantsReport, picture: Picture | None) -> str:
    """The page as HTML text, self-contained. The same report gives the same bytes."""
    rows = report.rows
    return Page(
        command="har variants",
        title="What it costs to make a network small",
        lead=f"{len(by_backbone(rows))} networks as trained, in fewer bits and with fewer weights: "
        f"{len(rows)} rows. Accuracies are of {grouped(report.test_windows)} windows of "
        f"{report.test_people} held-out subjects of {report.dataset} (split {report.split}).",
        notices=report.notes,
        sections=[
            Section("Claims", tables=[claims_table(variant_claims(rows, report.test_windows))]),
            Section("Accuracy against size", CAPTION, [picture] if picture else []),
            Section("Every variant", tables=variants_tables(report, page=True)),
            Section("Published, on images", tables=[field_table(_PUBLISHED, PUBLISHED, names=2)]),
            Section(
                "How it was measured",
                facts={
                    "command": report.command,
                    "date": report.date,
                    "windows of an epoch, at most": grouped(report.train_windows),
                    "seeds": ", ".join(map(str, sorted({s for row in rows for s in row.seeds}))),
                    "time": f"{report.seconds:.0f} s",
                    **report.versions,
                },
            ),
        ],
    ).html()


def write_variants_report(report: VariantsReport, output: Path) -> Path:
    """Writes variants.json, variants.csv, variants_claims.csv, variants.html and, where there is a
    row, variants.svg into ``output``, each whole or not at all. Returns the path of the page.
    Raises ExternalError."""
    picture = Picture(variants_picture(report.rows), CAPTION) if report.rows else None
    texts = {
        "variants.csv": flat_csv(VariantRow, report.rows),
        "variants_claims.csv": flat_csv(Claim, variant_claims(report.rows, report.test_windows)),
        "variants.html": variants_page(report, picture),
        "variants.json": json.dumps(variants_document(report), indent=2) + "\n",
    }
    if picture is not None:
        texts["variants.svg"] = picture.svg
    write_files(output, texts)
    return output / "variants.html"

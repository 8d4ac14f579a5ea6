"""What `har variants` leaves behind: variants.json, .csv, .svg and .html."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.files import write_whole
from pipeline.experiments.variants.findings import own_findings, variant_findings
from pipeline.experiments.variants.schema import VariantRow, VariantsReport
from pipeline.report.flat import flat_csv


def variants_document(report: VariantsReport) -> dict[str, Any]:
    """For --json and variants.json: the report and what it says."""
    return report.model_dump(mode="json") | {"findings": variant_findings(report)}


def variants_csv(report: VariantsReport) -> str:
    """A line a row, the fields of `VariantRow` in their order."""
    return flat_csv(VariantRow, report.rows)


def variants_page(report: VariantsReport) -> str:
    """The page as HTML text, self-contained. The same report gives the same bytes."""
    return _page(report, _drawn(report))


def _drawn(report: VariantsReport) -> dict[str, str]:
    from pipeline.experiments.variants.picture import variants_pictures

    return variants_pictures(report.rows) if report.rows else {}


def _page(report: VariantsReport, pictures: Mapping[str, str]) -> str:
    from markupsafe import Markup

    from pipeline.core.format import printable
    from pipeline.experiments.variants.format import kilo, lost
    from pipeline.experiments.variants.picture import NETWORK_STYLE
    from pipeline.experiments.variants.published import beside, by_backbone, published_findings
    from pipeline.experiments.variants.tables import backbone_title, board, footnotes
    from pipeline.report.html import environment

    house = environment(Path(__file__).parent)
    house.filters.update({word.__name__: word for word in (board, kilo, lost)})
    return house.get_template("variants.html.j2").render(
        report=report,
        tiles=_tiles(report.rows),
        findings=own_findings(report),
        published_findings=[printable(said) for said in published_findings(report.rows)],
        tables=[
            (backbone_title(report, rows), rows, footnotes(rows))
            for rows in by_backbone(report.rows).values()
        ],
        seeds=sorted({seed for row in report.rows for seed in row.seeds}),
        unknown=any(row.fits is None for row in report.rows),
        beside=beside(report.rows),
        style=Markup(NETWORK_STYLE),
        # Drawn by plots.py, which escapes what it is given.
        pictures={name: Markup(svg) for name, svg in pictures.items()},
    )


def _tiles(rows: Sequence[VariantRow]) -> list[tuple[str, str, str]]:
    """What the page says first: name, number, of which row."""
    from pipeline.core.format import percent
    from pipeline.experiments.variants.format import lost
    from pipeline.experiments.variants.published import kind, named

    if not rows:
        return []
    best = max(rows, key=lambda row: (row.accuracy, -row.bytes))
    fits = [row for row in rows if row.fits]
    tiles = [("Most accurate", percent(best.accuracy), named(best))]
    quantized = [row for row in rows if kind(row.variant) == "quantized"]
    if quantized:
        most = max(quantized, key=lambda row: row.drop)
        least = min(quantized, key=lambda row: row.shrink)
        what = "int8 loses at most" if most.drop >= 0 else "int8 gains at least"
        tiles.append((what, f"{lost(abs(most.drop))} points", named(most)))
        tiles.append(("int8 shrinks weights", f"{least.shrink:.2f} times", f"least {named(least)}"))
    said = []
    if fits:
        best = max(fits, key=lambda row: (row.accuracy, -row.bytes))
        said.append(f"best {named(best)}, {percent(best.accuracy)}")
    unknown = sum(row.fits is None for row in rows)
    if unknown:
        said.append(f"{unknown} not measured")
    shown = "not measured" if unknown == len(rows) else f"{len(fits)} of {len(rows)}"
    tiles.append(("Fit the board", shown, "; ".join(said) if unknown < len(rows) else ""))
    return tiles


def write_variants_report(report: VariantsReport, output: Path) -> Path:
    """Writes variants.json, variants.csv, variants.html and, where there is a row, variants.svg
    into ``output``, each whole or not at all. Returns the path of the page. Raises OSError."""
    from pipeline.experiments.variants.picture import variants_picture

    drawn = _drawn(report)
    texts = {
        "variants.csv": variants_csv(report),
        "variants.html": _page(report, drawn),
        "variants.json": json.dumps(variants_document(report), indent=2) + "\n",
    }
    if drawn:
        texts["variants.svg"] = variants_picture(drawn)
    output.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_whole(output / name, text)
    return output / "variants.html"

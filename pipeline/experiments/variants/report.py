"""From the results of a variant's jobs, one a seed, to its row, with what limits it in words; and
`har variants` in the terminal and in files: variants.json, .csv, .svg and .html."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, NamedTuple

from pipeline.core.files import write_files
from pipeline.core.format import grouped
from pipeline.experiments.variants.request import parse_variant
from pipeline.report.claims import Claim, claims_table, span, with_claims
from pipeline.report.fields import Count, Part, Share, flat_csv
from pipeline.report.html import Page, Picture, Section
from pipeline.report.tables import MISSING, Cell, Table, field_table, number, share
from pipeline.training.metrics import mean_by_name, worst_of

LOSS = 0.005
"""Of accuracy: what a good conversion to int8 loses at most."""
SHRINK = 3.7
"""Times: what it shrinks the weights at least."""
_OF_FIRST = (
    *("bytes", "compressed_bytes", "weight_bytes", "parameters", "macs", "energy_nj"),
    *("arena_bytes", "engine_flash_bytes", "engine_ram_bytes", "instructions", "fits", "engine"),
)


class VariantRow(Part):
    """A variant, its accuracies on test subjects, means over ``seeds`` networks.

    ``bytes``: of the .tflite file, ``compressed_bytes`` of it after gzip -9; ``weight_bytes``: of
    the constants in it. ``parameters``: weights and biases, batch norm folded;
    ``nonzero_parameters`` of them are not 0. ``drop``: accuracy lost against float32 of the same
    network, 0 to 1, negative where it gained. ``shrink``: float32's weight bytes over this one's.
    ``arena_bytes``: TFLite-Micro's; ``engine_*``: of the compiled engine on a Cortex-M4F, from the
    linker's map; ``instructions``: of one inference there. None where the engine in question does
    not run it; ``limits`` says why, one sentence each. ``fits``: with the firmware around it on
    the board, by ``engine``; None where that was not measured and nothing rules it out.
    ``energy_nj``: ``macs`` x 3.2 pJ.
    """

    backbone: str
    variant: str
    seeds: list[int]
    bytes: Count
    compressed_bytes: Count
    weight_bytes: Count
    parameters: Count
    nonzero_parameters: Count
    macs: Count
    accuracy: Share
    accuracies: list[Share]
    macro_f1: Share
    worst_subject: str
    worst_subject_accuracy: Share
    drop: float
    shrink: float
    arena_bytes: Count | None
    engine_flash_bytes: Count | None
    engine_ram_bytes: Count | None
    instructions: Count | None
    energy_nj: float
    fits: bool | None
    engine: Literal["compiled", "tflm"] | None
    limits: list[str]


class VariantsReport(Part):
    """``train_windows``: that an epoch draws at most, of the network with the most. ``weights``:
    what each network began with, by backbone: imagenet, the source's name, or none."""

    command: str
    date: str
    versions: dict[str, str]
    dataset: str
    split: str
    test_windows: Count
    test_people: Count
    train_windows: Count
    weights: dict[str, str]
    seconds: float
    rows: list[VariantRow]
    notes: list[str]


class PublishedVariant(NamedTuple):
    """A row of the table that the comparison is with: images, another data set."""

    network: str
    variant: str
    megabytes: float
    accuracy: float


PUBLISHED = (
    PublishedVariant("MobileNet", "base", 10.81, 0.8964),
    PublishedVariant("MobileNet", "quantized", 4.58, 0.8102),
    PublishedVariant("MobileNet", "pruned", 9.54, 0.8096),
    PublishedVariant("SqueezeNet", "base", 0.82, 0.8894),
    PublishedVariant("SqueezeNet", "quantized", 0.13, 0.9159),
    PublishedVariant("SqueezeNet", "pruned", 0.30, 0.9158),
)
"""Course slides on MobileNet and SqueezeNet, base, quantized and pruned."""


def row_of(
    backbone: str,
    variant: str,
    seeds: list[int],
    results: list[dict[str, Any]],
    base: list[dict[str, Any]],
) -> VariantRow:
    """``results`` and ``base`` (float32 of the same networks): one of each seed, in order.
    Accuracies are means; sizes those of the first seed's network."""
    first, plain = results[0], base[0]
    accuracy = fmean(result["accuracy"] for result in results)
    drop = fmean(result["accuracy"] for result in base) - accuracy
    shrink = plain["weight_bytes"] / first["weight_bytes"]
    people = mean_by_name([result["subject_accuracy"] for result in results])
    worst = worst_of(people)
    return VariantRow(
        **{name: first[name] for name in _OF_FIRST},
        backbone=backbone,
        variant=variant,
        seeds=seeds,
        nonzero_parameters=first["nonzero"],
        accuracy=round(accuracy, 6),
        accuracies=[result["accuracy"] for result in results],
        macro_f1=round(fmean(result["macro_f1"] for result in results), 6),
        worst_subject=worst,
        worst_subject_accuracy=round(people[worst], 6),
        drop=round(drop, 6),
        shrink=round(shrink, 3),
        limits=[*_limits(variant, results, base, drop, shrink), *first["limits"]],
    )


def _limits(
    name: str,
    results: list[dict[str, Any]],
    base: list[dict[str, Any]],
    drop: float,
    shrink: float,
) -> list[str]:
    variant, first = parse_variant(name), results[0]
    limits = []
    if name == "float16":
        limits.append("Only the file is float16: weights are widened to float32 before use.")
    if variant.pruned:
        zeros = 1 - first["nonzero"] / first["parameters"]
        limits.append(f"{100 * zeros:.1f} % of all parameters are 0; no engine skips them.")
    if variant.quantized and shrink < SHRINK:
        biases = first["bias_bytes"] / first["weight_bytes"]
        limits.append(
            f"Weights shrink {shrink:.2f} times, not {SHRINK}: int32 biases are "
            f"{100 * biases:.1f} % of their bytes."
        )
    if variant.quantized and drop > LOSS:
        limits.append(f"Loses {100 * drop:.2f} points against float32.")
        if variant.pruned or variant.aware:
            before = fmean(result["network_accuracy"] for result in results)
            tuned = 100 * (fmean(result["accuracy"] for result in base) - before)
            limits[-1] += (
                f" Points lost by training: {number(tuned, 2)}, by the conversion after it: "
                f"{number(100 * drop - tuned, 2)}."
            )
    for mine, other in zip(results, base, strict=True):
        if mine["weights"] != other["weights"]:
            limits.append(
                f"Began with {mine['weights']}, float32 with {other['weights']}: not the same "
                "network; run both again into another folder."
            )
            break
    return limits


# ---- claims --------------------------------------------------------------------------------------

SAME_ACCURACY = 0.005
"""Accuracies that differ by no more are equal: half a point."""
SAME_SIZE = 1.25
"""So are two factors of size of which neither is more than this times the other."""
_EXACT = 1e-11  # sums of shares are off by less

Kind = Literal["base", "half", "quantized", "pruned", "pruned quantized"]
KINDS: tuple[Kind, ...] = ("base", "half", "quantized", "pruned", "pruned quantized")


def kind(variant: str) -> Kind:
    """What is done to the network of that name: "pruned80_qat" is "pruned quantized"."""
    quantized = variant.endswith(("int8", "qat"))
    if variant.startswith("pruned"):
        return "pruned quantized" if quantized else "pruned"
    if quantized:
        return "quantized"
    return "half" if variant == "float16" else "base"


def by_backbone(rows: Sequence[VariantRow]) -> dict[str, list[VariantRow]]:
    """Networks in the order of their first rows; the variants of each by `KINDS`."""
    found: dict[str, list[VariantRow]] = {}
    for row in rows:
        found.setdefault(row.backbone, []).append(row)
    return {
        backbone: sorted(mine, key=lambda row: KINDS.index(kind(row.variant)))
        for backbone, mine in found.items()
    }


def variant_claims(rows: Sequence[VariantRow], test_windows: int) -> list[Claim]:
    """First the bounds that this project sets int8 (``n``: rows), then accuracy and size of each
    published variant (``n``: test windows), then which published network leads (``n``: the
    same)."""
    by_name = {(row.backbone, row.variant): row for row in rows}
    quantized = [row for row in rows if "quantized" in kind(row.variant)]
    losses = []
    for row in quantized:
        pruned = kind(row.variant) == "pruned quantized"
        unquantized = row.variant.partition("_")[0] if pruned else "float32"
        if before := by_name.get((row.backbone, unquantized)):
            losses.append(before.accuracy - row.accuracy)
    shrinks = [row.shrink for row in quantized]
    return [
        Claim(
            "int8 loses, points at most",
            number(100 * LOSS),
            number(100 * max(losses), 2) if losses else "",
            len(losses),
            max(losses) <= LOSS + _EXACT if losses else None,
        ),
        Claim(
            "int8 shrinks weights, times at least",
            number(SHRINK),
            number(min(shrinks), 2) if shrinks else "",
            len(shrinks),
            min(shrinks) >= SHRINK - _EXACT if shrinks else None,
        ),
        *_published(by_name, test_windows),
        *_lead(rows, test_windows),
    ]


def _published(by_name: Mapping[tuple[str, str], VariantRow], test_windows: int) -> Iterator[Claim]:
    """For each published variant, ours of its network (of any width and size) and kind.

    Accuracy agrees where both gain, both lose, or both stay within `SAME_ACCURACY` of their base;
    size where the file shrinks as much as published, or what gzip makes of it.
    """
    for published in PUBLISHED:
        if published.variant == "base":
            base = published
            continue
        change = published.accuracy - base.accuracy
        smaller = base.megabytes / published.megabytes
        for row in by_name.values():
            if kind(row.variant) != published.variant or not _is_of(published, row):
                continue
            name = f"{published.network} {published.variant}"
            yield Claim(
                f"{name}, points: {row.variant}",
                number(100 * change, sign=True),
                number(-100 * row.drop, 2, sign=True),
                test_windows,
                _direction(-row.drop) == _direction(change),
            )
            before = by_name.get((row.backbone, "float32"))
            file, compressed = (
                getattr(before, size) / getattr(row, size)
                if before and getattr(row, size)
                else None
                for size in ("bytes", "compressed_bytes")
            )
            sizes = [each for each in (file, compressed) if each]
            yield Claim(
                f"{name}, size: {row.variant}",
                f"÷ {number(smaller)}",
                f"÷ {number(file, 2)} (gzip {number(compressed, 2)})",
                test_windows,
                any(max(s / smaller, smaller / s) <= SAME_SIZE for s in sizes) if sizes else None,
            )


def _direction(change: float) -> int:
    return 0 if abs(change) <= SAME_ACCURACY + _EXACT else 1 if change > 0 else -1


def _is_of(published: PublishedVariant, row: VariantRow) -> bool:
    return row.backbone.lower().startswith(published.network.lower())


def _lead(rows: Sequence[VariantRow], test_windows: int) -> Iterator[Claim]:
    """MobileNet's accuracy less SqueezeNet's, as trained and quantized."""
    for variant, ours in (("base", "float32"), ("quantized", "int8")):
        theirs = [each for each in PUBLISHED if each.variant == variant]
        here = [
            next((row for row in rows if _is_of(each, row) and row.variant == ours), None)
            for each in theirs
        ]
        if here[0] is not None and here[1] is not None:
            published = theirs[0].accuracy - theirs[1].accuracy
            measured = here[0].accuracy - here[1].accuracy
            yield Claim(
                f"MobileNet's lead, points: {ours}",
                number(100 * published, sign=True),
                number(100 * measured, 2, sign=True),
                test_windows,
                published * measured > 0,
            )


# ---- files, tables and pictures ------------------------------------------------------------------

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

"""`har fxcy` in the terminal and in files: fxcy.json, CSV, pictures and a page."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.files import write_files
from pipeline.core.format import grouped, percent
from pipeline.experiments.fxcy.claims import (
    DEVICE_TIE,
    Comparison,
    agreements,
    case_label,
    comparisons,
    fxcy_claims,
    joules,
    knee,
    signed,
    spread,
)
from pipeline.experiments.fxcy.rows import PUBLISHED, DeviceRow, FxcyReport, FxcyRow
from pipeline.report.claims import Claim, claims_table, with_claims
from pipeline.report.fields import flat_csv
from pipeline.report.html import Page, Picture, Section
from pipeline.report.tables import MISSING, Cell, Table, field_table, number, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS = (
    "Accuracy on the target's test subjects (line: one standard deviation over seeds; dotted: FC) "
    "and energy. Blue: the knee, where more layers stop paying."
)
CURVES = (
    "Accuracy on the target's test subjects after each epoch, mean over seeds. Dotted: the best of "
    "FC's. Thick: the knee."
)
_CASES = (
    *("case", "acc. ± sd", "F1", "worst", "subject", "loss", "energy", "training", "epochs"),
    *("faster", "less", "layers", "params", "RAM, KB", "board"),
)
_DEVICE = (
    *("pair", "backbone", "case", "TensorFlow", "device", "diff.", "noise", "agrees", "F1"),
    *("worst", "subject", "Adam", "windows", "RAM, KB"),
)
_ONLY_ON_PAGE = ("F1", "subject", "loss", "training", "less", "layers")
LEGEND = (
    "*: the knee, the shallowest case within a standard error (or half a point) of the best",
    "acc., worst: accuracy in %, of all test subjects and of the worst; energy: forward MACs of "
    "the trained layers, one window, x 3.2 pJ (the original's formula)",
    "epochs: until FC's best accuracy, mean over the seeds that reach it (their number after it "
    "where not all do); faster: % of FC's epochs saved; RAM: to train; board: its learner has "
    "this case",
)
_LEGEND_OF_PAGE = (
    "F1: macro, %; loss: nats; training: energy of one training step on one window, counted; less: "
    "% of FC's training energy saved; layers: trained ones of the extractor",
)
_PUBLISHED = "FC and FxC1: Fragkou, Katsaros 2023; Lygnos 2022"
_DEVICE_LEGEND = (
    "TensorFlow: the device's rule in float32; diff.: device less that, points; agrees: within 2 "
    f"standard errors of the difference over seeds, or {100 * DEVICE_TIE:g} point; Adam: the same "
    "case in the tables above",
)


def bars_picture(report: FxcyReport) -> str:
    """Accuracy with one sd over seeds and the original's energy (logarithmic) of every case, as an
    SVG file."""
    from matplotlib.ticker import EngFormatter

    from pipeline.report.plots import GOOD, SOFT, canvas, svg

    panels = _panels(report)
    columns = min(len(panels), 2)
    high = 0.5 + 0.2 * max(len(each.rows) for each in panels)
    rows = math.ceil(len(panels) / columns)
    energies = [max(row.energy_nj, 1e-3) * 1e-9 for row in report.rows]
    with canvas("fxcy-bars", 6.0 * columns, high * rows) as figure:
        grid = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[3, 2] * columns)
        for axes in grid.flat[2 * len(panels) :]:
            axes.remove()
        for each, left, right in zip(panels, grid.flat[::2], grid.flat[1::2], strict=False):
            where, fc = knee(each.rows), each.case("fc")
            names = [case_label(row.case) for row in each.rows]
            colours = [GOOD if row.case == where else SOFT for row in each.rows]
            accuracies = [100 * row.accuracy for row in each.rows]
            deviations = [100 * (row.sd or 0.0) for row in each.rows]
            bars = left.barh(names, accuracies, xerr=deviations, color=colours)
            left.bar_label(bars, fmt="%.1f", size=8, padding=2)
            if fc is not None:
                left.axvline(100 * fc.accuracy, color="black", linestyle=":", linewidth=1)
            joules = [max(row.energy_nj, 1e-3) * 1e-9 for row in each.rows]
            right.set_xscale("log")
            right.set_xlim(min(energies) / 2, 2 * max(energies))
            right.barh(names, joules, color=colours)
            right.xaxis.set_major_formatter(EngFormatter("J", places=0))
            right.minorticks_off()
            right.tick_params(axis="y", labelleft=False)
            for axes in (left, right):
                axes.invert_yaxis()
                axes.tick_params(labelsize=8)
            left.set_xlim(0, 115)
            _title(left, each)
            left.set_xlabel("accuracy, %", size=8)
            right.set_xlabel("energy", size=8)
        return svg(figure)


def curves_picture(report: FxcyReport) -> str:
    """Accuracy on the test set after each epoch, a line a case, as an SVG file."""
    import matplotlib

    from pipeline.report.plots import canvas, svg

    panels = [each for each in _panels(report) if any(row.accuracy_curve for row in each.rows)]
    columns = min(len(panels), 2)
    rows = math.ceil(len(panels) / columns)
    high = max(2.8, 0.25 * max(len(each.rows) for each in panels))
    with canvas("fxcy-curves", 6.0 * columns, high * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        for each, axes in zip(panels, grid.flat, strict=False):
            shown = [row for row in each.rows if row.accuracy_curve]
            for place, row in enumerate(shown):
                axes.plot(
                    range(1, len(row.accuracy_curve) + 1),
                    [100 * share for share in row.accuracy_curve],
                    label=case_label(row.case),
                    color=matplotlib.colormaps["viridis"](place / max(len(shown) - 1, 1)),
                    linestyle="--" if row.case == "scratch" else "-",
                    linewidth=2.6 if row.case == knee(each.rows) else 1.2,
                )
            fc = each.case("fc")
            if fc is not None and fc.accuracy_curve:
                axes.axhline(100 * max(fc.accuracy_curve), color="black", linestyle=":")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set(xlabel="epoch", ylabel="accuracy, %")
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
            _title(axes, each)
        return svg(figure)


def _title(axes: Axes, each: Comparison) -> None:
    from pipeline.report.plots import label

    names = f"{label(each.source)} → {label(each.target)}, {label(each.backbone)}"
    axes.set_title(names, loc="left", size=10)


def _panels(report: FxcyReport) -> Sequence[Comparison]:
    """By backbone, then by pair, so that two pairs stand side by side."""
    found = comparisons(report.rows)
    order = list(dict.fromkeys(each.backbone for each in found))
    return sorted(found, key=lambda each: order.index(each.backbone))


def fxcy_tables(report: FxcyReport, *, page: bool = False) -> list[Table]:
    """A table for each pair and backbone, the knee starred; then the device's own learner against
    TensorFlow. On a ``page`` there are more columns."""
    cases = [_case_table(report, each) for each in comparisons(report.rows)]
    if cases:
        cases[-1] = Table(
            cases[-1].title,
            cases[-1].columns,
            cases[-1].rows,
            [*cases[-1].notes, *LEGEND, *(_LEGEND_OF_PAGE if page else ()), *report.notes],
        )
    if not page:
        cases = [each.without(*_ONLY_ON_PAGE) for each in cases]
    if not report.device_rows:
        return cases
    device = _device_table(report)
    if not page:
        device = device.without("F1", "worst", "subject", "noise", "windows", "RAM, KB")
    return [*cases, device]


def _case_table(report: FxcyReport, each: Comparison) -> Table:
    rows: list[list[str | Cell]] = []
    where = knee(each.rows)
    for row in each.rows:
        some = row.epochs_to_fc is not None and row.seeds_to_fc < len(row.seeds)
        cells = [
            case_label(row.case) + "*" * (row.case == where),
            spread(row.accuracy, row.sd),
            share(row.macro_f1),
            share(row.worst_subject_accuracy),
            row.worst_subject or MISSING,
            f"{row.loss:.3f}",
            joules(row.energy_nj),
            joules(row.training_energy_nj),
            number(row.epochs_to_fc) + f" ({row.seeds_to_fc})" * some,
            number(row.faster_percent, 0),
            number(row.less_energy_percent, 0),
            str(row.trained_layers),
            grouped(row.trainable_parameters),
            f"{row.device_bytes / 1024:,.1f}",
            "yes" if row.board_learns else "",
        ]
        rows.append([Cell(cell, "strong" if row.case == where else "") for cell in cells])
    first = each.rows[0]
    about = [
        f"{max(len(row.seeds) for row in each.rows)} seeds",
        f"{grouped(first.train_windows)} windows to learn from, {grouped(first.test_windows)} "
        "to test on",
    ]
    if each.backbone in report.epochs:
        about.append(f"{report.epochs[each.backbone]} epochs")
    for info in report.pairs:
        if (info.source, info.target) == (each.source, each.target):
            about += [f"{info.test_people} test subjects"] * (info.test_people > 0)
            if each.backbone in info.source_accuracy:
                about.append(f"{percent(info.source_accuracy[each.backbone])} on the source")
    return Table(f"{each.pair} · {each.backbone}", _CASES, rows, [", ".join(about)])


def _device_table(report: FxcyReport) -> Table:
    rows: list[list[str | Cell]] = []
    for each in agreements(report):
        device, adam = each.device, each.adam
        rows.append(
            [
                f"{device.source} → {device.target}",
                device.backbone,
                case_label(device.case),
                spread(device.tensorflow_accuracy, device.tensorflow_sd),
                spread(device.accuracy, device.sd),
                signed(each.difference),
                f"{100 * each.noise:.1f}",
                Cell("yes", "good") if each.agrees else Cell("no", "bad"),
                f"{share(device.tensorflow_macro_f1)}, {share(device.macro_f1)}",
                share(device.worst_subject_accuracy),
                device.worst_subject,
                MISSING if adam is None else spread(adam.accuracy, adam.sd),
                grouped(device.kept_windows),
                f"{device.kept_bytes / 1024:,.1f}",
            ]
        )
    return Table("The firmware's own learner", _DEVICE, rows, _DEVICE_LEGEND, names=3)


def fxcy_pictures(report: FxcyReport) -> dict[str, Picture]:
    """By file, as far as there is something to draw."""
    pictures = {"fxcy.svg": Picture(bars_picture(report), BARS)} if report.rows else {}
    if any(row.accuracy_curve for row in report.rows):
        pictures["fxcy_curves.svg"] = Picture(curves_picture(report), CURVES)
    return pictures


def fxcy_page(report: FxcyReport, pictures: dict[str, Picture], claims: Sequence[Claim]) -> str:
    """The page as HTML text, self-contained."""
    facts: dict[str, object] = {
        "command": report.command,
        "date": report.date,
        "seeds": ", ".join(map(str, sorted({seed for row in report.rows for seed in row.seeds}))),
        "time of all jobs, one after the other": f"{report.seconds:.0f} s",
        **report.versions,
    }
    for info in report.pairs:
        pair = f"{info.source} → {info.target}"
        facts[f"{pair}: split"] = info.target_split
        facts[f"{pair}: activities"] = ", ".join(info.activities)
        for name, weights in info.weights.items():
            facts[f"{pair}: {name} began with"] = weights
    return Page(
        command="har fxcy",
        title="How many of the last layers to retrain",
        lead="A network trained on one data set learns another. FC trains its classifier alone; "
        "FxC1, FxC2, … also the last one, two, … convolutions; whole all of it; scratch starts "
        "from random weights. Accuracies are of held-out subjects after the last epoch; nothing "
        "was chosen by them.",
        notices=report.notes,
        sections=[
            Section("Claims", tables=[claims_table(claims)]),
            *(Section(each.alt, pictures=[each]) for each in pictures.values()),
            Section("Published, on images", tables=[field_table(_PUBLISHED, PUBLISHED, names=2)]),
            Section("Every case", tables=fxcy_tables(report, page=True)),
            Section("How it was measured", facts=facts),
        ],
    ).html()


def fxcy_document(report: FxcyReport) -> dict[str, Any]:
    """For --json and fxcy.json: the report, where more layers stop paying, and the claims."""
    knees = [
        {"source": each.source, "target": each.target, "backbone": each.backbone, "case": found}
        for each in comparisons(report.rows)
        if (found := knee(each.rows)) is not None
    ]
    return with_claims(report, fxcy_claims(report), knees=knees)


def write_fxcy_report(report: FxcyReport, output: Path) -> Path:
    """Writes fxcy.json, fxcy.csv, fxcy_claims.csv, fxcy_device.csv, fxcy.svg, fxcy_curves.svg and
    fxcy.html into ``output``, each whole or not at all; none that would be empty. Returns the path
    of the page. Raises ExternalError."""
    pictures, claims = fxcy_pictures(report), fxcy_claims(report)
    files = {
        "fxcy.csv": flat_csv(FxcyRow, report.rows),
        "fxcy_claims.csv": flat_csv(Claim, claims),
        "fxcy.html": fxcy_page(report, pictures, claims),
        "fxcy.json": json.dumps(fxcy_document(report), indent=2) + "\n",
        **{name: picture.svg for name, picture in pictures.items()},
    }
    if report.device_rows:
        files["fxcy_device.csv"] = flat_csv(DeviceRow, report.device_rows)
    for stale in {"fxcy_device.csv", "fxcy.svg", "fxcy_curves.svg"} - files.keys():
        (output / stale).unlink(missing_ok=True)  # of an earlier run that had more to show
    write_files(output, files)
    return output / "fxcy.html"

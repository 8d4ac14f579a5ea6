"""`har fxcy` in the terminal and in files: fxcy.json, CSV, pictures and a page."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.files import write_files
from pipeline.core.format import NARROW_SPACE, grouped, percent, printable
from pipeline.experiments.fxcy.rows import PUBLISHED, DeviceRow, FxcyReport, FxcyRow
from pipeline.report.claims import Claim, claims_table, span, with_claims
from pipeline.report.fields import flat_csv
from pipeline.report.html import Page, Picture, Section
from pipeline.report.tables import MISSING, Cell, Table, field_table, number, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {"last_dense": "last dense", "fc": "FC", "whole": "whole", "scratch": "scratch"}
_FXC = re.compile(r"fxc(\d+)")

TIE = 0.005
"""Half a point: accuracies nearer than this are level, however small their standard error."""
DEVICE_TIE = 0.01
"""One point: of the device's accuracy to TensorFlow's."""
_SLACK = 0.5  # points, percent or times: what a range may be missed by


@dataclass(frozen=True)
class Comparison:
    """All cases of one backbone and pair, least trained first, scratch last."""

    source: str
    target: str
    backbone: str
    rows: tuple[FxcyRow, ...]

    @property
    def pair(self) -> str:
        """E.g. "hapt → watch"."""
        return f"{printable(self.source)} → {printable(self.target)}"

    def case(self, name: str) -> FxcyRow | None:
        """The row of a case; None where it was not run."""
        return next((row for row in self.rows if row.case == name), None)


def comparisons(rows: Iterable[FxcyRow]) -> list[Comparison]:
    """Rows by pair and backbone, in the order in which these first appear."""
    found: dict[tuple[str, str, str], list[FxcyRow]] = {}
    for row in rows:
        found.setdefault((row.source, row.target, row.backbone), []).append(row)
    return [Comparison(*key, tuple(by_depth(group))) for key, group in found.items()]


def by_depth(rows: Iterable[FxcyRow]) -> list[FxcyRow]:
    """last_dense, fc, fxc1, fxc2, ..., whole, scratch."""
    return sorted(rows, key=lambda row: _depth(row.case))


def _depth(case: str) -> tuple[float, str]:
    fixed = {"last_dense": -1.0, "fc": 0.0, "whole": math.inf}
    if case in fixed:
        return fixed[case], ""
    layers = _FXC.fullmatch(case)
    return (float(layers[1]), "") if layers else (math.inf, case)


def case_label(case: str) -> str:
    """fxc2 -> "FxC2", last_dense -> "last dense"."""
    layers = _FXC.fullmatch(case)
    return f"FxC{layers[1]}" if layers else _LABELS.get(case, printable(case))


def chain(rows: Iterable[FxcyRow]) -> list[FxcyRow]:
    """fc, fxc1, fxc2, ..., whole: each trains all that the one before it trains, and more.
    last_dense trains only a part of the classifier and scratch has no source: they are not in it.
    """
    on_it = [row for row in rows if row.case in ("fc", "whole") or _FXC.fullmatch(row.case)]
    return by_depth(on_it)


def knee(rows: Iterable[FxcyRow]) -> str | None:
    """Where more layers stop paying, of the rows of one pair and backbone: the shallowest case of
    `chain` within one standard error of its most accurate (Breiman's rule; the standard error of
    that case over seeds, at least `TIE`). "whole" where they pay to the end; None without a row.
    """
    cases = chain(rows)
    if not cases:
        return None
    best = max(cases, key=lambda row: row.accuracy)
    enough = best.accuracy - max(standard_error(best), TIE) - 1e-9
    return next(row.case for row in cases if row.accuracy >= enough)


def standard_error(*measured: FxcyRow) -> float:
    """Of a mean over seeds; of two, of their difference (as of independent ones). One seed tells
    nothing of it and counts as 0."""
    return math.sqrt(sum((each.sd or 0.0) ** 2 / max(len(each.seeds), 1) for each in measured))


def compare(one: FxcyRow, other: FxcyRow) -> int:
    """1 where ``one`` is more accurate than ``other``, -1 where less, 0 where they are level:
    within one standard error of the difference, or `TIE`."""
    difference = one.accuracy - other.accuracy
    if abs(difference) <= max(standard_error(one, other), TIE) + 1e-9:
        return 0
    return 1 if difference > 0 else -1


@dataclass(frozen=True)
class Agreement:
    """The device's learner against the same rule in TensorFlow. ``difference``: device less
    TensorFlow, 0 to 1; ``noise``: what it may be, 2 standard errors of the difference or
    `DEVICE_TIE`. ``adam``: the row of the same case as all networks learn it, None where it was not
    run."""

    device: DeviceRow
    difference: float
    noise: float
    adam: FxcyRow | None

    @property
    def agrees(self) -> bool:
        """Whether the difference is within noise."""
        return abs(self.difference) <= self.noise + 1e-9


def agreements(report: FxcyReport) -> list[Agreement]:
    """Of the device rows, in their order."""
    adam = {(row.source, row.target, row.backbone, row.case): row for row in report.rows}
    found = []
    for row in report.device_rows:
        both = math.hypot(row.sd or 0.0, row.tensorflow_sd or 0.0)
        found.append(
            Agreement(
                row,
                row.accuracy - row.tensorflow_accuracy,
                max(2 * both / math.sqrt(max(len(row.seeds), 1)), DEVICE_TIE),
                adam.get((row.source, row.target, row.backbone, row.case)),
            )
        )
    return found


def spread(accuracy: float, sd: float | None) -> str:
    """A mean over seeds in percent, and their deviation where there are several."""
    return f"{100 * accuracy:.1f}" + ("" if sd is None else f" ± {100 * sd:.1f}")


def joules(nj: float) -> str:
    """Nanojoules in the unit that suits: 844.9 -> "845 nJ", 64735.2 -> "64.7 µJ"."""
    units = ("nJ", "µJ", "mJ", "J")
    place = 0
    while place + 1 < len(units) and abs(nj) >= 999.5:
        nj, place = nj / 1000, place + 1
    digits = 0 if abs(nj) >= 99.95 else 1 if abs(nj) >= 9.995 else 2
    return f"{nj:,.{digits}f}{NARROW_SPACE}{units[place]}"


def signed(share: float) -> str:
    """A difference of shares in points: 0.0712 -> "+7.1", 0.0001 -> "0.0"."""
    value = round(100 * share, 1)
    return "0.0" if value == 0 else f"{value:+.1f}".replace("-", "\u2212")


def ratio(row: FxcyRow, other: FxcyRow, figure: str = "energy_nj") -> float | None:
    """How many times ``other``'s energy ``row`` takes; None where the latter has none."""
    base = float(getattr(other, figure))
    found = float(getattr(row, figure)) / base if base > 0 else math.inf
    return found if math.isfinite(found) else None


def fxcy_claims(report: FxcyReport) -> list[Claim]:
    """``n``: comparisons, one of a backbone on a pair of data sets; of the last claim, cases. A
    claim of many comparisons holds where it does in more than half of them."""
    every = comparisons(report.rows)
    pairs = [
        (fc, fxc1)
        for each in every
        if (fc := each.case("fc")) is not None and (fxc1 := each.case("fxc1")) is not None
    ]
    whole = [
        (each, whole, scratch)
        for each in every
        if (whole := each.case("whole")) is not None
        and (scratch := each.case("scratch")) is not None
    ]
    knees = [(each.case(knee(each.rows) or "whole"), scratch) for each, _, scratch in whole]
    sooner = [fxc1.faster_percent for _, fxc1 in pairs]
    device = agreements(report)
    return [
        _count("FxC1 is more accurate than FC", [compare(b, a) > 0 for a, b in pairs], published=4),
        _range(
            "gain of FxC1 over FC, points",
            [100 * (case.accuracy_fxc1 - case.accuracy_fc) for case in PUBLISHED],
            [100 * (fxc1.accuracy - fc.accuracy) for fc, fxc1 in pairs],
        ),
        _count(
            "FxC1 reaches FC's best accuracy sooner",
            [each is not None and each > 0 for each in sooner],
            published=4,
        ),
        _range("epochs that this saves, %", [case.faster_percent for case in PUBLISHED], sooner),
        _range(
            "energy of FxC1 over FC's, times",
            [case.energy_fxc1_nj / case.energy_fc_nj for case in PUBLISHED],
            [ratio(fxc1, fc) for fc, fxc1 in pairs],
        ),
        _range(
            "the same of training, counted, times",
            [],
            [ratio(fxc1, fc, "training_energy_nj") for fc, fxc1 in pairs],
        ),
        _count("whole beats scratch", [compare(b, a) > 0 for _, b, a in whole]),
        _count(
            "scratch does not beat the knee",
            [row is not None and compare(scratch, row) <= 0 for row, scratch in knees],
        ),
        _count(
            "device equals TensorFlow within noise",
            [each.agrees for each in device],
            all_=True,
        ),
    ]


def _count(claim: str, found: Sequence[bool], *, published: int = 0, all_: bool = False) -> Claim:
    n, count = len(found), sum(found)
    return Claim(
        claim,
        f"{published} of {published}" if published else MISSING,
        f"{count} of {n}",
        n,
        (count == n if all_ else 2 * count > n) if n else None,
    )


def _range(claim: str, published: Sequence[float], found: Sequence[float | None]) -> Claim:
    values = [value for value in found if value is not None]
    holds = None
    if published and found:
        low, high = min(published) - _SLACK, max(published) + _SLACK
        holds = 2 * sum(low <= value <= high for value in values) > len(found)
    return Claim(
        claim, published=span(published), measured=span(values), n=len(values), holds=holds
    )


# ---- files, tables and pictures ------------------------------------------------------------------

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

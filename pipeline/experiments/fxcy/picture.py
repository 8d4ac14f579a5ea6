"""The pictures of `har fxcy`: accuracy and energy of every case, and learning curves; a row a
backbone, a column a pair of data sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.experiments.fxcy.format import Comparison, case_label, comparisons, knee
from pipeline.experiments.fxcy.schema import FxcyReport

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

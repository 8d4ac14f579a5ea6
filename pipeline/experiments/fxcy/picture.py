"""The pictures of `har fxcy`: bars of accuracy and energy by case, and learning curves; a panel a
backbone and pair, pairs side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.core.format import percent, printable
from pipeline.experiments.fxcy.format import (
    Comparison,
    case_label,
    comparisons,
    joules,
    knee,
    signed,
)
from pipeline.experiments.fxcy.schema import FxcyReport, FxcyRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 5.0  # inches of a panel
_ROW = 0.235  # of a bar with its gap
_APART = 0.45  # of a row, before scratch
_HEAD = 0.62  # inches of a panel's title and axis
_CURVE = 2.7  # inches of a panel's curves
_LABEL = 0.075  # of a panel's height, between two names of curves
_TITLE = 48  # letters
_MARK = "\u25c2 knee"
BARS = (
    "Accuracy on the target's test set, mean over seeds; orange: one standard deviation; the "
    "broken line in a bar: FC.",
    "Energy by the original's formula, logarithmic. Full colour: the knee, where more layers stop "
    "paying. "
    "Hatched: trained from scratch.",
)
CURVES = (
    "Accuracy on the target's test set after each epoch, mean over seeds. Broken line across: "
    "the best of FC's.",
    "Thick: the knee. The fuller the green, the more layers; dots: from scratch and last dense.",
)


def bars_picture(report: FxcyReport, name: str = "fxcy-bars") -> str:
    """Accuracy (0 to 100 %, a whisker is one sd over seeds) and the original's energy
    (logarithmic) of every case, as inline SVG. The knee has the full colour and is named, scratch
    stands apart; a broken line in a bar is FC's accuracy. Energies share one scale over all
    panels."""
    from pipeline.report.plots import ACCENT, LINE, MUTED, ON_ACCENT, SOFT, WARN, _inline

    panels = _panels(report)
    energies = [row.energy_nj for row in report.rows if row.energy_nj > 0]
    low = math.floor(math.log10(min(energies))) if energies else 0
    high = max(math.ceil(math.log10(max(energies))), low + 1) if energies else 1
    heights = [_HEAD + _ROW * (1.2 + max(len(each.rows) for each in row)) for row in _grid(panels)]
    with _figure(name, panels, heights, (0.6, 0.4)) as (figure, cells):
        for each, (left, right) in zip(panels, cells, strict=True):
            where, fc = knee(each.rows), each.case("fc")
            places = _places(each.rows)
            for row, place in zip(each.rows, places, strict=True):
                at_knee, apart = row.case == where, row.case == "scratch"
                colour = ACCENT if at_knee else SOFT
                look: dict[str, Any] = {"height": 0.68, "color": colour}
                if apart:
                    look |= {"facecolor": "none", "edgecolor": MUTED, "hatch": "/////"}
                left.barh(place, 100 * row.accuracy, **look)
                ends = [100 * (row.accuracy + side * (row.sd or 0.0)) for side in (-1, 1)]
                left.plot(ends, [place, place], color=WARN, linewidth=1.4, solid_capstyle="butt")
                left.text(
                    max(100 * row.accuracy, ends[1]) + 2,
                    place,
                    f"{100 * row.accuracy:.1f}",
                    va="center",
                    weight="bold" if at_knee else "normal",
                )
                if at_knee:
                    left.text(2, place, "knee", va="center", size=9, color=ON_ACCENT, weight="bold")
                if fc is not None and row.accuracy > fc.accuracy:
                    left.plot(
                        [100 * fc.accuracy] * 2,
                        [place - 0.34, place + 0.34],
                        color=ON_ACCENT if at_knee else MUTED,
                        linewidth=1,
                        linestyle=(0, (2, 1)),
                    )
                decades = math.log10(row.energy_nj) - low if row.energy_nj > 0 else 0.0
                right.barh(place, decades + 0.5, **look)
                right.text(decades + 0.72, place, joules(row.energy_nj), va="center")
            for axes in (left, right):
                axes.set_ylim(places[-1] + 0.6, -0.6)
                axes.set_axisbelow(True)
                axes.grid(axis="x", color=LINE, linewidth=0.8)
            left.set_yticks(places, [case_label(row.case) for row in each.rows])
            left.set_xlim(0, 122)
            left.set_xticks([0, 50, 100], ["0", "50", "100 %"], size=8.5)
            right.set_yticks([])
            ticks = [tick for tick in range(low, high + 1) if tick % 3 == 0] or [low]
            right.set_xlim(0, 1.6 * (high - low + 0.5))
            right.set_xticks(
                [tick - low + 0.5 for tick in ticks], [_power(tick) for tick in ticks], size=8.5
            )
            left.set_title(_title(each), loc="left", size=10.5, weight="bold")
        return _inline(figure, name, _said(panels, _bars_said))


def curves_picture(report: FxcyReport, name: str = "fxcy-curves") -> str:
    """Accuracy on the test set after each epoch, a line a case, as inline SVG. Fuller: more
    layers; the dashed line across is the best of FC's own (mean) curve; scratch is dotted."""
    from pipeline.report.plots import INK, LINE, MUTED, WARN, _inline

    panels = [each for each in _panels(report) if any(row.accuracy_curve for row in each.rows)]
    heights = [
        _HEAD + _CURVE * max(1.0, _LABEL * max(len(each.rows) for each in row))
        for row in _grid(panels)
    ]
    with _figure(name, panels, heights, (0.76, 0.24)) as (figure, cells):
        for each, (axes, names_of) in zip(panels, cells, strict=True):
            rows = [row for row in each.rows if row.accuracy_curve]
            where, ends = knee(each.rows), []
            longest = max(len(row.accuracy_curve) for row in rows)
            for row, style in zip(rows, _styles(rows), strict=True):
                curve = [100 * share for share in row.accuracy_curve]
                epochs = range(1, len(curve) + 1)
                marker: dict[str, Any] = {"marker": "o", "markersize": 3} if longest <= 8 else {}
                at_knee = row.case == where
                axes.plot(epochs, curve, linewidth=2.6 if at_knee else 1.4, **style, **marker)
                ends.append((curve[-1], row, style, at_knee))
            fc = each.case("fc")
            if fc is not None and fc.accuracy_curve:
                best = 100 * max(fc.accuracy_curve)
                axes.plot([1, longest], [best] * 2, color=WARN, linewidth=1, linestyle=(0, (4, 2)))
            _limits(axes, rows)
            names_of.remove()
            low, high = axes.get_ylim()
            aside = longest + 0.07 * max(longest - 1, 1)
            gap = (high - low) * min(_LABEL, 1 / len(ends))
            names = _apart([end[0] for end in ends], gap, low, high)
            for height, (last, row, style, at_knee) in zip(names, ends, strict=True):
                axes.plot(
                    [len(row.accuracy_curve), aside],
                    [last, height],
                    color=style["color"],
                    alpha=0.5,
                    linewidth=0.7,
                    clip_on=False,
                )
                axes.text(
                    aside,
                    height,
                    f" {case_label(row.case)}" + (f" {_MARK}" if at_knee else ""),
                    va="center",
                    color=INK,
                    size=9,
                    weight="bold" if at_knee else "normal",
                )
            axes.set_xlim(0.98, max(longest, 1.02))
            axes.set_xticks(_ticks(longest))
            axes.tick_params(axis="both", labelcolor=MUTED, labelsize=8.5)
            axes.grid(axis="y", color=LINE, linewidth=0.8)
            axes.set_axisbelow(True)
            axes.set_title(_title(each), loc="left", size=10.5, weight="bold")
        return _inline(figure, name, _said(panels, _curves_said))


def _panels(report: FxcyReport) -> list[Comparison]:
    """By backbone, then by pair, so that two pairs stand side by side."""
    found = comparisons(report.rows)
    order = list(dict.fromkeys(each.backbone for each in found))
    return sorted(found, key=lambda each: order.index(each.backbone))


def _grid(panels: Sequence[Comparison]) -> list[list[Comparison]]:
    """Rows of panels."""
    columns = _columns(panels)
    return [list(panels[at : at + columns]) for at in range(0, len(panels), columns)]


def _columns(panels: Sequence[Comparison]) -> int:
    return min(len(panels), 2)


@contextmanager
def _figure(
    name: str,
    panels: Sequence[Comparison],
    heights: Sequence[float],
    shares: tuple[float, float],
) -> Iterator[tuple[Figure, list[tuple[Axes, Axes]]]]:
    """A figure of as many rows as ``heights`` (inches), and for each panel two axes side by side,
    which have ``shares`` of its width."""
    from pipeline.report.plots import _canvas

    columns = _columns(panels)
    with _canvas(name, _WIDTH * columns, sum(heights)) as (figure, axes):
        axes.remove()
        grid = figure.add_gridspec(
            len(heights), columns, height_ratios=heights, hspace=0.34, wspace=0.2
        )
        cells = []
        for place in range(len(panels)):
            inner = grid[place // columns, place % columns].subgridspec(
                1, 2, width_ratios=shares, wspace=0.04
            )
            cells.append((figure.add_subplot(inner[0, 0]), figure.add_subplot(inner[0, 1])))
        yield figure, cells


def _places(rows: Sequence[FxcyRow]) -> list[float]:
    """Heights of bars: one below the other, scratch a little apart."""
    return [at + (_APART if row.case == "scratch" and at else 0.0) for at, row in enumerate(rows)]


def _styles(rows: Sequence[FxcyRow]) -> list[dict[str, Any]]:
    """FC and last dense in the warm colour, deeper cases in ever fuller green, whole in ink."""
    from pipeline.report.plots import ACCENT, INK, MUTED, WARN

    between = [row.case for row in rows if row.case not in ("last_dense", "fc", "whole", "scratch")]
    fixed: Mapping[str, dict[str, Any]] = {
        "last_dense": {"color": WARN, "linestyle": (0, (1, 1))},
        "fc": {"color": WARN},
        "whole": {"color": INK},
        "scratch": {"color": MUTED, "linestyle": (0, (1, 1.2))},
    }
    return [
        fixed.get(row.case)
        or {
            "color": ACCENT,
            "alpha": 0.4 + 0.6 * between.index(row.case) / max(len(between) - 1, 1),
        }
        for row in rows
    ]


def _limits(axes: Axes, rows: Sequence[FxcyRow]) -> None:
    shown = [100 * share for row in rows for share in row.accuracy_curve]
    low, high = min(shown), max(shown)
    room = max(0.06 * (high - low), 0.5)
    axes.set_ylim(max(low - room, -1), min(high + room, 101))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")


def _apart(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The same heights in the same order, at least ``gap`` from each other, within low to high as
    long as there is room."""
    order = sorted(range(len(heights)), key=lambda at: heights[at])
    placed = [0.0] * len(heights)
    floor = low
    for at in order:
        placed[at] = max(heights[at], floor)
        floor = placed[at] + gap
    ceiling = high
    for at in reversed(order):
        placed[at] = min(placed[at], ceiling)
        ceiling = placed[at] - gap
    return placed


def _ticks(epochs: int) -> list[int]:
    step = next((s for s in (1, 2, 5, 10, 20, 50, 100) if epochs / s <= 6), max(epochs // 5, 1))
    return sorted({1, *range(step, epochs + 1, step)} - ({2} if step == 2 else set()))


def _power(exponent: int) -> str:
    """3 -> "1 µJ", of nanojoules."""
    unit, ten = divmod(exponent, 3)
    names = {-2: "fJ", -1: "pJ", 0: "nJ", 1: "µJ", 2: "mJ", 3: "J"}
    return f"{10**ten} {names[unit]}" if unit in names else f"1e{exponent} nJ"


def _title(each: Comparison) -> str:
    title = f"{each.pair} · {printable(each.backbone)}"
    return title if len(title) <= _TITLE else title[: _TITLE - 1] + "…"


def _said(panels: Sequence[Comparison], say: Callable[[Comparison], str]) -> str:
    return " ".join(f"{each.name}: {say(each)}." for each in panels)


def _bars_said(each: Comparison) -> str:
    cases = ", ".join(
        f"{case_label(row.case)} {percent(row.accuracy)} at {joules(row.energy_nj)}"
        for row in each.rows
    )
    return f"{cases}; the knee is {case_label(knee(each.rows) or 'nowhere')}"


def _curves_said(each: Comparison) -> str:
    return ", ".join(
        f"{case_label(row.case)} "
        f"{signed(row.accuracy_curve[-1] - row.accuracy_curve[0])} points over "
        f"{len(row.accuracy_curve)} epochs"
        for row in each.rows
        if row.accuracy_curve
    )

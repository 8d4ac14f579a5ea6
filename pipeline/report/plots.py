"""Pictures by matplotlib as SVG: no pyplot, so no backend and no global state, and the same
figures give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.core.format import grouped, percent, printable, subject_label
from pipeline.report.fields import SubjectScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pipeline.core.types import Array

_NAME = 18  # letters of a name
GOOD, WARN, SOFT = "tab:blue", "tab:orange", "lightsteelblue"


@contextmanager
def canvas(name: str, width: float, height: float) -> Iterator[Figure]:
    """A figure of width x height inches. ``name`` makes the ids in the SVG its own."""
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = {
        "svg.hashsalt": name,
        "svg.fonttype": "none",
        "font.sans-serif": ["DejaVu Sans", "Arial"],
        "text.parse_math": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "legend.fontsize": "small",
    }
    with matplotlib.rc_context(style):
        yield Figure(figsize=(width, height), layout="constrained")


def svg(figure: Figure) -> str:
    """The figure as a standalone file on one line, without a date."""
    import io

    written = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(written, format="svg", metadata=nothing)
    return " ".join(written.getvalue().split()) + "\n"


def label(name: object) -> str:
    """A name from outside, printable and short."""
    shown = printable(name)
    return shown if len(shown) <= _NAME else shown[: _NAME - 1] + "…"


def draw_confusion(axes: Axes, activities: Sequence[str], counts: Array) -> None:
    """(K, K) counts, rows the true activity, shaded by their share of the row."""
    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white")
    for row, column in zip(*counts.nonzero(), strict=True):
        axes.text(
            column + 0.5,
            row + 0.5,
            grouped(counts[row, column]),
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.5 else "black",
            size=8,
        )
    places, names = [at + 0.5 for at in range(len(counts))], [label(each) for each in activities]
    axes.set_xticks(places, names, rotation=30, ha="right")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set(title="Confusion", xlabel="predicted", ylabel="true")


def draw_subjects(axes: Axes, scores: Mapping[Any, SubjectScore], mean: float) -> None:
    """A bar for each held-out subject, best first, and the accuracy over all windows."""
    ranked = sorted(scores.items(), key=lambda item: item[1].accuracy)
    bars = axes.barh(
        [label(subject_label(name)) for name, _ in ranked],
        [score.accuracy for _, score in ranked],
        color=[WARN, *[GOOD] * (len(ranked) - 1)],
    )
    notes = [f" {percent(score.accuracy)}, n = {grouped(score.windows)}" for _, score in ranked]
    axes.bar_label(bars, notes, size=8)
    axes.axvline(mean, color="lightgrey", linestyle=":", zorder=0)
    axes.set(title=f"Accuracy by subject (all {percent(mean)})", xlim=(0, 1.5), xticks=[0, 0.5, 1])

"""The picture of `har personalize`: accuracy against labels, a panel a scene and data set."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.format import percent
from pipeline.experiments.personalize.report import PersonalizeReport, PersonalizeRow, groups

_TITLES = {"same": "a new person", "across": "another session", "teach": "new activities"}


def personalize_picture(report: PersonalizeReport) -> str:
    """One standalone SVG. Solid: the mean of all users; dashed: of the worst quarter."""
    from pipeline.report.picture import side_by_side

    return side_by_side(
        {
            f"{dataset}: {_TITLES[scene]}": labels_picture(rows, f"{scene}-{dataset}")
            for (scene, dataset), rows in groups(report.rows).items()
        }
    )


def labels_picture(rows: Sequence[PersonalizeRow], name: str) -> str:
    """Accuracy after k labels, each cut a colour, as inline SVG. What is there before stands as a
    line across, unless nothing is right before."""
    from pipeline.report.plots import ACCENT, INK, LINE, MUTED, SOFT, WARN, _canvas, _inline

    colours = {"none": MUTED, "fc_last": SOFT, "fc": ACCENT, "fxc1": WARN, "fxc2": INK}
    cuts = [cut for cut in colours if any(row.cut == cut for row in rows)]
    shown = [cut for cut in cuts if cut != "none" or max(row.before for row in rows) > 0]
    ks = sorted({row.k for row in rows})
    ends: list[tuple[float, str]] = []
    with _canvas(name, 4.2, 3.6) as (figure, axes):
        for cut in shown:
            mine = sorted((row for row in rows if row.cut == cut), key=lambda row: row.k)
            places = [ks.index(row.k) for row in mine]
            after = [row.after for row in mine]
            worst = [row.worst_quarter_after for row in mine]
            colour = colours[cut]
            axes.plot(places, after, color=colour, marker="o", markersize=4, linewidth=1.6)
            axes.plot(
                places, worst, color=colour, marker="o", markersize=3, linewidth=1, linestyle="--"
            )
            ends.append((after[-1], cut))
        low, high = axes.get_ylim()
        for height, cut in _apart(ends, 0.055 * (high - low)):
            axes.text(len(ks) - 0.9, height, cut, va="center", color=colours[cut], weight="bold")
        axes.set_xlim(-0.2, len(ks) - 0.25)
        axes.set_xticks(range(len(ks)), [str(k) for k in ks])
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_xlabel("labelled windows of each activity", size=9)
        axes.set_ylabel("accuracy, %; dashed: worst quarter", size=9)
        said = "; ".join(f"{cut} {percent(height)}" for height, cut in ends)
        return _inline(
            figure, name, f"Accuracy after {ks[-1]} labelled windows of each activity: {said}."
        )


def _apart(ends: Sequence[tuple[float, str]], gap: float) -> list[tuple[float, str]]:
    """The same names at heights at least ``gap`` apart, in the same order from below."""
    placed: list[tuple[float, str]] = []
    for height, cut in sorted(ends):
        floor = placed[-1][0] + gap if placed else height
        placed.append((max(height, floor), cut))
    return placed

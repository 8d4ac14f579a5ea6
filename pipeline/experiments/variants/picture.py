"""The picture of `har variants`: accuracy against bytes, the variants of a network joined."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.experiments.variants.compare import by_backbone
from pipeline.experiments.variants.schema import VariantRow

CAPTION = (
    "Accuracy against the size of the file, as it is and compressed by gzip -9, a line a network. "
    "Filled markers fit the board, half filled ones were not measured."
)
_MARKERS = "osDdv^<>PXph*8"
_FILL = {True: "full", False: "none", None: "bottom"}


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

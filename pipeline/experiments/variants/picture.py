"""The picture of `har variants`: accuracy against bytes, the variants of a network joined."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from pipeline.core.format import kilobytes, percent, printable
from pipeline.experiments.variants.published import by_backbone, named
from pipeline.experiments.variants.schema import VariantRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Told apart by any eye, on white and on the page's dark card (Okabe and Ito 2008, mixed darker for
# the one and lighter for the other); dashes and names tell them apart without colour.
_LIGHT = ("#0072b2", "#c2570c", "#00795a", "#a8497f", "#7a6200", "#2b8cc4", "#4a4a4a")
_DARK = ("#56b4e9", "#f08a3c", "#2fc79a", "#df8fbb", "#e6c84a", "#9fd3f5", "#b8b8b8")
_STAND_INS = tuple(f"#0a0c{number:02x}" for number in range(len(_LIGHT)))
_DASHES = ("-", "--", "-.", ":")
_MARKERS = {
    "float32": "o",
    "float16": "s",
    "int8": "D",
    "int8_qat": "d",
}
_MORE_MARKERS = ("v", "^", "<", ">", "P", "X", "p", "h", "*", "8")
_FLOOR = 0.2  # of the accuracy below the best: what is lower lies on the lower edge
_LEAST_ROOM = 0.02  # of accuracy: chance must not look like a cliff
_MOST_TICKS = 7

NETWORK_STYLE = (
    ":root {"
    + "".join(f" --network-{n}: {colour};" for n, colour in enumerate(_LIGHT))
    + " }\n@media screen and (prefers-color-scheme: dark) { :root {"
    + "".join(f" --network-{n}: {colour};" for n, colour in enumerate(_DARK))
    + " } }"
)
"""The colours of the networks, for a page that shows `variants_pictures`."""


def variants_pictures(rows: Sequence[VariantRow]) -> dict[str, str]:
    """Inline SVGs: "file" and "gzip", accuracy against either size, and "key"."""
    return {
        "file": _coloured(_panel(rows, "file", "file, KB", lambda row: row.bytes)),
        "gzip": _coloured(
            _panel(rows, "gzip", "file behind gzip -9, KB", lambda row: row.compressed_bytes)
        ),
        "key": _coloured(_key(rows)),
    }


def variants_picture(drawn: Mapping[str, str]) -> str:
    """What `variants_pictures` drew, as one standalone SVG on white."""
    from pipeline.report.picture import side_by_side

    text = side_by_side(
        {
            "Accuracy and file": drawn["file"],
            "Accuracy and compressed file": drawn["gzip"],
            "": drawn["key"],
        }
    )
    for number, colour in enumerate(_LIGHT):
        text = text.replace(f"var(--network-{number})", colour)
    return text


def _coloured(picture: str) -> str:
    for number, stand_in in enumerate(_STAND_INS):
        picture = picture.replace(stand_in, f"var(--network-{number})")
    return picture


def _markers(rows: Sequence[VariantRow]) -> dict[str, str]:
    """Variant -> its marker, in the order of the tables."""
    names = [row.variant for mine in by_backbone(rows).values() for row in mine]
    others = [name for name in dict.fromkeys(names) if name not in _MARKERS]
    more = {name: _MORE_MARKERS[n % len(_MORE_MARKERS)] for n, name in enumerate(sorted(others))}
    return {name: marker for name, marker in (_MARKERS | more).items() if name in names}


def _line(number: int) -> dict[str, Any]:
    return {
        "color": _STAND_INS[number % len(_STAND_INS)],
        "linestyle": _DASHES[number % len(_DASHES)],
        "linewidth": 1.3,
    }


def _mark(number: int, marker: str, fits: bool | None) -> dict[str, Any]:
    colour = _STAND_INS[number % len(_STAND_INS)]
    return {
        "marker": marker,
        "markersize": 6.5,
        "markeredgewidth": 1.2,
        "markeredgecolor": colour,
        "linestyle": "none",
        **_filled(colour, fits),
    }


def _filled(colour: str, fits: bool | None) -> dict[str, Any]:
    """A marker's face: half of it where ``fits`` is not known."""
    from pipeline.report.plots import ON_ACCENT

    if fits is None:
        return {
            "fillstyle": "bottom",
            "markerfacecolor": colour,
            "markerfacecoloralt": ON_ACCENT,
        }
    return {"markerfacecolor": colour if fits else ON_ACCENT}


def _panel(
    rows: Sequence[VariantRow], name: str, axis: str, size: Callable[[VariantRow], int]
) -> str:
    """Accuracy against a size (logarithmic): filled markers fit the board, half filled ones were
    not measured."""
    from pipeline.report.plots import LINE, MUTED, _canvas, _inline

    best = max(row.accuracy for row in rows)
    floor = max(min(row.accuracy for row in rows), best - _FLOOR)
    markers = _markers(rows)
    with _canvas(f"variants-{name}", 5.6, 4.0) as (figure, axes):
        axes.set_xscale("log")
        middle, room = (best + floor) / 2, max(best - floor, _LEAST_ROOM)
        axes.set_ylim(middle - 0.6 * room, middle + 0.6 * room)
        sizes = [max(size(row), 1) for row in rows]
        axes.set_xlim(min(sizes) / 1.35, max(sizes) * 1.35)
        for number, mine in enumerate(by_backbone(rows).values()):
            joined = _joined(mine, size)
            places = [(max(size(row), 1), max(row.accuracy, floor)) for row in joined]
            axes.plot(*zip(*places, strict=True), zorder=2, **_line(number))
            for row, place in zip(joined, places, strict=True):
                style = _mark(number, markers[row.variant], row.fits)
                axes.plot(*([value] for value in place), zorder=3, **style)
                if row.accuracy < floor:
                    _below(axes, place, row)
        ticks = _ticks(min(sizes) / 1024, max(sizes) / 1024)
        axes.set_xticks([1024 * tick for tick in ticks], [f"{tick:,g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
        axes.grid(axis="both", color=LINE, linewidth=0.8)
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.set_axisbelow(True)
        axes.set_ylabel("accuracy, %", size=9)
        axes.set_xlabel(axis, size=9)
        _name_networks(axes, rows, size, floor)
        said = "; ".join(
            f"{printable(named(row))} {percent(row.accuracy)} in {kilobytes(size(row))}"
            for row in rows
        )
        return _inline(figure, f"variants-{name}", f"Accuracy against the {axis}: {said}.")


def _joined(rows: Sequence[VariantRow], size: Callable[[VariantRow], int]) -> list[VariantRow]:
    """From the smallest to the largest; of those about as large, the nearest in accuracy next."""
    joined: list[VariantRow] = []
    by_size = sorted(rows, key=lambda row: (size(row), row.accuracy))
    for _, group in groupby(by_size, key=lambda row: round(math.log(max(size(row), 1), 1.05))):
        alike = sorted(group, key=lambda row: row.accuracy)
        if joined:
            low, high = (abs(end.accuracy - joined[-1].accuracy) for end in (alike[0], alike[-1]))
            alike = alike if low <= high else alike[::-1]
        joined += alike
    return joined


def _ticks(least: float, most: float) -> list[float]:
    """Round numbers from ``least`` to ``most``, not more than go side by side."""
    found: list[float] = []
    for steps in ((1, 2, 5), (1, 3), (1,)):
        decades = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
        every = [step * 10.0**decade for decade in decades for step in steps]
        found = [tick for tick in every if least / 1.35 <= tick <= most * 1.35]
        if len(found) <= _MOST_TICKS:
            break
    return found


def _below(axes: Axes, place: tuple[float, float], row: VariantRow) -> None:
    from pipeline.report.plots import MUTED

    axes.annotate(
        f"\u2193 {percent(row.accuracy)}",
        place,
        xytext=(0, -7),
        textcoords="offset points",
        ha="center",
        va="top",
        size=8,
        color=MUTED,
        zorder=4,
    )


_OFFSETS = tuple(
    (x, y, side)
    for distance in (8, 14, 22, 32)
    for x, y, side in (
        (0, distance, "center"),
        (0, -distance, "center"),
        (distance, 0, "left"),
        (-distance, 0, "right"),
        (distance, distance, "left"),
        (-distance, distance, "right"),
        (distance, -distance, "left"),
        (-distance, -distance, "right"),
    )
)


def _name_networks(
    axes: Axes, rows: Sequence[VariantRow], size: Callable[[VariantRow], int], floor: float
) -> None:
    """Each network's name beside one of its markers, where it covers neither a marker, a line nor
    another name; where there is no such place, where it covers least."""
    import numpy as np

    per_point = axes.figure.dpi / 72
    lines = [
        axes.transData.transform(
            sorted((max(size(row), 1), max(row.accuracy, floor)) for row in mine)
        )
        for mine in by_backbone(rows).values()
    ]
    # The joining lines as points close together: what a name must not cover, markers weigh more.
    drawn = np.concatenate([_close(line, 3 * per_point) for line in lines])
    marks = np.concatenate(lines)
    bounds = axes.get_window_extent()
    taken = [tuple(text.get_window_extent().extents) for text in axes.texts]
    for number, (backbone, line) in enumerate(zip(by_backbone(rows), lines, strict=True)):
        label = axes.text(
            0, 0, printable(backbone), size=9.5, weight="bold", zorder=5, **_text(number)
        )
        width, height = label.get_window_extent().size
        width, height = 1.04 * width, 0.9 * height
        best: tuple[float, float, float] | None = None
        for step, (x, y) in enumerate((x, y) for x, y in line[::-1]):
            for try_, (right, up, side) in enumerate(_OFFSETS):
                left = x + right * per_point - {"left": 0, "right": 1, "center": 0.5}[side] * width
                low = y + up * per_point - height / 2
                pad = 2.5 * per_point
                box = (left - pad, low - pad, left + width + pad, low + height + pad)
                cost = (
                    30.0 * sum(_meet(box, other) for other in taken)
                    + 10.0 * _inside(marks, box, 4 * per_point)
                    + 1.0 * _inside(drawn, box, 0)
                    + 50.0 * (box[0] < bounds.x0 or box[2] > bounds.x1)
                    + 50.0 * (box[1] < bounds.y0 or box[3] > bounds.y1)
                    + 0.01 * try_
                    + 0.02 * step
                )
                if best is None or cost < best[0]:
                    best = (cost, left, low)
                    chosen = box
        assert best is not None
        taken.append(chosen)
        x, y = axes.transData.inverted().transform(best[1:])
        label.set_position((float(x), float(y)))
        label.set(horizontalalignment="left", verticalalignment="bottom")


def _text(number: int) -> dict[str, Any]:
    return {"color": _STAND_INS[number % len(_STAND_INS)]}


def _close(line: Any, step: float) -> Any:
    """(n, 2) corners of a line -> points on it at most ``step`` apart."""
    import numpy as np

    parts = [line[:1]]
    for start, end in pairwise(line):
        count = max(int(np.hypot(*(end - start)) / step), 1)
        parts.append(start + (end - start) * np.linspace(0, 1, count + 1)[1:, None])
    return np.concatenate(parts)


def _inside(points: Any, box: tuple[float, float, float, float], margin: float) -> int:
    x, y = points[:, 0], points[:, 1]
    across = (x > box[0] - margin) & (x < box[2] + margin)
    return int((across & (y > box[1] - margin) & (y < box[3] + margin)).sum())


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _key(rows: Sequence[VariantRow]) -> str:
    """Which marker is which variant, which line which network."""
    from pipeline.report.plots import INK, MUTED, _canvas, _inline

    entries: list[tuple[str, dict[str, Any]]] = []
    ink = {"markersize": 6.5, "markeredgecolor": INK, "linestyle": "none"}
    for variant, marker in _markers(rows).items():
        entries.append((variant, ink | {"marker": marker, "markerfacecolor": INK}))
    entries.append(("", {}))
    for number, backbone in enumerate(by_backbone(rows)):
        entries.append((printable(backbone), _line(number)))
    entries.append(("", {}))
    grey = ink | {"marker": "o", "markeredgecolor": MUTED}
    entries.append(("fits the board", grey | _filled(MUTED, True)))
    entries.append(("does not", grey | _filled(MUTED, False)))
    if any(row.fits is None for row in rows):
        entries.append(("not measured", grey | _filled(MUTED, None)))
    with _canvas("variants-key", 1.7, max(4.0, 0.22 * len(entries))) as (figure, axes):
        for place, (name, style) in enumerate(entries):
            xs = [0.06, 0.24] if style.get("linestyle") != "none" else [0.15]
            if style:
                axes.plot(xs, [place] * len(xs), **style)
                axes.text(0.32, place, name, va="center", size=9.5)
        axes.set_xlim(0, 1.6)
        axes.set_ylim(max(len(entries), 18) - 0.5, -0.5)
        axes.axis("off")
        variants = ", ".join(_markers(rows))
        return _inline(figure, "variants-key", f"Key: a marker a variant ({variants}).")

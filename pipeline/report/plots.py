"""Pictures as inline SVG that follows the page's colours, light or dark.

matplotlib draws with stand-in colours; ``_inline`` turns each into a CSS variable of the page and
takes out all that points outside (metadata, namespaces) or differs between runs.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.core.format import grouped, kilobytes, percent, person, printable
from pipeline.report.fields import SubjectScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_COLOURS = {
    name: f"#0a0b{number:02x}"
    for number, name in enumerate(
        ("ink", "muted", "line", "track", "accent", "soft", "warn", "on-accent")
    )
}
INK, MUTED, LINE, TRACK, ACCENT, SOFT, WARN, ON_ACCENT = _COLOURS.values()

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": INK,
    "xtick.major.size": 0.0,
    "ytick.major.size": 0.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.spines.bottom": False,
}


@contextmanager
def _canvas(name: str, width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """One figure of width x height inches. No pyplot, so no backend and no global state."""
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = {**_STYLE, "svg.hashsalt": name}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height))
        yield figure, figure.add_subplot()


def _inline(figure: Figure, name: str, alt: str) -> str:
    """The figure as one <svg> element for a page; ``alt`` says in words what it shows."""
    import io

    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", bbox_inches="tight", pad_inches=0.04, metadata={"Date": None}
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s(?:xmlns(?::\w+)?|width|height|version)="[^"]*"', "", text, count=5)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    # Several pictures share one page: keep only the ids that are pointed at, and make them unique.
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text))
    names = {first or second for first, second in used}
    text = re.sub(
        r' id="([^"]*)"',
        lambda found: f' id="{name}-{found[1]}"' if found[1] in names else "",
        text,
    )
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'(?:xlink:)?href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(
        r"(font(?:-family)?:[^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1system-ui, sans-serif", text
    )
    for colour, stand_in in _COLOURS.items():
        text = text.replace(stand_in, f"var(--{colour})")
    label = html.escape(alt, quote=True)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def confusion_picture(
    activities: Sequence[str], confusion: NDArray[Any], name: str = "confusion"
) -> str:
    """(K, K) counts, rows what it was, columns what the model said; each row shaded by share."""
    import numpy as np

    k = len(activities)
    totals = confusion.sum(axis=1)
    shares = confusion / np.maximum(totals, 1)[:, None]
    side = 0.4 + 0.56 * k
    with _canvas(name, side + 1.3, 0.82 * side + 0.5) as (figure, axes):
        from matplotlib.patches import FancyBboxPatch

        for row in range(k):
            for column in range(k):
                share, count = float(shares[row, column]), int(confusion[row, column])
                right = row == column
                axes.add_patch(
                    FancyBboxPatch(
                        (column + 0.05, row + 0.06),
                        0.9,
                        0.88,
                        boxstyle="round,pad=0,rounding_size=0.09",
                        linewidth=0,
                        facecolor=TRACK if count == 0 else ACCENT if right else WARN,
                        # A lone mistake must still be seen.
                        alpha=None if count == 0 else 0.12 + 0.88 * share**0.7,
                    )
                )
                axes.text(
                    column + 0.5,
                    row + 0.5,
                    grouped(count) if count else "·",
                    ha="center",
                    va="center",
                    color=MUTED if not count else ON_ACCENT if share > 0.45 else INK,
                    weight="bold" if right else "normal",
                )
            recall = percent(float(shares[row, row])) if totals[row] else "none"
            axes.text(k + 0.14, row + 0.5, recall, va="center", weight="bold")
        axes.text(k + 0.14, -0.16, "named right", va="bottom", color=MUTED, size=9)
        axes.set_xlim(0, k)
        axes.set_ylim(k, 0)
        axes.set_xticks(np.arange(k) + 0.5, [_short(name) for name in activities], size=9)
        axes.set_yticks(np.arange(k) + 0.5, [_short(name) for name in activities])
        axes.xaxis.tick_top()
        if max(len(name) for name in activities) > 10:
            axes.tick_params(axis="x", labelrotation=32)
            for label in axes.get_xticklabels():
                label.set(horizontalalignment="left", rotation_mode="anchor")
        wrong = int(confusion.sum() - np.trace(confusion))
        return _inline(
            figure,
            name,
            f"Confusion matrix of {k} activities: {grouped(int(np.trace(confusion)))} of "
            f"{grouped(int(confusion.sum()))} windows named right, {grouped(wrong)} wrong.",
        )


def subject_picture(
    per_subject: Mapping[int | str, SubjectScore], mean: float, name: str = "subjects"
) -> str:
    """A bar a person, best first; the worst one stands out. ``mean`` is over all windows."""
    ranked = sorted(per_subject.items(), key=lambda item: -item[1].accuracy)
    with _canvas(name, 5.4, 0.34 * len(ranked) + 0.5) as (figure, axes):
        for row, (_, score) in enumerate(ranked):
            worst = row == len(ranked) - 1
            axes.barh(row, 1.0, height=0.58, color=TRACK)
            axes.barh(row, score.accuracy, height=0.58, color=WARN if worst else ACCENT)
            axes.text(
                1.02,
                row,
                percent(score.accuracy),
                va="center",
                weight="bold",
                color=WARN if worst else INK,
            )
            axes.text(
                1.46,
                row,
                f"n = {grouped(score.windows)}",
                va="center",
                ha="right",
                color=MUTED,
                size=9,
            )
        axes.axvline(mean, color=INK, linewidth=1, linestyle=(0, (2, 2)))
        axes.text(
            mean - 0.012,
            len(ranked) - 0.42,
            f"all {percent(mean)}",
            ha="right",
            va="top",
            color=MUTED,
            size=9,
        )
        axes.set_yticks(range(len(ranked)), [_short(person(subject)) for subject, _ in ranked])
        axes.set_xticks([])
        axes.set_xlim(0, 1.46)
        axes.set_ylim(len(ranked) - 0.1, -0.5)
        worst_id, worst_score = ranked[-1]
        return _inline(
            figure,
            name,
            f"Accuracy of {len(ranked)} held-out people, best first; worst is person "
            f"{printable(worst_id)} with {percent(worst_score.accuracy)} "
            f"of {worst_score.windows} windows.",
        )


def learning_picture(
    activities: Sequence[str],
    before: Mapping[str, float | None],
    after: Mapping[str, float | None],
    overall: tuple[float, float],
) -> str:
    """Per activity and over all: the share named right before and after learning."""
    rows: list[tuple[str, float | None, float | None]] = [("all", *overall)]
    rows += [(_short(name), before.get(name), after.get(name)) for name in activities]
    with _canvas("learning", 5.4, 0.58 * len(rows) + 0.45) as (figure, axes):
        for row, (_, was, now) in enumerate(rows):
            y = row if row == 0 else row + 0.35
            if was is None or now is None:
                axes.text(0.012, y, "no window of this activity", va="center", color=MUTED, size=9)
                continue
            worse = now < was
            for offset, value, colour in (
                (-0.19, was, SOFT),
                (0.19, now, WARN if worse else ACCENT),
            ):
                axes.barh(y + offset, 1.0, height=0.3, color=TRACK)
                axes.barh(y + offset, value, height=0.3, color=colour)
            axes.text(1.02, y - 0.19, percent(was), va="center", color=MUTED, size=9)
            axes.text(
                1.02,
                y + 0.21,
                percent(now),
                va="center",
                weight="bold",
                color=WARN if worse else INK,
            )
        positions = [row if row == 0 else row + 0.35 for row in range(len(rows))]
        axes.set_yticks(positions, [name for name, _, _ in rows])
        axes.get_yticklabels()[0].set_fontweight("bold")
        axes.set_xticks([])
        axes.set_xlim(0, 1.2)
        axes.set_ylim(len(rows) - 0.1, -0.5)
        return _inline(
            figure,
            "learning",
            f"Accuracy before and after learning: over all {percent(overall[0])} before, "
            f"{percent(overall[1])} after.",
        )


def label_picture(probabilities: Sequence[float]) -> str:
    """What the device gave the true activity just before it learned each labelled window."""
    with _canvas("labels", 5.4, 1.75) as (figure, axes):
        steps = range(1, len(probabilities) + 1)
        axes.plot(steps, probabilities, color=ACCENT, linewidth=1.6, marker="o", markersize=3.5)
        for level in (0.0, 0.5, 1.0):
            axes.axhline(level, color=LINE, linewidth=0.8, zorder=0)
        axes.set_ylim(-0.06, 1.06)
        axes.set_yticks([0.0, 0.5, 1.0], ["0", "0.5", "1"])
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.set_xticks(sorted({1, len(probabilities)}))
        axes.set_xlabel("labelled window", size=9)
        return _inline(
            figure,
            "labels",
            "Probability of the true activity before each of "
            f"{len(probabilities)} labelled windows: from {probabilities[0]:.2f} to "
            f"{probabilities[-1]:.2f}.",
        )


def reliability_picture(
    windows: Sequence[int],
    confidence: Sequence[float],
    accuracy: Sequence[float],
    calibration_error: float,
    name: str = "reliability",
) -> str:
    """Accuracy against confidence, a bar a bin, and how many windows each bin holds below."""
    bins, most = len(windows), max(*windows, 1)
    width = 1.0 / bins
    with _canvas(name, 4.2, 4.4) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
        for place, (count, sure, right) in enumerate(
            zip(windows, confidence, accuracy, strict=True)
        ):
            middle = (place + 0.5) * width
            axes.bar(middle, -0.2 * count / most, 0.86 * width, bottom=-0.06, color=SOFT)
            if count:
                axes.bar(middle, right, 0.86 * width, color=ACCENT if right >= sure else WARN)
                axes.plot([sure], [right], color=INK, marker="o", markersize=2.5)
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.3, 1.02)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        axes.set_yticks([-0.16, 0, 0.5, 1], ["windows", "0", "0.5", "1"])
        axes.tick_params(labelcolor=MUTED)
        axes.set_xlabel("probability of what it said")
        return _inline(
            figure,
            name,
            f"Accuracy against confidence in {bins} bins over {grouped(sum(windows))} windows; "
            f"expected calibration error {percent(calibration_error)}.",
        )


_SIZE_NAMES = {"flash_bytes": "Flash", "ram_bytes": "RAM"}


def size_picture(used: Mapping[str, int], limits: Mapping[str, int]) -> str:
    """A bar for each of ``used`` (name -> bytes) against the board's limit of the same name."""
    names = [name for name in used if limits.get(name, 0) > 0]
    with _canvas("sizes", 5.4, 0.78 * len(names) + 0.1) as (figure, axes):
        for row, name in enumerate(names):
            share = used[name] / limits[name]
            axes.barh(row, 1.0, height=0.3, color=TRACK)
            axes.barh(row, min(share, 1.0), height=0.3, color=ACCENT if share <= 1 else WARN)
            axes.text(0.0, row - 0.26, _SIZE_NAMES.get(name, name), va="bottom", weight="bold")
            axes.text(
                1.0,
                row - 0.26,
                f"{kilobytes(used[name])} of {kilobytes(limits[name])} · {percent(share)}",
                va="bottom",
                ha="right",
                color=MUTED if share <= 1 else WARN,
            )
        axes.set_xlim(0, 1)
        axes.set_ylim(len(names) - 0.7, -0.75)
        axes.axis("off")
        return _inline(
            figure,
            "sizes",
            "; ".join(
                f"{_SIZE_NAMES.get(name, name)}: {kilobytes(used[name])} "
                f"of {kilobytes(limits[name])}"
                for name in names
            ),
        )


def _short(name: str, limit: int = 18) -> str:
    shown = printable(name)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"

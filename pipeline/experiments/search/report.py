"""The result of `har search`: the schema of search.json, the table and the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, computed_field

from pipeline.core.files import write_whole
from pipeline.core.format import grouped, kilobytes, percent, printable

if TYPE_CHECKING:
    from matplotlib.ticker import Locator
    from rich.table import Table

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0)]

_SHOWN = 0.15  # of the accuracy below the best
_TICKS = [m * 10**e for e in range(5) for m in (1, 1.5, 2, 3, 4, 5, 7)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class SearchPoint(_Part):
    """A trained candidate. ``names``: what it is called where it has a name of its own.
    ``accuracies``: one per draw of validation people; ``validation_accuracy`` is their mean."""

    backbone: str
    names: list[str]
    window_samples: Count
    parameters: Count
    macs: Count
    ram_bytes: Count
    validation_accuracy: Share
    accuracies: list[Share]
    seconds: float

    @property
    def label(self) -> str:
        """The names, or else the backbone."""
        return " = ".join(self.names) or self.backbone


class LeftOut(_Part):
    """A size with a name that is not among the points, and why."""

    name: str
    backbone: str
    parameters: Count
    macs: Count
    ram_bytes: Count
    reason: str


class SearchReport(_Part):
    """search.json. Accuracies are shares of the validation people's windows, 0 to 1.
    ``notes``: what every report about the data set must say."""

    dataset: str
    split: str
    seed: int
    epochs: Count
    windows: list[int]
    max_parameters: Count
    max_macs: Count
    max_ram_bytes: Count
    study: str
    storage: str
    sampler: str
    infeasible: Count
    interrupted: Count
    validation_people: list[list[str]]
    training_people: list[int]
    points: list[SearchPoint]
    left_out: list[LeftOut]
    notes: list[str] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def front(self) -> list[str]:
        """Backbones (with @window) that no other beats in accuracy at no more MACs."""
        return [_key(point) for point in front(self.points, lambda point: point.macs)]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ram_front(self) -> list[str]:
        """The same against RAM."""
        return [_key(point) for point in front(self.points, lambda point: point.ram_bytes)]


def _key(point: SearchPoint) -> str:
    return f"{point.backbone}@{point.window_samples}"


def front(points: Sequence[SearchPoint], cost: Callable[[SearchPoint], int]) -> list[SearchPoint]:
    """The points that nothing beats (Pareto), cheapest first: each more accurate than all cheaper
    ones. Of equals, the first."""
    best, chosen = -1.0, []
    for point in sorted(points, key=lambda point: (cost(point), -point.validation_accuracy)):
        if point.validation_accuracy > best:
            best = point.validation_accuracy
            chosen.append(point)
    return chosen


def search_table(report: SearchReport) -> Table:
    """The front (starred), cheapest first, and every size with a name."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    draws, several = len(report.validation_people), len(report.windows) > 1
    spread = "\n± half of what lies between the best and the worst draw" if draws > 1 else ""
    said = "".join(f"\n{remark}" for remark in report.notes)
    missing = "".join(f"\n{each.name} is not in it: {each.reason}" for each in report.left_out)
    table = Table(
        title=f"{report.dataset}, split {report.split}, seed {report.seed}: "
        f"{len(report.points)} shapes, {report.epochs} epochs, "
        f"{draws} draw{'s' * (draws > 1)} of validation people",
        caption=f"* nothing else is as accurate at as few MACs{spread}{missing}{said}",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("")
    table.add_column("backbone", overflow="fold", min_width=20)
    names = ["parameters", "MACs", "RAM", "accuracy"]
    for name in (*(["window"] * several), *names, *(["draws"] * (draws > 1))):
        table.add_column(name, justify="right", no_wrap=True)
    on_front = set(report.front)
    for point in report.points:
        ahead = _key(point) in on_front
        if not ahead and not point.names:
            continue
        aliases = f" ({', '.join(point.names)})" if point.names else ""
        cells = ["*" if ahead else "", printable(point.backbone + aliases)]
        cells += [grouped(point.window_samples)] * several
        cells += [grouped(point.parameters), grouped(point.macs), kilobytes(point.ram_bytes)]
        cells.append(percent(point.validation_accuracy))
        if draws > 1:
            half = (max(point.accuracies) - min(point.accuracies)) / 2
            cells.append(f"± {100 * half:.1f}")
        table.add_row(*(Text(cell, style="bold" if ahead else "") for cell in cells))
    return table


def front_picture(
    points: Sequence[SearchPoint],
    name: str,
    axis: str,
    cost: Callable[[SearchPoint], int],
    unit: int,
) -> str:
    """Accuracy against a cost in ``unit``s (logarithmic), as inline SVG: all points, the front as a
    line, sizes with a name marked by it."""
    from pipeline.report.plots import ACCENT, INK, LINE, MUTED, SOFT, WARN, _canvas, _inline

    line = front(points, cost)
    best = max(point.validation_accuracy for point in points)
    # A few hopeless shapes must not press the others together: they lie on the lower edge.
    floor = max(min(point.validation_accuracy for point in points), best - _SHOWN) - 0.005
    with _canvas(name, 5.6, 3.6) as (figure, axes):

        def draw(chosen: Sequence[SearchPoint], **style: Any) -> None:
            heights = [max(point.validation_accuracy, floor) for point in chosen]
            axes.plot([cost(point) / unit for point in chosen], heights, **style)

        above = [point for point in points if point.validation_accuracy >= floor]
        below = [point for point in points if point.validation_accuracy < floor]
        draw(above, color=SOFT, marker="o", markersize=4, linestyle="none", zorder=1)
        draw(below, color=SOFT, marker="v", markersize=4, linestyle="none", zorder=1)
        draw(line, color=ACCENT, marker="o", markersize=4.5, drawstyle="steps-post", zorder=2)
        named = sorted((point for point in points if point.names), key=cost)
        draw(named, color=WARN, marker="D", markersize=5.5, linestyle="none", zorder=3)
        for number, point in enumerate(named):
            left = number % 2 == 1
            axes.annotate(
                printable(point.label),
                (cost(point) / unit, max(point.validation_accuracy, floor)),
                xytext=(-6, 5) if left else (6, -13),
                textcoords="offset points",
                ha="right" if left else "left",
                size=9,
                color=INK,
                weight="bold",
                zorder=4,
            )
        axes.set_xscale("log")
        costs = [cost(point) / unit for point in points]
        ticks = [tick for tick in _TICKS if min(costs) <= tick <= max(costs)]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.set_ylim(floor - 0.01, min(best + 0.015, 1.01))
        axes.yaxis.set_major_locator(_steps(best - floor))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.tick_params(axis="y", labelcolor=MUTED)
        axes.set_axisbelow(True)
        axes.set_ylabel("validation accuracy, %", size=9)
        axes.set_xlabel(axis, size=9)
        marked = "; ".join(
            f"{point.label} {percent(point.validation_accuracy)} at {cost(point) / unit:.1f}"
            for point in named
        )
        return _inline(
            figure,
            name,
            f"Validation accuracy of {len(points)} shapes against {axis}; the best reaches "
            f"{percent(best)}. {printable(marked)}",
        )


def _steps(span: float) -> Locator:
    from matplotlib.ticker import MultipleLocator

    return MultipleLocator(0.01 if span < 0.06 else 0.02 if span < 0.12 else 0.05)


def write_search_report(report: SearchReport, output: Path) -> None:
    """Writes search.json and, where anything was trained, search.svg into ``output``, each whole or
    not at all. OSError where the disk does not take it."""
    from pipeline.report.picture import side_by_side

    output.mkdir(parents=True, exist_ok=True)
    if report.points:
        pictures = {
            "Accuracy against MACs": front_picture(
                report.points, "macs", "thousand MACs", lambda point: point.macs, 1000
            ),
            "Accuracy against RAM": front_picture(
                report.points,
                "ram",
                "RAM of the compiled engine, KB",
                lambda point: point.ram_bytes,
                1024,
            ),
        }
        write_whole(output / "search.svg", side_by_side(pictures))
    write_whole(output / "search.json", report.model_dump_json(indent=2) + "\n")

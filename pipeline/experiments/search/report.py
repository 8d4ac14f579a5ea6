"""The result of `har search`: the schema of search.json, the table and the picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from pydantic import computed_field

from pipeline.core.files import write_files
from pipeline.core.format import grouped, kilobytes
from pipeline.report.claims import Claim, with_claims
from pipeline.report.fields import Count, Part, Share, flat_csv
from pipeline.report.tables import Cell, Table, number, share

_NEAR = 0.005 + 1e-9  # of accuracy: half a point


class SearchPoint(Part):
    """A trained candidate. ``names``: what it is called where it has a name of its own.
    ``accuracies``: one per draw of validation subjects; ``validation_accuracy`` is their mean."""

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


class LeftOut(Part):
    """A size with a name that is not among the points, and why."""

    name: str
    backbone: str
    parameters: Count
    macs: Count
    ram_bytes: Count
    reason: str


class SearchReport(Part):
    """search.json. Accuracies are shares of the validation subjects' windows, 0 to 1.
    ``notes``: what every report about the data set must say."""

    dataset: str
    split: str
    seed: int
    epochs: Count
    windows: list[int]
    max_parameters: Count
    max_macs: Count
    max_ram_bytes: Count
    sampler: str
    infeasible: Count
    validation_people: list[list[str]]
    training_people: list[int]
    points: list[SearchPoint]
    left_out: list[LeftOut]
    notes: list[str]

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


def search_claims(report: SearchReport) -> list[Claim]:
    """Of each size with a name, how far below the front it is. ``n``: draws of validation
    people."""
    claims = []
    for point in report.points:
        rivals = [each for each in report.points if each.macs <= point.macs]
        lacks = max(each.validation_accuracy for each in rivals) - point.validation_accuracy
        claims += [
            Claim(
                f"{name}: points below the best with as few MACs",
                "at most 0.5",
                number(100 * lacks),
                len(point.accuracies),
                lacks <= _NEAR,
            )
            for name in point.names
        ]
    return claims


def search_document(report: SearchReport) -> dict[str, Any]:
    """For --json and search.json: the report and its claims."""
    return with_claims(report, search_claims(report))


def search_table(report: SearchReport) -> Table:
    """The front (starred), cheapest first, and every size with a name."""
    on_front, rows = set(report.front), []
    for point in report.points:
        if _key(point) in on_front or point.names:
            names = f" ({', '.join(point.names)})" if point.names else ""
            half = (max(point.accuracies) - min(point.accuracies)) / 2
            cells = [
                ("* " if _key(point) in on_front else "") + point.backbone + names,
                grouped(point.window_samples),
                grouped(point.parameters),
                grouped(point.macs),
                kilobytes(point.ram_bytes),
                f"{share(point.validation_accuracy)} ± {100 * half:.1f}",
            ]
            rows.append([Cell(cell, "strong" if _key(point) in on_front else "") for cell in cells])
    draws = len(report.validation_people)
    return Table(
        f"{report.dataset}, split {report.split}, seed {report.seed}: {len(report.points)} shapes, "
        f"{report.epochs} epochs, {draws} draw{'s' * (draws > 1)} of validation subjects",
        ("backbone", "window", "params", "MACs", "RAM", "acc., %"),
        rows,
        [
            "*: nothing else is as accurate at as few MACs; ±: half of the range over draws",
            *(f"{each.name} is missing: {each.reason}" for each in report.left_out),
            *report.notes,
        ],
    )


def search_picture(report: SearchReport) -> str:
    """Accuracy against MACs and against RAM (logarithmic), as one SVG file: all points, the front
    as a line, sizes with a name marked by it."""
    from matplotlib.ticker import EngFormatter, NullFormatter

    from pipeline.report.plots import SOFT, WARN, canvas, label, svg

    with canvas("search", 9.0, 4.0) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, name in zip(panels, ("macs", "ram_bytes"), strict=True):
            cost: Callable[[SearchPoint], int] = attrgetter(name)
            best = front(report.points, cost)
            named = [point for point in report.points if point.names]
            for points, style in (
                (report.points, {"color": SOFT, "marker": "o", "linestyle": "none"}),
                (best, {"marker": "o", "drawstyle": "steps-post", "label": "front"}),
                (named, {"color": WARN, "marker": "D", "linestyle": "none", "label": "named"}),
            ):
                accuracies = [100 * point.validation_accuracy for point in points]
                axes.plot([cost(point) for point in points], accuracies, **style)
            for point in named:
                place = (cost(point), 100 * point.validation_accuracy)
                axes.annotate(label(point.label), place, (4, -12), textcoords="offset points")
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(EngFormatter())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.grid(alpha=0.3)
        panels[0].set(xlabel="MACs", ylabel="validation accuracy, %")
        panels[1].set_xlabel("RAM of the compiled engine, bytes")
        panels[1].legend(loc="lower right")
        return svg(figure)


def write_search_report(report: SearchReport, output: Path) -> None:
    """Writes search.json, search.csv and, where anything was trained, search.svg into ``output``,
    each whole or not at all. ExternalError where the disk does not take it."""
    files = {
        "search.csv": flat_csv(SearchPoint, report.points),
        "search.json": json.dumps(search_document(report), indent=2) + "\n",
    }
    if report.points:
        files["search.svg"] = search_picture(report)
    write_files(output, files)

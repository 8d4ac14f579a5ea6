"""How `har monitor` shows what it sees: lines, JSON, CSV, or live bars in a terminal."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from pipeline.cli.common import note
from pipeline.cli.views.monitor import Figures, Sighting

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


class View(NamedTuple):
    """``show`` takes one more sighting, ``tell`` one line for the user."""

    show: Callable[[Sighting], None]
    tell: Callable[[str], None]


@contextlib.contextmanager
def lines_view(out: TextIO, line: Callable[[Sighting], str], header: str = "") -> Iterator[View]:
    """One `line` in `out` for each sighting, the first one after the `header`; messages on
    stderr."""
    above = iter([header])

    def show(sighting: Sighting) -> None:
        out.write(next(above, "") + line(sighting))
        out.flush()

    yield View(show, lambda message: note(f"har: {message}"))


def text_line(sighting: Sighting) -> str:
    """`   12.3 s  walking 0.97`"""
    return f"{sighting.time_s:8.1f} s  {sighting.activity} {sighting.probability:.2f}\n"


def json_line(sighting: Sighting) -> str:
    """One JSON document."""
    return json.dumps(sighting.document(), allow_nan=False) + "\n"


def csv_line(sighting: Sighting) -> str:
    """The values under `CSV_HEADER`."""
    seen = (sighting.end_index, sighting.activity, f"{sighting.probability:.6g}")
    return _csv(f"{sighting.time_s:.3f}", *seen, *sighting.figures.document().values())


def _csv(*values: Any) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(values)
    return row.getvalue()


CSV_HEADER = _csv("time_s", "end_index", "activity", "probability", *Figures().document())


@contextlib.contextmanager
def bars_view(port: str, console: Console | None = None) -> Iterator[View]:
    """Live bars in a terminal, the activity that the board shows bright."""
    from rich.live import Live
    from rich.text import Text

    seen = itertools.count(1)
    waiting = Text(f"{port}: waiting for a prediction (Ctrl-C ends)", style="dim")
    with Live(waiting, console=console, auto_refresh=False) as live:

        def show(sighting: Sighting) -> None:
            live.update(bars(sighting, f"{port}  {next(seen)} predictions"), refresh=True)

        yield View(show, lambda message: live.console.print(Text(message, style="dim")))


def bars(sighting: Sighting, footer: str) -> RenderableType:
    """The picture of one sighting: a bar for each activity, in the board's order."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, share in sighting.probabilities.items():
        style = "bold green" if name == sighting.activity else "dim"
        bar = ProgressBar(1.0, share, width=40, complete_style=style, finished_style=style)
        table.add_row(Text(name, style=style), bar, Text(f"{share:6.1%}", style=style))
    figures = sighting.figures
    trouble = "" if figures.trouble is None else f"motion sensor: {figures.trouble}"
    parts: list[RenderableType] = [
        Text(f"{sighting.activity} {sighting.probability:.2f}", style="bold"),
        table,
        Text(figures.line(), style="dim"),
        Text(f"{footer}  {sighting.time_s:.1f} s", style="dim"),
        Text(trouble.replace("_", " "), style="bold red"),
    ]
    return Group(*(part for part in parts if part))

"""How `har monitor` shows what it sees: lines, JSON, CSV, or live bars in a terminal."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from pipeline.cli.common import note
from pipeline.cli.views.figures import Figures
from pipeline.cli.views.monitor import Sighting

if TYPE_CHECKING:
    from rich.console import RenderableType


class View(Protocol):
    """Shows sightings; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: Any) -> None: ...

    def show(self, sighting: Sighting) -> None:
        """One more."""

    def tell(self, message: str) -> None:
        """One line for the user."""


class _Lines:
    """Writes to `out`, a line at a time, and reports on stderr."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        return

    def tell(self, message: str) -> None:
        note(f"har: {message}")

    def write(self, line: str) -> None:
        self.out.write(line + "\n")
        self.out.flush()


class LinesView(_Lines):
    """`   12.3 s  walking 0.97`"""

    def show(self, sighting: Sighting) -> None:
        self.write(f"{sighting.time_s:8.1f} s  {sighting.activity} {sighting.probability:.2f}")


class JsonView(_Lines):
    """One JSON document a line."""

    def show(self, sighting: Sighting) -> None:
        self.write(json.dumps(sighting.document(), allow_nan=False))


class CsvView(_Lines):
    """A header, then one row per prediction."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._writer = csv.writer(out, lineterminator="\n")
        self._begun = False

    def show(self, sighting: Sighting) -> None:
        if not self._begun:
            self._writer.writerow(
                ["time_s", "end_index", "activity", "probability", *Figures().document()]
            )
            self._begun = True
        end = "" if sighting.end_index is None else sighting.end_index
        probability = f"{sighting.probability:.6g}"
        row = [f"{sighting.time_s:.3f}", end, sighting.activity, probability]
        self._writer.writerow([*row, *sighting.figures.document().values()])
        self.out.flush()


@dataclass
class BarsView:
    """Live bars in a terminal, the activity that the board shows bright."""

    port: str
    console: Any = None
    _live: Any = field(default=None, init=False)
    _seen: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        from rich.live import Live
        from rich.text import Text

        waiting = Text(f"{self.port}: waiting for a prediction (Ctrl-C ends)", style="dim")
        self._live = Live(waiting, console=self.console, auto_refresh=False)
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def show(self, sighting: Sighting) -> None:
        self._seen += 1
        self._live.update(bars(sighting, f"{self.port}  {self._seen} predictions"), refresh=True)

    def tell(self, message: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(message, style="dim"))


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

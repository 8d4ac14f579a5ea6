"""What `har record` shows while it records: the last window of all six channels, and how far."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.board.recording import Progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

COLUMNS = 64
BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.-=+*%#"
LOST = "|"
CHANNELS = (
    ("ax", "g", 0.2),
    ("ay", "g", 0.2),
    ("az", "g", 0.2),
    ("gx", "rad/s", 0.5),
    ("gy", "rad/s", 0.5),
    ("gz", "rad/s", 0.5),
)
"""Name, unit, and the least that a row spans from bottom to top, so that noise stays small."""


@contextlib.contextmanager
def trace_view(
    activity: str, seconds: float, console: Console
) -> Iterator[Callable[[Progress], None]]:
    """A live picture on `console`; gives the ``on_progress`` of `record`."""
    from rich.live import Live

    levels = BLOCKS if console.encoding.startswith("utf") else ASCII
    with Live(console=console, auto_refresh=False) as live:
        yield lambda progress: live.update(trace(progress, activity, seconds, levels), refresh=True)


def trace(
    progress: Progress, activity: str, seconds: float, levels: str = BLOCKS
) -> RenderableType:
    """The picture of one moment: a row for each channel with its latest value and its range, what
    was lost in red, then how far the recording is."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for channel, (name, unit, least) in enumerate(CHANNELS):
        values = progress.trace[:, channel]
        row = Text(sparkline(values, progress.window, least, levels))
        row.stylize("cyan" if unit == "g" else "magenta")
        row.highlight_regex(r"\|", "bold red")
        known = values[np.isfinite(values)]
        now, span = "", ""
        if len(known):
            now, span = f"{known[-1]:+.2f} {unit}", f"{known.min():+.2f} .. {known.max():+.2f}"
        table.add_row(Text(name, style="bold"), row, now, Text(span, style="dim"))
    if progress.starts_in_s > 0:
        state = Text(f"{activity!r} begins in {progress.starts_in_s:.0f} s", style="bold yellow")
        return Group(table, state)
    bar = Table.grid()  # a bar by itself ends no line
    bar.add_row(ProgressBar(seconds, seconds - progress.left_s, width=COLUMNS))
    state = Text.assemble(
        (f"recording {activity!r}", "bold green"),
        f"  {progress.left_s:.0f} s left, {progress.samples} samples, ",
        (progress.remark or f"{progress.lost} lost", "bold red" if progress.lost else ""),
        ("  Ctrl-C ends it", "dim"),
    )
    return Group(table, bar, state)


def sparkline(
    values: npt.NDArray[np.float32], window: int, least: float, levels: str = BLOCKS
) -> str:
    """`values` (n,), at most `window` of them, right-aligned in `COLUMNS` characters; from the
    lowest to the highest level lies their range, or `least` where that is less. A column with a
    value that was lost (NaN) is `LOST`."""
    window = max(window, 1)
    columns = min(COLUMNS, window)
    padded = np.full(window, np.inf)
    padded[window - len(values) :] = values
    known = values[np.isfinite(values)]
    if not len(known):
        return " " * columns
    low, high = float(known.min()), float(known.max())
    span = max(high - low, least)
    bottom = (low + high - span) / 2
    text = ""
    for part in np.array_split(padded, columns):
        if np.isnan(part).any():
            text += LOST
        elif np.isinf(part).any():
            text += " "
        else:
            share = (float(part.mean()) - bottom) / span
            text += levels[min(len(levels) - 1, max(0, int(share * len(levels))))]
    return text

"""What the commands that run many jobs share: where jobs run, and how their progress shows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipeline.experiments.jobs import Progress

WorkersOption = Annotated[
    int | None, typer.Option(help="Processes on this machine; without it one for each core.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(help="tls://HOST:PORT of a dask scheduler whose workers run the jobs."),
]
TlsCaFileOption = Annotated[
    Path | None, typer.Option(help="PEM file of the authority that signed its certificates.")
]
TlsCertOption = Annotated[Path | None, typer.Option(help="PEM file of this machine's certificate.")]
TlsKeyOption = Annotated[Path | None, typer.Option(help="PEM file of its key.")]


@contextlib.contextmanager
def jobs_display(
    what: str,
    name: Callable[[dict[str, Any]], str],
    summary: Callable[[dict[str, Any]], str],
) -> Iterator[Callable[[Progress], None]]:
    """Gives the ``on_progress`` of `run_jobs`: a bar where stderr is a terminal, and a line for
    each job that is done.

    ``what``: the jobs, in the plural; ``name``: of a job; ``summary``: of a result, in a few words.
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    from pipeline.core.console import Console

    console = Console(stderr=True)
    column = Column(no_wrap=True, overflow="ellipsis")
    text = TextColumn("{task.description}", markup=False, table_column=column)
    columns = (BarColumn(20), TimeElapsedColumn(), text)
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        first = True

        def on_progress(progress: Progress) -> None:
            nonlocal first
            lines = []
            if first and progress.done:
                lines.append(f"{progress.done} of {progress.total} {what} were done before")
            first = False
            text = f"{progress.done} of {progress.total} {what}"
            if progress.seconds_left is not None and progress.done < progress.total:
                text += f", about {duration(progress.seconds_left)} left"
            if last := progress.last:
                line = f"{name(last.job)}: {summary(last.result)}, {duration(last.seconds)}"
                lines.append(line if console.is_terminal else f"{line} ({text})")
            for line in lines:
                bar.print(line, highlight=False, soft_wrap=True, markup=False)
            running = " | ".join(name(job) for job in progress.running)
            shown = f"{text}: {running}" if running else text
            bar.update(task, completed=progress.done, total=progress.total, description=shown)

        yield on_progress


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"

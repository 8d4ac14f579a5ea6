"""What the commands that run many jobs share: where they are kept, who runs them, how it shows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from pipeline.experiments.jobs import Progress

WorkersOption = Annotated[int, typer.Option(help="Processes on this machine.")]
StorageOption = Annotated[
    str | None,
    typer.Option(help="URL of the database; workers on other machines name the same."),
]
StudyOption = Annotated[
    str | None, typer.Option(help="Its name there, if not that of the command.")
]


def storage_url(storage: str | None, output: Path) -> str:
    """``storage``, or else a file in the folder that is written."""
    from pipeline.experiments.jobs import study_file

    return storage or study_file(output)


class Display:
    """A bar where stderr is a terminal, and a line for each thing that is done."""

    def __init__(self, bar: Bar, what: str) -> None:
        self._bar, self._what = bar, what
        self._task = bar.add_task(what, total=None)

    def line(self, text: str) -> None:
        """Something that stays to be read."""
        self._bar.print(text, highlight=False, soft_wrap=True, markup=False)

    def update(
        self,
        done: int,
        total: int,
        seconds_left: float | None,
        *,
        news: Sequence[str] = (),
        running: str = "",
    ) -> None:
        """How far it is. ``news``: a line for each thing that was done since the last call;
        ``running``: what is being done."""
        text = f"{done} of {total} {self._what}"
        if seconds_left is not None and done < total:
            text += f", about {duration(seconds_left)} left"
        shown = f"{text}: {running}" if running else text
        self._bar.update(self._task, completed=min(done, total), total=total, description=shown)
        for number, line in enumerate(news, 1):
            bare = self._bar.console.is_terminal or number < len(news)
            self.line(line if bare else f"{line} ({text})")


@contextlib.contextmanager
def display(what: str) -> Iterator[Display]:
    """``what``: the things that are counted, in the plural."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    from pipeline.core.console import Console

    console = Console(stderr=True)
    text = TextColumn(
        "{task.description}",
        markup=False,
        table_column=Column(no_wrap=True, overflow="ellipsis"),
    )
    columns = (BarColumn(20), TimeElapsedColumn(), text)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield Display(bar, what)


@contextlib.contextmanager
def sweep_display(
    what: str,
    name: Callable[[dict[str, Any]], str],
    summary: Callable[[dict[str, Any]], str],
) -> Iterator[Callable[[Progress], None]]:
    """Gives the ``on_progress`` of `run_sweep`.

    ``what``: the jobs, in the plural; ``name``: of a job; ``summary``: of a result, in a few words.
    """
    with display(what) as show:
        first = True

        def on_progress(progress: Progress) -> None:
            nonlocal first
            if first and progress.done and progress.last is None:
                show.line(f"{progress.done} of {progress.total} {what} are there from before")
            first = False
            running = " | ".join(name(job) for job in progress.running)
            if progress.failed:
                running += f" ({progress.failed} failed)"
            news = []
            if last := progress.last:
                took = duration(last.seconds)
                news.append(f"{name(last.job)}: {summary(last.result)}, {took}")
            show.update(
                progress.done, progress.total, progress.seconds_left, news=news, running=running
            )

        yield on_progress


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"

"""`har learn`: labelled windows teach the board."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.common import JsonOption, guarded, note, print_json
from pipeline.cli.stream import CsvOption, DatasetOption, PortOption, SubjectOption

if TYPE_CHECKING:
    from pipeline.device.playback import Lesson


@guarded
def learn(
    port: PortOption,
    activity: Annotated[
        str | None, typer.Option(help="What the recording shows; else its own labels count.")
    ] = None,
    csv: CsvOption = None,
    dataset: DatasetOption = None,
    subject: SubjectOption = None,
    windows: Annotated[int, typer.Option(min=1, help="Labelled windows per activity.")] = 1,
    save: Annotated[bool, typer.Option("--save", help="Keep it through power loss.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Stream labelled windows, label them, and show what the board learned."""
    from pipeline.device import Client
    from pipeline.device.playback import lessons_of, stretches, teach
    from pipeline.device.selection import as_activity, select
    from pipeline.errors import InputError

    if csv is None and subject is None:
        raise InputError("name who teaches: --subject NAME of the data set, or --csv FILE")
    with Client.open(port) as client:
        board = client.hello()
        selection = select(dataset, None, subject, csv, note)
        if activity is not None:
            client.activity_index(activity)
            selection = as_activity(selection, activity)
        what = stretches(selection.recordings, client)
        labelled = lessons_of(what, client, per_activity=windows)
        with _progress(len(labelled)) as show:
            lessons = teach(client, labelled, on_lesson=show)
        state = client.save() if save else client.head()
    document = {
        "port": port,
        "model_id": board.model_id.hex(),
        "dataset": selection.source,
        "subject": subject,
        "labelled_windows": len(lessons),
        "lessons": [
            {
                "activity": lesson.activity,
                "probability_before": lesson.learned.probability_before,
                "probability_after": lesson.learned.probability_after,
            }
            for lesson in lessons
        ],
        "updates": state.updates,
        "saved": save,
    }
    if as_json:
        print_json(document)
    else:
        _print(document)


@contextmanager
def _progress(windows: int) -> Iterator[Callable[[Lesson], None]]:
    """A bar on stderr that grows with the windows labelled; silent where stderr is no terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("teaching", total=windows)

        def show(lesson: Lesson) -> None:
            learned = lesson.learned
            bar.update(
                task,
                advance=1,
                description=f"{escape(lesson.activity)} {learned.probability_before:.2f} -> "
                f"{learned.probability_after:.2f}",
            )

        yield show


def _print(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table("activity", "before", "after")
    for lesson in document["lessons"]:
        table.add_row(
            escape(lesson["activity"]),
            f"{lesson['probability_before']:.2f}",
            f"{lesson['probability_after']:.2f}",
        )
    console.print(table)
    kept = "saved" if document["saved"] else "not saved: --save keeps it through power loss"
    console.print(f"{document['updates']} updates since the head was shipped; {kept}")

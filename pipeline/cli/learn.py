"""`har learn`: labelled windows teach the board."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from pipeline.cli.common import JsonOption, guarded, note, print_json
from pipeline.cli.stream import CsvOption, DatasetOption, PortOption, SubjectOption


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
        lessons = teach(client, lessons_of(what, client, per_activity=windows))
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

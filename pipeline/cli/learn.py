"""`har learn`: label windows on the board."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.common import JsonOption, guarded, note, print_json, progress_bar
from pipeline.cli.stream import CsvOption, DatasetOption, PortOption, SubjectOption

if TYPE_CHECKING:
    from pipeline.board.client import Client
    from pipeline.board.playback import UpdateResult

    Show = Callable[[UpdateResult], None]
    # Where the windows are from, how many there are, and what teaches them.
    Updates = tuple[str, int, Callable[[Show], list[UpdateResult]]]


@guarded
def learn(
    port: PortOption = None,
    activity: Annotated[
        str | None, typer.Option(help="Activity to label; by default the recording's own labels.")
    ] = None,
    new: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The same, for an activity that is new to the model."),
    ] = None,
    csv: CsvOption = None,
    dataset: DatasetOption = None,
    subject: SubjectOption = None,
    windows: Annotated[int, typer.Option(min=1, help="Labelled windows per activity.")] = 1,
    save: Annotated[bool, typer.Option("--save", help="Save to flash when done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Label windows, of a recording or of what you do now, and show what the board learned.

    With --activity or --new alone, the board's own motion sensor is used.
    """
    from pipeline.board.client import Client
    from pipeline.cli.views.head import head_document
    from pipeline.core.errors import InputError
    from pipeline.head import check_name

    live = csv is None and subject is None and dataset is None
    if csv is None and subject is None and not (live and (activity or new)):
        raise InputError(
            "choose the windows: --subject NAME of the data set, --csv FILE, or what you do now: "
            "--activity NAME"
        )
    if activity is not None and new is not None:
        raise InputError("give --activity, or --new for an activity new to the model, not both")
    if new is not None:
        new = new.strip()
        check_name(new)
    with Client.open(port) as client:
        client.hello()
        if activity is not None:
            client.activity_index(activity)
        shown = activity or new
        if live:
            source, count, teach_all = _live(client, str(shown), windows)
        else:
            source, count, teach_all = _recorded(client, dataset, subject, csv, shown, windows)
        with _note_unsaved(client), _progress(count) as show:
            if new is not None and new not in client.board.activities:
                client.name(new)
            results = teach_all(show)
            state = client.save() if save else client.head()
        head = head_document(client, state)
    document = {
        "dataset": source,
        "subject": subject,
        "labelled_windows": len(results),
        "lessons": [
            {
                "activity": result.activity,
                "outcome": result.learned.outcome.name.lower(),
                "serves": result.learned.serves,
                "probability_before": result.learned.probability_before,
                "probability_after": result.learned.probability_after,
            }
            for result in results
        ],
        "saved": save,
        **head,
    }
    if as_json:
        print_json(document)
    else:
        _print(document)


def _live(client: Client, activity: str, windows: int) -> Updates:
    """Windows of what the board's own sensor measures from now on."""
    from pipeline.board.playback import teach_live

    client.require_sensor()
    note(f"keep {activity} going: the board labels what it measures from now on")
    return (
        "the board's own sensor",
        windows,
        lambda show: teach_live(client, activity, windows, on_update=show),
    )


def _recorded(
    client: Client,
    dataset: str | None,
    subject: str | None,
    csv: Path | None,
    shown: str | None,
    windows: int,
) -> Updates:
    """Windows of a recording that shows the activity `shown`; None: by its labels."""
    from pipeline.board.playback import labelled_windows, stretches, teach
    from pipeline.data.selection import as_activity, select

    selection = select(dataset, None, subject, csv, note)
    if shown is not None:
        selection = as_activity(selection, shown)
    what = stretches(selection.recordings, client, new=shown)
    labelled = labelled_windows(what, client, per_activity=windows)
    return (
        selection.source,
        len(labelled),
        lambda show: teach(client, labelled, on_update=show),
    )


@contextmanager
def _note_unsaved(client: Client) -> Iterator[None]:
    """Says what is left unsaved when the block ends early."""
    from pipeline.cli.views.head import unsaved_note
    from pipeline.core.errors import HarError

    before = client.head()
    try:
        yield
    except (KeyboardInterrupt, HarError):
        if left := unsaved_note(client, before):
            note(left)
        raise


@contextmanager
def _progress(windows: int) -> Iterator[Callable[[UpdateResult], None]]:
    """A bar on stderr that grows with the windows labelled; silent where stderr is no terminal."""
    from pipeline.cli.views.head import outcome_text

    with progress_bar() as bar:
        count = itertools.count(1)

        def show(result: UpdateResult) -> None:
            learned, done = result.learned, next(count)
            text = (
                f"{done}/{windows} {result.activity} {learned.probability_before:.2f} -> "
                f"{learned.probability_after:.2f}, {outcome_text(learned.outcome.name)}"
            )
            bar(text, done / windows)

        yield show


def _print(document: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipeline.cli.views.head import outcome_text
    from pipeline.core.console import Console

    console = Console()
    table = Table("activity", "label", "before", "after")
    for lesson in document["lessons"]:
        table.add_row(
            escape(lesson["activity"]),
            outcome_text(lesson["outcome"]),
            f"{lesson['probability_before']:.2f}",
            f"{lesson['probability_after']:.2f}",
        )
    console.print(table)
    kept = (
        "saved" if document["saved"] else "not saved: `har head save` keeps it through power loss"
    )
    console.print(f"updates since the factory head: {document['updates']}; {kept}")
    console.print(f"active: {document['serving']}", soft_wrap=True)

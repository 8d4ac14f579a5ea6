"""`har stream`: recordings streamed to a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.common import JsonOption, guarded, note, print_json, progress_bar

if TYPE_CHECKING:
    from pipeline.board.playback import Playback

PortOption = Annotated[
    str | None,
    typer.Option(
        help="Serial port (/dev/ttyACM0, COM3) or URL (socket://HOST:PORT).",
        show_default="the board on USB",
    ),
]
DatasetOption = Annotated[
    str | None, typer.Option(help="A name from `har data list`.", show_default="hapt")
]
SplitOption = Annotated[
    str | None, typer.Option(help="test, train, validation or all.", show_default="test")
]
SubjectOption = Annotated[str | None, typer.Option(help="Only this subject.")]
CsvOption = Annotated[Path | None, typer.Option(help="A recording of your own instead.")]


@guarded
def stream(
    port: PortOption = None,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    subject: SubjectOption = None,
    csv: CsvOption = None,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many windows.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Stream recorded samples to a board and compare its predictions with the labels."""
    from pipeline.board.client import Client
    from pipeline.board.playback import replay, stretches
    from pipeline.data.selection import select

    with Client.open(port) as client:
        board = client.hello()
        selection = select(dataset, split, subject, csv, note)
        what = stretches(selection.recordings, client, windows=windows)
        samples = sum(len(stretch.samples) for stretch in what)
        with progress_bar() as show:

            def on_stretch(result: Playback) -> None:
                right = "" if result.scores is None else f", {result.scores.accuracy:.1%} right"
                shown = f"{len(result.answers)} predictions{right}"
                show(shown, result.samples_sent / samples)

            result = replay(client, what, on_stretch=on_stretch)
    document = {
        "port": client.port,
        "model_id": board.model_id.hex(),
        "engine": board.engine.name.lower(),
        "target": board.target.name.lower(),
        "dataset": selection.source,
        "split": selection.split,
        "subjects": list(selection.subjects),
        **result.document(),
    }
    if as_json:
        print_json(document)
    else:
        _print(document, result)


def _print(document: dict[str, Any], result: Playback) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipeline.core.console import Console

    console = Console()
    if document["accuracy"] is not None:
        names = document["activities"]
        title = f"{escape(document['dataset'])} on {escape(document['port'])}"
        table = Table("shown \\ seen", title=title, title_justify="left")
        for name in names:
            table.add_column(escape(name), justify="right")
        for row, (name, counts) in enumerate(zip(names, document["confusion"], strict=True)):
            cells = [
                f"[bold green]{count}[/]" if row == column else str(count or "")
                for column, count in enumerate(counts)
            ]
            table.add_row(escape(name), *cells)
        console.print(table)
        for subject, share in document["subject_accuracy"].items():
            console.print(f"{escape(subject)}  {share:.1%}")
        console.print(f"accuracy {document['accuracy']:.1%} of {len(result.answers)} windows")
    else:
        for answer in result.answers:
            at = answer.prediction
            shown, share = at.shown(document["activities"])
            console.print(f"{at.end_index:8d}  {escape(shown)} {share:.2f}")
    console.print(
        f"{result.samples_sent} samples sent, {result.samples_lost} lost; "
        f"{len(result.answers)} predictions, {result.predictions_missing} missing; "
        f"{result.saturated} values beyond the sensor's range",
        soft_wrap=True,
    )

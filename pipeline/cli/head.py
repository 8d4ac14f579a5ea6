"""`har head`: the learned head of a board, shown, copied, set back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.common import JsonOption, guarded, print_json
from pipeline.cli.stream import PortOption

if TYPE_CHECKING:
    from pipeline.device import Client, HeadState

app = typer.Typer(
    help="The learned head of a board: show, pull, push, reset, rollback.", no_args_is_help=True
)

FileArgument = Annotated[Path, typer.Argument(help="A .head file.")]


@app.command()
@guarded
def show(port: PortOption, as_json: JsonOption = False) -> None:
    """Where the current head comes from and what it has learned."""
    from pipeline.device import Client

    with Client.open(port) as client:
        _print(_document(client, client.head()), as_json)


@app.command()
@guarded
def pull(file: FileArgument, port: PortOption, as_json: JsonOption = False) -> None:
    """Copy the current head, saved or not, to a file that checks itself."""
    from pipeline.device import Client, write_head

    with Client.open(port) as client:
        payload = client.pull()
        state = client.head()
        write_head(file, payload, model_id=client.board.model_id, sequence=state.sequence)
        _print({**_document(client, state), "file": str(file)}, as_json)


@app.command()
@guarded
def push(file: FileArgument, port: PortOption, as_json: JsonOption = False) -> None:
    """Make a file's head the current one, and store it. Refuses another model's."""
    from pipeline.device import Client, read_head

    read_head(file)  # a bad file is refused before the port is touched
    with Client.open(port) as client:
        record = read_head(file, model_id=client.board.model_id)
        state = client.push(record.payload)
        _print({**_document(client, state), "file": str(file)}, as_json)


@app.command()
@guarded
def reset(port: PortOption, as_json: JsonOption = False) -> None:
    """Back to the shipped head; `har head rollback` brings back what was saved."""
    from pipeline.device import Client

    with Client.open(port) as client:
        _print(_document(client, client.head_reset()), as_json)


@app.command()
@guarded
def rollback(port: PortOption, as_json: JsonOption = False) -> None:
    """Drop what was not saved; if all was, back to the head stored before (again: a redo)."""
    from pipeline.device import Client

    with Client.open(port) as client:
        _print(_document(client, client.head_rollback()), as_json)


def _document(client: Client, state: HeadState) -> dict[str, Any]:
    board = client.board
    return {
        "port": client.port,
        "model_id": board.model_id.hex(),
        "source": state.source.name.lower(),
        "unsaved": state.unsaved,
        "sequence": state.sequence,
        "records": state.records,
        "updates": state.updates,
        "labels": dict(zip(board.activities, state.labels, strict=True)),
        "tail_crc": f"{state.tail_crc:08x}",
    }


def _print(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    saved = "  (not saved)" if document["unsaved"] else ""
    table.add_row("head", f"{document['source']}{saved}")
    table.add_row("model", document["model_id"])
    table.add_row("stored", f"sequence {document['sequence']}, {document['records']} records")
    labels = [f"{escape(name)} {count}" for name, count in document["labels"].items() if count]
    table.add_row("learned", f"{document['updates']} updates; {', '.join(labels) or 'no labels'}")
    table.add_row("checksum", document["tail_crc"])
    if "file" in document:
        table.add_row("file", escape(document["file"]))
    Console().print(table)

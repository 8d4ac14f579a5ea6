"""`har head`: show, copy and restore the learned head of a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.common import JsonOption, guarded, print_json
from pipeline.cli.stream import PortOption

app = typer.Typer(
    name="head",
    help="The learned head of a board: show, save, undo, pull, push, reset, rollback.",
    no_args_is_help=True,
)

FileArgument = Annotated[Path, typer.Argument(help="A .head file.")]


@app.command()
@guarded
def show(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Show which head is active, what it has learned, and what is stored."""
    from pipeline.board.client import Client
    from pipeline.cli.views.head import head_document

    with Client.open(port) as client:
        _print(head_document(client, client.head()), as_json)


@app.command()
@guarded
def save(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Save the current head to flash, where it survives power loss."""
    from pipeline.board.client import Client
    from pipeline.cli.views.head import head_document

    with Client.open(port) as client:
        _print(head_document(client, client.save()), as_json)


@app.command()
@guarded
def undo(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Undo the last label. Only the last one can be undone, and once."""
    from pipeline.board.client import Client
    from pipeline.cli.views.head import head_document

    with Client.open(port) as client:
        _print(head_document(client, client.undo()), as_json)


@app.command()
@guarded
def pull(file: FileArgument, port: PortOption = None, as_json: JsonOption = False) -> None:
    """Copy the current head, saved or not, to a file with checksums."""
    from pipeline.board.client import Client
    from pipeline.board.headfile import write_head
    from pipeline.cli.views.head import head_document

    with Client.open(port) as client:
        payload = client.pull()
        state = client.head()
        write_head(file, payload, model_id=client.board.model_id, sequence=state.sequence)
        _print({**head_document(client, state), "file": str(file)}, as_json)


@app.command()
@guarded
def push(file: FileArgument, port: PortOption = None, as_json: JsonOption = False) -> None:
    """Load a head from a file onto the board and save it. A head of another model is refused."""
    from pipeline.board.client import Client
    from pipeline.board.headfile import read_head
    from pipeline.cli.views.head import head_document

    read_head(file)  # a bad file is refused before the port is touched
    with Client.open(port) as client:
        record = read_head(file, model_id=client.board.model_id)
        state = client.push(record.payload)
        _print({**head_document(client, state), "file": str(file)}, as_json)


@app.command()
@guarded
def reset(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Return to the factory head; `har head rollback` restores what was saved."""
    from pipeline.board.client import Client
    from pipeline.cli.views.head import head_document

    with Client.open(port) as client:
        _print(head_document(client, client.head_reset()), as_json)


@app.command()
@guarded
def rollback(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Drop unsaved labels; if there are none, return to the record before (again: redo)."""
    from pipeline.board.client import Client
    from pipeline.cli.views.head import head_document

    with Client.open(port) as client:
        _print(head_document(client, client.head_rollback()), as_json)


def _print(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    from pipeline.cli.views.head import head_table
    from pipeline.core.console import Console

    Console().print(head_table(document))

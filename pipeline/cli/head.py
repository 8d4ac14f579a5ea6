"""`har head`: show, copy and restore the learned head of a board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.common import JsonOption, guarded, print_json
from pipeline.cli.stream import PortOption

if TYPE_CHECKING:
    from pipeline.board.client import Client
    from pipeline.protocol.messages import HeadState

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
    _show(port, as_json, lambda client: client.head())


@app.command()
@guarded
def save(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Save the current head to flash, where it survives power loss."""
    _show(port, as_json, lambda client: client.save())


@app.command()
@guarded
def undo(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Undo the last label. Only the last one can be undone, and once."""
    _show(port, as_json, lambda client: client.undo())


@app.command()
@guarded
def pull(file: FileArgument, port: PortOption = None, as_json: JsonOption = False) -> None:
    """Copy the current head, saved or not, to a file with checksums."""
    from pipeline.board.headfile import write_head

    def copy(client: Client) -> HeadState:
        payload, state = client.pull(), client.head()
        write_head(file, payload, model_id=client.board.model_id, sequence=state.sequence)
        return state

    _show(port, as_json, copy, file)


@app.command()
@guarded
def push(file: FileArgument, port: PortOption = None, as_json: JsonOption = False) -> None:
    """Load a head from a file onto the board and save it. A head of another model is refused."""
    from pipeline.board.headfile import read_head

    read_head(file)  # a bad file is refused before the port is touched

    def load(client: Client) -> HeadState:
        return client.push(read_head(file, model_id=client.board.model_id).payload)

    _show(port, as_json, load, file)


@app.command()
@guarded
def reset(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Return to the factory head; `har head rollback` restores what was saved."""
    _show(port, as_json, lambda client: client.head_reset())


@app.command()
@guarded
def rollback(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Drop unsaved labels; if there are none, return to the record before (again: redo)."""
    _show(port, as_json, lambda client: client.head_rollback())


def _show(
    port: str | None,
    as_json: bool,
    ask: Callable[[Client], HeadState],
    file: Path | None = None,
) -> None:
    """Print the state that ``ask`` gets of the board, and the ``file`` that was read or written."""
    from pipeline.board.client import Client
    from pipeline.cli.views.head import head_document, head_table
    from pipeline.core.console import Console

    with Client.open(port) as client:
        document = head_document(client, ask(client))
    if file is not None:
        document["file"] = str(file)
    if as_json:
        print_json(document)
    else:
        Console().print(head_table(document))

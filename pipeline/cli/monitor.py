"""`har monitor`: what the board sees, now."""

from __future__ import annotations

import os
import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.common import guarded
from pipeline.cli.stream import PortOption

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipeline.cli.views.monitor import View


@guarded
def monitor(
    port: PortOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after this many predictions.")
    ] = None,
) -> None:
    """Show predictions as they arrive: live bars in a terminal, else one line each. Ctrl-C ends."""
    from contextlib import closing

    from pipeline.board.ports import find_board
    from pipeline.cli.views.monitor import watch
    from pipeline.core.errors import InputError

    if as_json and as_csv:
        raise InputError("--json or --csv, not both")
    board = find_board(port)
    try:
        with (
            _view(board, as_json, as_csv) as view,
            closing(watch(board, view.tell)) as sightings,
        ):
            for sighting in islice(sightings, count):
                view.show(sighting)
    except KeyboardInterrupt:
        return  # the usual way to end it
    except BrokenPipeError:
        # Whoever read our lines has enough; do not let the interpreter flush into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _view(port: str, as_json: bool, as_csv: bool) -> AbstractContextManager[View]:
    from pipeline.cli.views import monitor as views

    if as_json:
        return views.lines_view(sys.stdout, views.json_line)
    if as_csv:
        return views.lines_view(sys.stdout, views.csv_line, views.CSV_HEADER)
    if sys.stdout.isatty():
        return views.bars_view(port)
    return views.lines_view(sys.stdout, views.text_line)

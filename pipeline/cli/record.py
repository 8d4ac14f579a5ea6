"""`har record`: labelled recordings from the board's own sensor."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.common import JsonOption, guarded, note, print_json, require_writable, say
from pipeline.cli.stream import PortOption

SECONDS_MAX = 36_000.0


@guarded
def record(
    activity: Annotated[
        str, typer.Option(help="Activity that you do meanwhile: a name of 1 to 31 bytes.")
    ],
    seconds: Annotated[
        float, typer.Option(min=1.0, max=SECONDS_MAX, help="How long; Ctrl-C ends it earlier.")
    ] = 60.0,
    port: PortOption = None,
    output: Annotated[Path, typer.Option(help="Folder for the file.")] = Path("data/recordings"),
    subject: Annotated[str, typer.Option(help="Who wears the board.")] = "me",
    countdown: Annotated[
        float, typer.Option(min=0.0, max=3600.0, help="Seconds to wait before recording.")
    ] = 3.0,
    as_json: JsonOption = False,
) -> None:
    """Record what the board's own sensor measures, labelled, as CSV."""
    from pipeline.board.client import Client
    from pipeline.board.ports import find_board
    from pipeline.board.recording import Plan
    from pipeline.board.recording import record as take
    from pipeline.cli.views.record import trace_view
    from pipeline.core.console import Console

    plan = Plan(activity, seconds, output, subject, countdown)
    require_writable(output)
    console = Console(stderr=True)
    with Client.open(find_board(port)) as client, contextlib.ExitStack() as shown:
        if console.is_terminal:
            show = shown.enter_context(trace_view(activity, seconds, console))
            taken = take(client, plan, on_progress=show)
        else:
            note(f"recording {activity!r} from {client.port} for {seconds:g} s")
            taken = take(client, plan)
    for doubt in taken.doubts:
        note(f"har: {doubt}")
    if as_json:
        print_json(taken.document())
    elif taken.path is not None:
        say(
            f"{taken.path}: {taken.seconds:.1f} s, {taken.samples} samples, "
            f"{taken.lost_samples} lost\n"
            f"next: har train --data {output}"
        )
    if taken.interrupted is not None:
        kept = "nothing was recorded" if taken.path is None else "kept what came before"
        note(f"har: {taken.interrupted}; {kept}")
        raise typer.Exit(taken.interrupted_exit_code)
    if taken.refused is not None:
        note(f"har: {taken.refused}; `har train` will refuse it, too: put the file away")
        raise typer.Exit(1)

"""`har doctor`: checks of this machine, the model and the board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.common import ROOT, JsonOption, guarded, print_json, working

if TYPE_CHECKING:
    from pipeline.doctor.check import Report

_COLORS = {"green": "green", "yellow": "yellow", "red": "bold red"}


@guarded
def doctor(
    port: Annotated[
        str | None,
        typer.Option(help="Serial port or URL (socket://HOST:PORT); found by USB id if left out."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help="How long to listen to the sensor.")
    ] = 10.0,
    bundle: Annotated[Path, typer.Option(help="Bundle folder.")] = Path("build/bundle"),
    as_json: JsonOption = False,
) -> None:
    """Check this machine, the model and the board, and say what to fix. Exit code 1 if anything."""
    from pipeline.doctor.examine import examine

    with working("looking at this machine") as show:
        report = examine(ROOT, bundle, port=port, seconds=seconds, tell=show)
    if as_json:
        print_json(report.document())
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from pipeline.core.console import Console

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("looked at", no_wrap=True)
    table.add_column("found, and what to do", overflow="fold")
    for check in report.checks:
        found = Text(check.text)
        if check.remedy:
            found.append(f"\n-> {check.remedy}", style="dim")
        table.add_row(Text(check.state, style=_COLORS[check.state]), check.name, found)
    console = Console()
    console.print(table)
    states = [check.state for check in report.checks]
    console.print(
        f"{states.count('green')} green, {states.count('yellow')} yellow, {states.count('red')} red"
    )

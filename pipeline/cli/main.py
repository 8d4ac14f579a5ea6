"""The root of `har`."""

from __future__ import annotations

import typer

from pipeline.cli import train

app = typer.Typer(
    name="har",
    help="Activity classifiers that learn on the microcontroller.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(train.pretrain)
app.command()(train.train)
app.command()(train.quantize)
app.command()(train.emit)


if __name__ == "__main__":
    app()

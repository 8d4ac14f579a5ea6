"""The root of `har`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from pipeline.cli import board, bundles, data, demo, doctor, emulate, experiments, fit, train
from pipeline.cli.common import prepare_output, print_failure

COMMANDS: dict[str, tuple[Callable[..., None] | typer.Typer, ...]] = {
    "Start here": (demo.demo, doctor.doctor, data.app),
    "Model": (
        bundles.app,
        train.pretrain,
        train.train,
        train.quantize,
        train.emit,
        fit.fit,
        fit.bench,
        fit.parity,
    ),
    "Board": (
        emulate.build,
        emulate.emulate,
        emulate.flash,
        board.stream,
        board.monitor,
        board.record,
        board.learn,
        board.head_app,
    ),
    "Experiments": (
        experiments.evaluate,
        experiments.search,
        experiments.transfer,
        experiments.personalize,
        experiments.variants,
        experiments.fxcy,
    ),
}
"""What `har --help` shows: panel -> commands and groups, both in this order."""


_UsageError: Any = typer.BadParameter.__base__  # typer has a click of its own, and no name for it


class Root(TyperGroup):
    """The commands in the order of `COMMANDS`; with --json, also wrong usage is a document."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Give the names in the order of `COMMANDS`."""
        return [_name_of(command) for panel in COMMANDS.values() for command in panel]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and remember whether a document is wanted."""
        prepare_output()
        ctx.meta["json"] = "--json" in args
        with _usage_as_json(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Parse and run the command."""
        with _usage_as_json(ctx):
            return super().invoke(ctx)


@contextlib.contextmanager
def _usage_as_json(ctx: Any) -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        if ctx.meta["json"]:
            print_failure(error.format_message(), error.exit_code)
        raise


def _name_of(command: Callable[..., None] | typer.Typer) -> str:
    return str(command.info.name) if isinstance(command, typer.Typer) else command.__name__


app = typer.Typer(
    name="har",
    cls=Root,
    help="Activity classifiers that learn on the microcontroller.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for panel, commands in COMMANDS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=panel)
        else:
            app.command(rich_help_panel=panel)(command)


@app.callback()
def root() -> None:
    # Both must be set before TensorFlow is first imported: its log goes to the user's terminal
    # otherwise, and oneDNN's reordered sums differ from machine to machine.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")


if __name__ == "__main__":
    app()

"""What every command shares: one stderr console, JSON on stdout, errors as one line."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import logging
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from pipeline.core.errors import ExternalError, HarError
from pipeline.core.format import printable_lines

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

TargetOption = Annotated[
    Literal["mps2", "host"],
    typer.Option(help="mps2: emulated Cortex-M4F; host: a process on this machine."),
]

ROOT = Path(__file__).resolve().parents[2]

F = TypeVar("F", bound=Callable[..., Any])


def note(message: str) -> None:
    """Print one line for the user, on stderr, without control characters of names."""
    print(printable_lines(message), file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print a command's answer on stdout, without control characters of names."""
    print(printable_lines(text), flush=True)


class _Notes(logging.Handler):
    """What the package logs (what an interrupted run left, who waits for whom), as notes."""

    def emit(self, record: logging.LogRecord) -> None:
        note(f"har: {record.getMessage()}")


def command_line() -> str:
    """What was typed, as a report repeats it."""
    return shlex.join(["har", *sys.argv[1:]])


@contextlib.contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """A spinner with what is being done, on stderr, while the block runs; silent where stderr is
    no terminal. Gives a function that changes the text."""
    from rich.markup import escape

    from pipeline.core.console import Console

    with Console(stderr=True).status(escape(text)) as status:
        yield lambda text: status.update(escape(text))


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[str, float], None]]:
    """Show a bar with the time that is left on stderr, silent where that is no terminal; yields
    ``show(text, share done)``."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    from pipeline.core.console import Console

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        Remaining(),
    )
    console, silent = Console(stderr=True), not sys.stderr.isatty()
    with Progress(*columns, console=console, transient=True, disable=silent) as bar:
        job = bar.add_task("loading", total=1.0)
        yield lambda text, share: bar.update(job, description=text, completed=share)


def require_writable(folder: Path) -> None:
    """Makes the folder if need be. Called before long work: raises ExternalError where its result
    could not be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ExternalError(
            f"{folder}: cannot be written ({error.strerror or error}); name another folder"
        ) from None


def print_json(document: Any) -> None:
    """Print the command's one JSON document on stdout."""
    global _json_printed
    json.dump(document, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()  # whoever reads it may be waiting while the command goes on
    _json_printed = True


_json_printed = False


def print_failure(message: str, exit_code: int) -> None:
    """Print the JSON document of a failed command that has not printed its document."""
    if not _json_printed:
        print_json({"error": printable_lines(message), "exit_code": exit_code})


def prepare_output() -> None:
    """Make stdout and stderr take every character, as an escape where their encoding has none, and
    show there what the package logs."""
    global _json_printed
    _json_printed = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    log = logging.getLogger("pipeline")
    if not any(isinstance(handler, _Notes) for handler in log.handlers):
        log.addHandler(_Notes())


def guarded(function: F) -> F:
    """Turn HarError, a full disk and Ctrl-C into one line and the right exit code; with --json the
    line is also the document on stdout."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        global _json_printed
        _json_printed = False
        try:
            return function(*args, **kwargs)
        except HarError as error:
            message, exit_code = str(error), error.exit_code
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            in_the_way = isinstance(error, (FileExistsError, NotADirectoryError))
            advice = ": a file is in the way; name another folder" if in_the_way else ""
            message = f"{error.strerror or error}{where}{advice}"
            exit_code = ExternalError.exit_code
        except KeyboardInterrupt as interrupt:
            message, exit_code = ": ".join(["interrupted", *map(str, interrupt.args)]), 130
        note(f"har: {message}")
        if kwargs.get("as_json"):
            print_failure(message, exit_code)
        raise typer.Exit(exit_code)

    return wrapper  # type: ignore[return-value]

"""What every command shares: one stderr console, JSON on stdout, errors as one line."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from pipeline.core.errors import ExternalError, HarError

if TYPE_CHECKING:
    pass

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

TargetOption = Annotated[
    Literal["mps2", "host"],
    typer.Option(help="mps2: emulated Cortex-M4F; host: a process on this machine."),
]

_PASSWORD = re.compile(r"(\w://[^\s:@/]*:)[^\s@]*(@)")  # of a URL
ROOT = Path(__file__).resolve().parents[2]

F = TypeVar("F", bound=Callable[..., Any])


def note(message: str) -> None:
    """One line for the person, on stderr."""
    print(message, file=sys.stderr, flush=True)


def command_line() -> str:
    """What was typed, as a report tells it: a database's password stays out of it."""
    return shlex.join(["har", *(_PASSWORD.sub(r"\1***\2", part) for part in sys.argv[1:])])


@contextlib.contextmanager
def working(text: str) -> Iterator[Callable[[str], None]]:
    """A spinner with what is being done, on stderr, while the block runs; silent where stderr is
    no terminal. Gives a function that changes the text."""
    from rich.console import Console

    with Console(stderr=True).status(text) as status:
        yield status.update


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
    """The command's one JSON document, on stdout."""
    json.dump(document, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()  # whoever reads it may be waiting while the command goes on


def guarded(function: F) -> F:
    """Turns HarError, a full disk and Ctrl-C into one line and the right exit code."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except HarError as error:
            note(f"har: {error}")
            raise typer.Exit(error.exit_code) from None
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            in_the_way = isinstance(error, (FileExistsError, NotADirectoryError))
            advice = ": a file is in the way; name another folder" if in_the_way else ""
            note(f"har: {error.strerror or error}{where}{advice}")
            raise typer.Exit(ExternalError.exit_code) from None
        except KeyboardInterrupt:
            note("har: interrupted")
            raise typer.Exit(130) from None

    return wrapper  # type: ignore[return-value]

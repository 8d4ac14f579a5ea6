"""Which text can be the name of an activity, wherever it comes from: a file, the user, a board.
A placement's name is held to the same."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.core.errors import InputError

NAME_BYTES_MAX = 31
UNKNOWN = "unknown"
"""What a board calls a window like nothing it knows: no activity has this name."""


def check_name(name: str, taken: Collection[str] = (), *, what: str = "activity") -> None:
    """Raises InputError for what can be no name of an activity (or of ``what`` else): empty, longer
    than 31 bytes of UTF-8, with unprintable characters, "unknown", or one of `taken`."""
    if not 1 <= len(name.encode(errors="replace")) <= NAME_BYTES_MAX or not name.isprintable():
        raise InputError(
            f"{name[:60]!r} can be no {what}'s name: give 1 to {NAME_BYTES_MAX} bytes of "
            "printable UTF-8"
        )
    if name == UNKNOWN:
        raise InputError(f"no {what} can be called {UNKNOWN!r}: choose another name")
    if name in taken:
        raise InputError(f"there is an {what} {name!r} already: choose another name")

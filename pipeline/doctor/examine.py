"""All checks, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.doctor.board import check_permissions, check_ports, check_usb, examine_board
from pipeline.doctor.check import Check, Report
from pipeline.doctor.machine import (
    check_bundle,
    check_downloads,
    check_emulator,
    check_generated,
    check_packages,
    check_platformio,
    check_room,
    check_tensorflow,
)


def examine(
    root: Path,
    bundle: Path,
    *,
    port: str | None = None,
    seconds: float = 10.0,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Looks at the project at ``root``, the ``bundle``, and the board on ``port`` (found by USB id
    when None), to whose sensor it listens for ``seconds`` s.

    Never raises for what it finds: that is in the report. ``tell`` gets each step as a line.
    """
    return Report(tuple(_checks(root, bundle, port, seconds, tell)))


def _checks(
    root: Path, bundle: Path, port: str | None, seconds: float, tell: Callable[[str], None]
) -> Iterator[Check]:
    tell("looking at this machine")
    yield check_packages(root / "requirements.lock")
    yield check_tensorflow()
    yield check_emulator()
    yield check_platformio()
    yield check_downloads(root)
    check, made = check_bundle(bundle)
    yield check
    check, model_id = check_generated(root / "firmware" / "generated", made)
    yield check
    if made is not None:
        yield check_room(made)
        model_id = made.model_id
    yield check_ports()
    check, chosen = check_usb(port)
    yield check
    permissions = check_permissions(chosen)
    if permissions is not None:
        yield permissions
    if chosen is not None:
        tell(f"asking the board on {chosen}")
        yield from examine_board(chosen, model_id, seconds, tell)

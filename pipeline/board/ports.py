"""Boards on USB: which are plugged in, the one that is meant, and the one that comes back."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import ExternalError, InputError

ARDUINO_VENDOR = 0x2341
BOOTLOADER_PRODUCTS = frozenset({0x005A})
SKETCH_PRODUCTS = frozenset({0x805A, 0x015A, 0x025A})
NANO33BLE_PRODUCTS = BOOTLOADER_PRODUCTS | SKETCH_PRODUCTS
"""Arduino's USB ids of the Nano 33 BLE family."""

POLL_S = 0.1


@dataclass(frozen=True)
class Found:
    """A board of the Nano 33 BLE family on USB. ``bootloader``: it runs no sketch now."""

    device: str
    serial: str | None
    bootloader: bool


def boards() -> list[Found]:
    """Those plugged in now, sorted by port."""
    from serial.tools import list_ports

    found = [
        Found(
            device=str(info.device),
            serial=getattr(info, "serial_number", None),
            bootloader=info.pid in BOOTLOADER_PRODUCTS,
        )
        for info in list_ports.comports()
        if info.vid == ARDUINO_VENDOR and info.pid in NANO33BLE_PRODUCTS
    ]
    return sorted(found, key=lambda board: board.device)


def find_board(port: str | None) -> str:
    """``port`` if it is there, a URL as it is; when None, the one board that is plugged in.

    Raises ``ExternalError`` when there is none, ``InputError`` when there are several.
    """
    if port is not None:
        if os.name == "posix" and "://" not in port and not Path(port).exists():
            raise ExternalError(f"no port {port}: is the board plugged in, with a data cable?")
        return port
    found = [board.device for board in boards()]
    if not found:
        raise ExternalError(
            "no Nano 33 BLE Sense found on USB: plug it in with a data cable, "
            "or name its port with --port"
        )
    if len(found) > 1:
        raise InputError(f"several boards: {', '.join(found)}; choose one with --port")
    return found[0]


def wait_for_board(serial: str | None, timeout_s: float, *, before: set[str]) -> str:
    """The port of the board that runs a sketch again, under whatever name.

    It is the one with this USB ``serial`` number. When that is None, it is one on a port where no
    board was ``before``; when only one was, it may also come back to that port. Raises
    ``ExternalError`` after ``timeout_s`` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        running = [board for board in boards() if not board.bootloader]
        if serial is not None:
            running = [board for board in running if board.serial == serial]
        elif len(before) > 1:
            running = [board for board in running if board.device not in before]
        else:
            running.sort(key=lambda board: board.device in before)
        if running:
            return running[0].device
        if time.monotonic() >= deadline:
            raise ExternalError(
                f"the board did not come back within {timeout_s:g} s: press its button twice, "
                "then run `har flash` again"
            )
        time.sleep(POLL_S)

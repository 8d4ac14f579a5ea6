"""The bytes' way to a board: real serial ports, `socket://HOST:PORT`, `loop://`.

`Transport` is the seam: three methods, so that a test brings its own in forty lines.
`open_port` gives the real one, over pyserial, whose many ways to fail become `ExternalError`s that
say what to do.
"""

from __future__ import annotations

import errno
import os
import select
import time
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pipeline.board.errors import PortLost
from pipeline.core.errors import ExternalError, InputError

BAUD_RATE = 115200  # USB serial ignores it; a UART does not
READ_SIZE = 65536
WRITE_TIMEOUT_S = 10.0
POLL_S = 0.001


class Transport(Protocol):
    """An open byte stream to a board. Every method raises `PortLost` once the other end is gone."""

    @property
    def name(self) -> str:
        """The port as a user would type it."""

    def read(self, timeout_s: float) -> bytes:
        """What has arrived; waits at most `timeout_s` seconds for the first byte, else b""."""

    def write(self, data: bytes) -> None:
        """Sends all of `data`."""

    def close(self) -> None:
        """Gives the port back. Closing twice is allowed."""


class SerialTransport:
    """A `Transport` over an open pyserial object with timeout 0."""

    def __init__(self, name: str, port: Any) -> None:
        self._name = name
        self._port = port
        try:
            self._fd: int | None = port.fileno() if os.name == "posix" else None
        except OSError:  # loop:// has no descriptor (io.UnsupportedOperation)
            self._fd = None

    @property
    def name(self) -> str:
        return self._name

    def read(self, timeout_s: float) -> bytes:
        try:
            if not self._wait(timeout_s):
                return b""
            return bytes(self._port.read(READ_SIZE))
        except (OSError, ValueError, TypeError) as error:
            raise self._lost(error) from None

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (OSError, ValueError, TypeError) as error:
            raise self._lost(error) from None

    def close(self) -> None:
        socket = getattr(self._port, "_socket", None)
        self._port.close()
        if socket is not None:
            socket.close()  # pyserial leaves it open where the other side has gone

    def _wait(self, timeout_s: float) -> bool:
        # pyserial's own timeout would wait for a full buffer, and setting it per call reconfigures
        # the port; so wait here, and read without waiting.
        if self._fd is not None:
            return bool(select.select([self._fd], [], [], max(0.0, timeout_s))[0])
        deadline = time.monotonic() + timeout_s
        while not self._port.in_waiting:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _lost(self, error: Exception) -> PortLost:
        from serial import SerialTimeoutException

        if isinstance(error, SerialTimeoutException):
            return PortLost(
                f"{self._name} took no bytes for {WRITE_TIMEOUT_S:.0f} s: reset the board, retry"
            )
        return PortLost(
            f"{self._name} is gone (unplugged, reset, or closed by the other side): "
            "plug the board in again, then retry"
        )


def open_port(port: str, baud: int = BAUD_RATE) -> SerialTransport:
    """Opens a device name (`/dev/ttyACM0`, `COM3`) or a pyserial URL, for this program alone.

    Raises `ExternalError` (no such port, busy, no permission, no listener) or `InputError` (not a
    port at all), each saying what to do.
    """
    import serial

    if port.lower().startswith("socket://"):
        _check_address(port)
    try:
        opened = serial.serial_for_url(
            port, baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True
        )
    except ValueError as error:
        raise InputError(f"{port!r} is not a serial port or URL ({error})") from None
    except (OSError, TypeError) as error:
        raise _why_not(port, error) from None
    if port.lower().startswith("socket://"):
        _send_at_once(opened)
    return SerialTransport(port, opened)


def ports() -> list[str]:
    """The serial ports of this machine that belong to hardware, by name."""
    from serial.tools import list_ports

    return sorted(info.device for info in list_ports.comports() if info.hwid != "n/a")


def serial_number(port: str) -> str | None:
    """The identity of the USB device at `port`, to find it again under another name."""
    from serial.tools import list_ports

    return next((i.serial_number for i in list_ports.comports() if i.device == port), None)


def port_of(serial: str) -> str | None:
    """The port whose USB device has this serial number, if it is plugged in now."""
    from serial.tools import list_ports

    return next((i.device for i in list_ports.comports() if i.serial_number == serial), None)


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname and parts.port)
    except ValueError:
        whole = False
    if not whole:
        raise InputError(f"{url!r} is not a port: write socket://HOST:PORT")


def _send_at_once(opened: Any) -> None:
    # Without this, Nagle's algorithm holds each frame back until the last one is acknowledged.
    import socket

    twin = socket.socket(fileno=opened.fileno())
    try:
        twin.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    finally:
        twin.detach()


def _why_not(port: str, error: Exception) -> ExternalError | InputError:
    if "://" in port:
        return ExternalError(f"nothing answers at {port}: start the emulator or server there first")
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in str(error):
        there = ", ".join(ports()) or "none: plug the board in with a data cable"
        return ExternalError(f"no serial port {port}; ports here: {there}")
    if number in (errno.EACCES, errno.EPERM):
        return ExternalError(f"no permission to open {port}: {permission_step(port)}")
    if number in (errno.EBUSY, errno.EAGAIN) or "PermissionError" in str(error):
        return ExternalError(
            f"{port} is busy: close the program that has it open "
            "(serial monitor, another har), then retry"
        )
    if number == errno.ENOTTY or "Inappropriate ioctl" in str(error):
        return InputError(
            f"{port} is not a serial port; ports here: {', '.join(ports()) or 'none'}"
        )
    return ExternalError(f"cannot open {port}: {error}")


def permission_step(port: str) -> str:
    """What lets this user open ``port``: a group, or a udev rule where it belongs to root alone."""
    try:
        import grp

        group = grp.getgrgid(Path(port).stat().st_gid).gr_name
    except (ImportError, KeyError, OSError):
        group = "dialout"
    if group == "root":
        return (
            'run `echo \'SUBSYSTEM=="tty", GROUP="dialout"\' | sudo tee '
            "/etc/udev/rules.d/60-har.rules`, then plug the board in again"
        )
    return f"run `sudo usermod -aG {group} $USER`, then log out and in again"

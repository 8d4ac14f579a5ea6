"""Boards: building their firmware, emulating them, talking to them.

Everything here loads on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.device.client import Client
    from pipeline.device.emulator import Emulator, launch
    from pipeline.device.errors import BoardRefused, NoAnswer, PortLost
    from pipeline.device.firmware import FirmwareImage, build_firmware
    from pipeline.device.headfile import read_head, write_head
    from pipeline.device.messages import (
        HeadState,
        Hello,
        Learned,
        Prediction,
        Sensed,
        Sensor,
        SensorState,
        SensorTrouble,
        Status,
    )
    from pipeline.device.playback import Replay, Stretch, replay, stretches, teach
    from pipeline.device.ports import Found, find_board, wait_for_board
    from pipeline.device.stream import StreamResult
    from pipeline.device.transport import Transport, open_port

_HOMES = {
    "client": ("Client",),
    "emulator": ("Emulator", "launch"),
    "errors": ("BoardRefused", "NoAnswer", "PortLost"),
    "firmware": ("FirmwareImage", "build_firmware"),
    "headfile": ("read_head", "write_head"),
    "messages": (
        *("HeadState", "Hello", "Learned", "Prediction", "Status"),
        *("Sensed", "Sensor", "SensorState", "SensorTrouble"),
    ),
    "playback": ("Replay", "Stretch", "replay", "stretches", "teach"),
    "ports": ("Found", "find_board", "wait_for_board"),
    "stream": ("StreamResult",),
    "transport": ("Transport", "open_port"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BoardRefused",
    "Client",
    "Emulator",
    "FirmwareImage",
    "Found",
    "HeadState",
    "Hello",
    "Learned",
    "NoAnswer",
    "PortLost",
    "Prediction",
    "Replay",
    "Sensed",
    "Sensor",
    "SensorState",
    "SensorTrouble",
    "Status",
    "StreamResult",
    "Stretch",
    "Transport",
    "build_firmware",
    "find_board",
    "launch",
    "open_port",
    "read_head",
    "replay",
    "stretches",
    "teach",
    "wait_for_board",
    "write_head",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)

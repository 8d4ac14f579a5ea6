"""A session with a board: ports, client, recording, labels."""

from __future__ import annotations

from pipeline.board.client import Client
from pipeline.board.errors import BoardRefused, NoAnswer, PortLost
from pipeline.board.ports import find_board, wait_for_board
from pipeline.board.transport import Transport, open_port

__all__ = [
    "BoardRefused",
    "Client",
    "NoAnswer",
    "PortLost",
    "Transport",
    "find_board",
    "open_port",
    "wait_for_board",
]

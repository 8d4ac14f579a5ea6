"""A host's end of firmware/tools/board_check.c."""

from __future__ import annotations

import socket
import struct
from typing import Self


class Wire:
    """Speaks the commands of firmware/tools/board_check.c."""

    def __init__(self, port: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", int(port.rsplit(":", 1)[1])))
        self.socket.settimeout(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, letter: bytes, *numbers: int, data: bytes = b"") -> None:
        self.socket.sendall(letter + struct.pack(f"<{len(numbers)}I", *numbers) + data)

    def take(self, size: int) -> bytes:
        taken = b""
        while len(taken) < size:
            piece = self.socket.recv(size - len(taken))
            assert piece, "the board hung up"
            taken += piece
        return taken

    def number(self) -> int:
        return int(struct.unpack("<I", self.take(4))[0])

    def ask(self, letter: bytes, *numbers: int, data: bytes = b"") -> int:
        self.send(letter, *numbers, data=data)
        return self.number()

    def flash(self, offset: int, size: int) -> bytes:
        assert self.ask(b"r", offset, size) == 0
        return self.take(size)

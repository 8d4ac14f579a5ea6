"""Puts a fake board behind a real port: a TCP socket or a pseudo-terminal, for pyserial to open."""

from __future__ import annotations

import os
import select
import socket
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from tests.support.fake_board import FakeBoard


class BoardServer:
    """`port` is what a client opens."""

    def __init__(self, board: FakeBoard) -> None:
        self.board = board
        self.port = ""
        self._peer: int | None = None
        self._stop = threading.Event()
        self._turn = threading.Lock()  # an answer is out before the next word is said

    def sense(self, count: int, level_g: float, lost: int = 0) -> None:
        """The board's own sensor gives so many samples, behind `lost` that are missing; what it
        says to them goes out."""
        with self._turn:
            for number in range(count):
                sample = np.full(6, level_g, np.float32)
                self._send(self.board.sense(sample, 0 if number else lost))

    def _send(self, data: bytes) -> None:
        # Nobody there: a board talks to the air.
        while data and self._peer is not None:
            data = data[os.write(self._peer, data) :]

    def serve(self, descriptor: int) -> None:
        """Until the other end is gone or the test is over."""
        self._peer = descriptor
        try:
            while not self._stop.is_set():
                if select.select([descriptor], [], [], 0.01)[0]:
                    data = os.read(descriptor, 65536)
                    if not data:
                        return
                    with self._turn:
                        self._send(self.board.feed(data))
        except OSError:
            return  # hung up
        finally:
            with self._turn:
                self._peer = None

    def stop(self) -> None:
        self._stop.set()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()


@contextmanager
def board_on_socket(board: FakeBoard) -> Iterator[BoardServer]:
    """One client after another may connect, as with the emulator."""
    server = BoardServer(board)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server.port = f"socket://127.0.0.1:{listener.getsockname()[1]}"

        def accept() -> None:
            while not server.stopped:
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                except OSError:
                    return
                with peer:
                    peer.setblocking(True)
                    server.serve(peer.fileno())

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(5.0)


@contextmanager
def board_on_terminal(board: FakeBoard) -> Iterator[BoardServer]:
    """`stop` unplugs it: the master's end closes."""
    server = BoardServer(board)
    master, slave = os.openpty()
    tty.setraw(slave, termios.TCSANOW)
    server.port = os.ttyname(slave)

    def serve() -> None:
        try:
            server.serve(master)
        finally:
            os.close(master)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(5.0)
        os.close(slave)

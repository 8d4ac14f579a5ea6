"""Ctrl-C at a moment that can take it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Inside it, Ctrl-C waits until the function that it gives is called, or until the end: then
    KeyboardInterrupt is raised there. Only the main thread is ever interrupted; elsewhere, and
    where Ctrl-C is not Python's own, nothing changes."""
    usual = signal.getsignal(signal.SIGINT)
    if (
        threading.current_thread() is not threading.main_thread()
        or usual is not signal.default_int_handler
    ):
        yield lambda: None
        return
    came = False

    def remember(_: int, __: FrameType | None) -> None:
        nonlocal came
        came = True

    def release() -> None:
        nonlocal came
        signal.signal(signal.SIGINT, usual)
        if came:
            came = False
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, remember)
    try:
        yield release
    finally:
        release()

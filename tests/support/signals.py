"""Ctrl-C for the programs that tests start."""

from __future__ import annotations

import signal


def heed_ctrl_c() -> None:
    """For ``preexec_fn``: a shell that runs the tests in the background has its children ignore
    SIGINT, and theirs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

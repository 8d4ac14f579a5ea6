"""A refused SAMPLES frame made the app take its own sensor's samples and write the window through
the null pointer of an engine that had not started. AddressSanitizer ends the program there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board

ENGINE = 10
KNOWN = range(wire.HELLO, wire.SENSOR + 1)


def test_no_sample_is_taken_while_the_engine_has_no_memory_for_a_window(
    program: Path, flash: Path
) -> None:
    with Board(program, flash, "engine-broken") as board:
        assert board.imu(np.zeros((20, 6))) == b""  # they wait, two windows of them
        payload = wire.samples_payload(0, np.zeros((8, 6)))
        assert board.ask(wire.SAMPLES, payload).status == ENGINE
        assert board.ask(wire.SAMPLES).status == ENGINE


def test_every_known_request_is_told_that_the_engine_did_not_start(
    program: Path, flash: Path
) -> None:
    with Board(program, flash, "engine-broken") as board:
        for kind in KNOWN:
            reply = board.ask(kind, wire.hello_payload() if kind == wire.HELLO else b"")
            assert (reply.status, reply.text) == (ENGINE, "the arena is too small: emit again")

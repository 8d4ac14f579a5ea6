"""The client over what pyserial really opens: a pseudo-terminal and a socket."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from pipeline.board.client import Client
from pipeline.board.errors import PortLost
from tests.support.board_server import board_on_socket, board_on_terminal
from tests.support.fake_board import HELLO, FakeBoard

pytest.importorskip("pty")

SERVERS = pytest.mark.parametrize("serve", [board_on_socket, board_on_terminal])


@SERVERS
def test_a_whole_session(serve):
    with serve(FakeBoard()) as server, Client.open(server.port) as client:
        assert client.hello() == HELLO
        result = client.stream(np.zeros((4000, 6), np.float32))
        assert (len(result.predictions), result.samples_lost, result.predictions_missing) == (
            61,
            0,
            0,
        )
        learned = client.label(result.predictions[-1].end_index, "lying")
        assert learned.updates == 1
        payload = client.pull()
        assert client.push(payload).updates == 1
    assert not server.board.framed


@SERVERS
def test_unplugging_in_mid_stream_is_told_within_two_seconds(serve):
    with serve(FakeBoard()) as server:
        client = Client.open(server.port)
        client.stream(np.zeros((600, 6), np.float32))
        timer = threading.Timer(0.2, server.stop)
        timer.start()
        pulled = time.monotonic()
        with pytest.raises(PortLost, match="plug the board in again"), client:
            client.stream(np.zeros((1_000_000, 6), np.float32))
        assert time.monotonic() - pulled < 2.0


def test_one_client_after_another_finds_the_same_board():
    with board_on_socket(FakeBoard()) as server:
        for turn in range(3):
            with Client.open(server.port) as client:
                end = client.stream(np.zeros((128, 6), np.float32)).predictions[0].end_index
                assert client.label(end, "sitting").updates == turn + 1


def test_a_socket_carries_thousands_of_frames_a_second():
    with board_on_socket(FakeBoard()) as server, Client.open(server.port) as client:
        client.hello()
        began = time.monotonic()
        result = client.stream(np.zeros((32_000, 6), np.float32))
        seconds = time.monotonic() - began
    assert result.predictions_missing == 0
    assert seconds < 10.0  # 40 ms a frame, as with Nagle's algorithm, would be 40 s

"""The real transports, over pseudo-terminals, sockets and pyserial's loop."""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path

import pytest
import serial

from pipeline.board import transport
from pipeline.board.errors import PortLost
from pipeline.board.transport import open_port
from pipeline.core.errors import ExternalError, InputError

pty = pytest.importorskip("pty")


@pytest.fixture
def terminal():
    """A pseudo-terminal: (master descriptor, port name); the master is closed afterwards."""
    master, slave = os.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    ends = [master]
    yield ends, name
    for end in ends:
        os.close(end)


def read_all(port, size, within_s=2.0):
    got = b""
    deadline = time.monotonic() + within_s
    while len(got) < size and time.monotonic() < deadline:
        got += port.read(0.1)
    return got


def test_loop_url_gives_back_what_was_written():
    port = open_port("loop://")
    port.write(b"walking 0.97\r\n")
    assert read_all(port, 14) == b"walking 0.97\r\n"
    assert port.read(0.0) == b""
    port.close()
    port.close()


def test_pty_carries_every_byte_value_both_ways(terminal):
    (master,), name = terminal
    port = open_port(name)
    every = bytes(range(256)) * 4
    port.write(every)
    sent = b""
    while len(sent) < len(every):
        sent += os.read(master, 4096)
    assert sent == every
    os.write(master, every)
    assert read_all(port, len(every)) == every
    port.close()


def test_read_returns_as_soon_as_one_byte_is_there(terminal):
    (master,), name = terminal
    port = open_port(name)
    os.write(master, b"x")
    started = time.monotonic()
    assert port.read(5.0) == b"x"
    assert time.monotonic() - started < 1.0
    port.close()


def test_read_waits_no_longer_than_asked(terminal):
    _, name = terminal
    port = open_port(name)
    started = time.monotonic()
    assert port.read(0.05) == b""
    assert 0.04 <= time.monotonic() - started < 1.0
    port.close()


def test_unplugging_is_a_world_error_within_two_seconds(terminal):
    ends, name = terminal
    port = open_port(name)
    os.close(ends.pop())
    started = time.monotonic()
    with pytest.raises(PortLost, match="plug the board in again") as caught:
        while True:
            port.read(0.1)
    assert time.monotonic() - started < 2.0
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
    with pytest.raises(PortLost):
        port.write(b"x")
    port.close()


def test_a_second_opener_is_told_that_the_port_is_busy(terminal):
    _, name = terminal
    first = open_port(name)
    with pytest.raises(ExternalError, match="busy: close the program"):
        open_port(name)
    first.close()


def test_a_missing_port_lists_those_that_exist(monkeypatch):
    monkeypatch.setattr(transport, "ports", lambda: ["/dev/ttyACM7"])
    with pytest.raises(
        ExternalError, match="no serial port /dev/nowhere; ports here: /dev/ttyACM7"
    ):
        open_port("/dev/nowhere")
    monkeypatch.setattr(transport, "ports", list)
    with pytest.raises(ExternalError, match="none: plug the board in"):
        open_port("/dev/nowhere")


def test_denied_permission_names_the_group_to_join(monkeypatch):
    def refuse(*_args, **_options):
        raise serial.SerialException(errno.EACCES, "could not open port")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(ExternalError, match="usermod -aG dialout"):
        open_port("/dev/ttyACM0")


def test_a_plain_file_is_no_port(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is not a serial port"):
        open_port(str(path))


@pytest.mark.parametrize("url", ["foo://bar", "socket://", "socket://host:notanumber"])
def test_a_url_that_is_none_is_bad_input(url):
    with pytest.raises(InputError, match=r"is not a (serial )?port"):
        open_port(url)


def test_a_socket_nobody_listens_on_is_a_world_error():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    with pytest.raises(ExternalError, match="nothing answers at socket://"):
        open_port(f"socket://127.0.0.1:{number}")


def test_socket_url_speaks_sends_small_frames_at_once_and_notices_the_end():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = open_port(f"socket://127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
        with peer:
            started = time.monotonic()
            for _ in range(50):
                port.write(b"ab")
                port.write(b"cd")
                got = b""
                while len(got) < 4:
                    got += peer.recv(4)
                peer.sendall(b"!")
                assert port.read(1.0) == b"!"
            assert time.monotonic() - started < 1.0  # 40 ms each with Nagle's algorithm
        with pytest.raises(PortLost):
            for _ in range(20):
                port.read(0.1)
        port.close()

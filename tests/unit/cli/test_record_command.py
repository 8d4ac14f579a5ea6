"""`har record` and the figures of `har monitor` against a fake board behind a real socket."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.data import read_csv_dataset
from tests.support.board_server import board_on_socket
from tests.support.fake_board import NO_SENSOR, FakeBoard, board_with
from tests.support.signals import heed_ctrl_c


@contextmanager
def worn(board):
    """The board on a socket, measuring at its own rate as soon as it is to send."""
    done = threading.Event()
    with board_on_socket(board) as server:

        def measure():
            rng = np.random.default_rng(0)
            while not done.wait(10 / board.hello.rate_hz):
                for _ in range(10 if board.sending else 0):
                    sample = np.array([0, 0, 1, 0, 0, 0]) + rng.normal(0, 0.01, 6)
                    with server._turn:
                        server._send(board.sense(sample.astype(np.float32)))

        thread = threading.Thread(target=measure)
        thread.start()
        try:
            yield server
        finally:
            done.set()
            thread.join(5.0)


def har(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def record(server, folder, *more):
    where = ["--port", server.port, "--output", folder, "--countdown", 0]
    return har("record", "--activity", "standing about", *where, *more)


def test_a_recording_says_what_it_is_and_what_comes_next(tmp_path):
    with worn(board_with(rate_hz=200.0)) as server:
        who = ["--subject", "anna", "--placement", "Wrist"]
        result = record(server, tmp_path, "--seconds", 1, *who)
    assert result.exit_code == 0, result.stderr
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("standing-about-")
    first, second = result.stdout.splitlines()
    assert first == f"{path}: 1.0 s, 200 samples, 0 lost"
    assert second == f"next: har train --data {tmp_path}"
    (found,) = read_csv_dataset(path).recordings
    assert (found.subject, found.placement, len(found.samples)) == ("anna", "wrist", 200)


def test_json_is_one_document(tmp_path):
    with worn(board_with(rate_hz=200.0)) as server:
        result = record(server, tmp_path / "new" / "folder", "--seconds", 1, "--json")
    document = json.loads(result.stdout)
    assert (document["samples"], document["lost_samples"], document["interrupted"]) == (
        200,
        0,
        None,
    )
    assert (document["rate_hz"], document["sensor_rate_hz"]) == (200.0, 118.75)
    assert document["board"] == "Rev1 LSM9DS1"


def test_ctrl_c_keeps_the_file_and_exits_with_130(tmp_path):
    with worn(FakeBoard()) as server:
        command = ["-m", "pipeline.cli.main", "record", "--activity", "walking", "--json"]
        options = ["--port", server.port, "--output", tmp_path, "--countdown", "0"]
        process = subprocess.Popen(
            [sys.executable, *command, *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_ctrl_c,
        )
        deadline = time.monotonic() + 15
        while server.board.received < 60 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
        assert not server.board.framed
    assert process.returncode == 130, err
    document = json.loads(out)
    assert document["interrupted"] == "interrupted"
    assert "interrupted; kept what came before" in err
    (path,) = tmp_path.iterdir()
    assert path.read_text().count(",walking\n") == document["samples"] > 20


@pytest.mark.parametrize("activity", ["a,b", "unknown", "x" * 32])
def test_a_name_that_can_be_none_is_one_line(tmp_path, activity):
    result = har(
        "record", "--activity", activity, "--port", "socket://127.0.0.1:9", "--output", tmp_path
    )
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_no_sensor_is_one_line_and_exit_code_3(tmp_path):
    with worn(FakeBoard(sensor=NO_SENSOR)) as server:
        result = record(server, tmp_path)
    assert result.exit_code == 3
    *_, line = result.stderr.splitlines()
    assert "cannot record: motion sensor: not found" in line
    assert list(tmp_path.iterdir()) == []


def test_what_the_reader_refuses_is_an_honest_no(tmp_path):
    board = board_with(rate_hz=200.0)
    sense = board.sense
    board.sense = lambda sample, lost=0: sense(sample * 9.81, lost)
    with worn(board) as server:
        result = record(server, tmp_path, "--seconds", 1)
    assert result.exit_code == 1
    assert "it looks like m/s2" in result.stderr
    assert len(list(tmp_path.iterdir())) == 1


def test_monitor_lines_tell_how_the_board_is():
    board = FakeBoard(sensor=replace(FakeBoard().sensor, rate_hz=118.5))
    with board_on_socket(board) as server:
        stop = threading.Event()

        def measure():
            while not stop.wait(0.01):
                server.sense(64 if board.framed else 0, 1.0)

        thread = threading.Thread(target=measure)
        thread.start()
        try:
            result = har("monitor", "--port", server.port, "--json", "--count", 2)
        finally:
            stop.set()
            thread.join(5.0)
    assert result.exit_code == 0, result.stderr
    line = json.loads(result.stdout.splitlines()[1])
    assert (line["sensor_hz"], line["samples_lost"], line["trouble"]) == (118.5, 0, None)
    assert line["sensor"] == "LSM9DS1 (Rev1)"

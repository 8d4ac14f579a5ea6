"""`har record --from-serial` over what pyserial really opens: a pseudo-terminal and a socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import tty
from contextlib import contextmanager

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.board import serial_lines
from pipeline.cli.main import app
from pipeline.data import read_csv_dataset
from tests.support.signals import heed_ctrl_c

pytest.importorskip("pty")

RATE_HZ = 100.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(serial_lines, "MEASURE_S", 0.5)
    monkeypatch.setattr(serial_lines, "SETTLE_S", 0.05)
    monkeypatch.setattr(serial_lines, "SILENCE_S", 1.0)


class Sketch:
    """Prints a line for each sample at `RATE_HZ`, ``burst`` at once, as soon as somebody listens.
    `samples` (n, 6) float32 is what it prints; ``scale`` is of another unit of acceleration."""

    def __init__(self, burst, scale):
        samples = np.random.default_rng(0).normal(0, 0.01, (4000, 6))
        samples[:, 2] += 1
        self.samples = (samples * scale).round(3).astype(np.float32)
        self.port = ""
        self.printed = 0
        self.stop = threading.Event()
        self.burst = burst

    def run(self, write):
        began = time.monotonic()
        while self.printed < len(self.samples) and not self.stop.is_set():
            due_s = (self.printed + self.burst) / RATE_HZ
            time.sleep(max(0.0, began + due_s - time.monotonic()))
            lines = self.samples[self.printed : self.printed + self.burst]
            try:
                write("".join(",".join(map(str, line)) + "\r\n" for line in lines).encode())
            except BlockingIOError:
                pass  # nobody reads
            except OSError:
                return
            self.printed += self.burst


@contextmanager
def on_terminal(burst=1, scale=1.0):
    """`stop` unplugs it: the master's end closes."""
    sketch = Sketch(burst, scale)
    master, slave = os.openpty()
    tty.setraw(slave, termios.TCSANOW)
    os.set_blocking(master, False)
    sketch.port = os.ttyname(slave)

    def serve():
        try:
            sketch.run(lambda data: os.write(master, data))
        finally:
            os.close(master)

    yield from _served(sketch, serve)
    os.close(slave)


@contextmanager
def on_socket(burst=1, scale=1.0):
    sketch = Sketch(burst, scale)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10.0)
        sketch.port = f"socket://127.0.0.1:{listener.getsockname()[1]}"

        def serve():
            peer, _ = listener.accept()
            with peer:
                sketch.run(peer.sendall)

        yield from _served(sketch, serve)


def _served(sketch, serve):
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield sketch
    finally:
        sketch.stop.set()
        thread.join(5.0)


def record(folder, *more):
    where = ["--activity", "standing", "--output", folder, "--countdown", 0, "--seconds", 1]
    return CliRunner().invoke(app, ["record", *map(str, [*where, *more])])


@pytest.mark.parametrize(("serve", "burst"), [(on_terminal, 10), (on_socket, 1)])
def test_what_a_sketch_prints_becomes_a_recording_bit_for_bit(tmp_path, serve, burst):
    with serve(burst) as sketch:
        who = ["--subject", "anna", "--placement", "wrist"]
        more = ["--units", "g,rad/s", *who, "--rate", RATE_HZ]
        result = record(tmp_path, "--from-serial", sketch.port, *more)
    assert result.exit_code == 0, result.stderr
    (path,) = tmp_path.iterdir()
    (found,) = read_csv_dataset(path).recordings
    assert result.stdout.splitlines()[0].startswith(f"{path}: ")
    assert f"{len(found.samples)} samples at 100 Hz, " in result.stdout
    assert result.stdout.splitlines()[1] == f"next: har train --data {tmp_path}"
    assert (found.subject, found.placement, found.rate_hz) == ("anna", "wrist", RATE_HZ)
    assert 80 <= len(found.samples) <= 120
    assert found.samples.tobytes() in sketch.samples.tobytes()


def test_a_wrong_unit_is_an_honest_no_with_the_remedy_also_as_json(tmp_path):
    with on_terminal(scale=9.81) as sketch:
        more = ["--columns", "ax,ay,az,gx,gy,gz", "--units", "g,dps", "--baud", 9600, "--json"]
        result = record(tmp_path, "--from-serial", sketch.port, *more)
    assert result.exit_code == 1
    assert "it looks like m/s2" in result.stderr
    assert "record again with --units m/s2,deg/s; `har train` will refuse it" in result.stderr
    assert len(list(tmp_path.iterdir())) == 1
    document = json.loads(result.stdout)
    assert document["rate_hz"] == pytest.approx(RATE_HZ, rel=0.05)
    assert (document["broken_lines"], document["units"]) == (0, "g,deg/s")
    assert document["refused"] in result.stderr


def test_unplugging_keeps_whole_lines_and_is_exit_code_3(tmp_path):
    with on_terminal() as sketch:
        timer = threading.Timer(1.2, sketch.stop.set)
        timer.start()
        more = ["--units", "g,rad/s", "--seconds", 30]
        result = record(tmp_path, "--from-serial", sketch.port, *more)
        timer.join()
    assert result.exit_code == 3
    assert "plug the board in again, then retry; kept what came before" in result.stderr
    (path,) = tmp_path.iterdir()
    assert read_csv_dataset(path).recordings[0].samples.tobytes() in sketch.samples.tobytes()


def test_ctrl_c_keeps_the_file_and_exits_with_130(tmp_path):
    with on_socket() as sketch:
        command = ["-m", "pipeline.cli.main", "record", "--activity", "walking", "--json"]
        options = ["--from-serial", sketch.port, "--units", "g,rad/s", "--countdown", 0]
        process = subprocess.Popen(
            [sys.executable, *command, "--output", tmp_path, *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_ctrl_c,
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            parts = list(tmp_path.glob("*.part"))
            if parts and parts[0].read_text().count(",walking\n") > 20:
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=15)
    assert process.returncode == 130, err
    document = json.loads(out)
    assert document["interrupted"] == "interrupted"
    assert "interrupted; kept what came before" in err
    (path,) = tmp_path.iterdir()
    assert path.read_text().count(",walking\n") == document["samples"] > 20


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--units", "g,dps"], 2, "go with --from-serial PORT"),
        (["--baud", 9600], 2, "go with --from-serial PORT"),
        (["--from-serial", "loop://"], 2, "--from-serial needs --units"),
        (["--from-serial", "loop://", "--port", "loop://"], 2, "not both"),
        (
            ["--from-serial", "loop://", "--units", "dps,g"],
            2,
            "acceleration 'dps': there are g, m/s2, mg",
        ),
        (["--from-serial", "loop://", "--units", "g,dps", "--columns", "ax"], 2, "each once"),
        (["--from-serial", "loop://", "--units", "g,dps"], 3, "nothing came"),
        (["--from-serial", "/dev/nowhere", "--units", "g,dps"], 3, "no port /dev/nowhere"),
    ],
)
def test_what_cannot_begin_is_one_line_and_leaves_no_file(tmp_path, more, code, words):
    result = record(tmp_path, *more)
    assert result.exit_code == code
    assert words in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_another_program_has_is_one_line(tmp_path):
    with on_terminal() as sketch:
        import serial

        with serial.Serial(sketch.port, exclusive=True):
            result = record(tmp_path, "--from-serial", sketch.port, "--units", "g,dps")
    assert result.exit_code == 3
    assert "is busy: close the program that has it open" in result.stderr

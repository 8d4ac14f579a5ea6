"""`har stream`, `learn`, `head` and `monitor` against a fake board behind a real socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli import head
from pipeline.cli.learn import learn
from pipeline.cli.monitor import monitor
from pipeline.cli.stream import stream
from pipeline.device.records import RecordKind, build_record
from pipeline.learn import pack, weights_offset
from tests.support.board_server import board_on_socket
from tests.support.fake_board import FEATURES, MODEL_ID, FakeBoard

COLUMNS = "time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity"
PROGRAM = """
import typer
from pipeline.cli.learn import learn
from pipeline.cli.monitor import monitor
from pipeline.cli.stream import stream
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(stream)
app.command()(learn)
app.command()(monitor)
app()
"""


def make_app():
    app = typer.Typer()
    app.command()(stream)
    app.command()(learn)
    app.command()(monitor)
    app.add_typer(head.app, name="head")
    return app


def har(*arguments):
    return CliRunner().invoke(make_app(), [str(a) for a in arguments])


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def one_line(result):
    """The command's one line for the person."""
    (line,) = result.stderr.strip().splitlines()
    return line


@pytest.fixture
def board():
    with board_on_socket(FakeBoard()) as server:
        yield server


def write_csv(path, *parts):
    """`parts` = (activity, samples); gravity along x, as the fake board takes for sitting."""
    rows, at = [COLUMNS], 0
    for activity, count in parts:
        rng = np.random.default_rng(at)
        for _ in range(count):
            values = np.array([1.0, 0, 0, 0, 0, 0]) + rng.normal(0, 0.02, 6)
            rows.append(f"{at / 50:.2f},{','.join(f'{v:.5f}' for v in values)},{activity}")
            at += 1
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def csv(tmp_path):
    return write_csv(tmp_path / "mine.csv", ("sitting", 256), ("walking", 128))


# ---- stream --------------------------------------------------------------------------------------


def test_stream_prints_one_json_document(board, csv):
    result = har("stream", "--port", board.port, "--csv", csv, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["model_id"] == MODEL_ID.hex()
    assert (document["engine"], document["target"]) == ("compiled", "host")
    assert document["accuracy"] == 0.75
    assert document["confusion"] == [[0, 1, 0], [0, 3, 0], [0, 0, 0]]
    assert (document["predictions_received"], document["predictions_missing"]) == (4, 0)
    assert (document["samples_sent"], document["samples_lost"]) == (384, 0)
    assert not board.board.framed


def test_stream_keeps_to_a_number_of_windows(board, csv):
    result = har("stream", "--port", board.port, "--csv", csv, "--windows", 2, "--json")
    document = json.loads(result.stdout)
    assert (document["predictions_received"], document["samples_sent"]) == (2, 192)


def test_stream_shows_a_person_what_was_shown_and_seen(board, csv):
    result = har("stream", "--port", board.port, "--csv", csv)
    assert "accuracy 75.0% of 4 windows" in result.stdout
    assert "384 samples sent, 0 lost" in result.stdout


@pytest.mark.parametrize("command", ["stream", "learn", "monitor"])
def test_a_missing_port_is_one_line_and_exit_code_3(command, csv):
    more = {"stream": ["--csv", csv], "learn": ["--csv", csv], "monitor": []}[command]
    result = har(command, "--port", "/dev/nowhere", *more)
    assert result.exit_code == 3
    assert "no serial port /dev/nowhere; ports here: " in one_line(result)
    assert result.stdout == ""


def test_ctrl_c_in_mid_stream_says_bye_and_exits_with_130(board, tmp_path):
    csv = write_csv(tmp_path / "long.csv", ("sitting", 200_000))
    process = start("stream", "--port", board.port, "--csv", csv, "--json")
    deadline = time.monotonic() + 20
    while board.board.received < 2000 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert out == ""
    assert "interrupted" in err
    assert 2000 <= board.board.received < 200_000
    assert not board.board.framed


# ---- learn ---------------------------------------------------------------------------------------


def test_learn_labels_and_saves(board, csv):
    result = har("learn", "--port", board.port, "--csv", csv, "--save", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["labelled_windows"] == 2
    assert [lesson["activity"] for lesson in document["lessons"]] == ["sitting", "walking"]
    for lesson in document["lessons"]:
        assert lesson["probability_after"] > lesson["probability_before"]
    assert document["saved"] is True
    assert board.board.labels == board.board.saved[-1] == [1, 1, 0]


def test_learn_shows_its_progress_on_a_terminal_and_only_there(board, csv):
    command = [sys.executable, "-c", PROGRAM, "learn", "--port", board.port, "--csv", csv]
    master, slave = os.openpty()
    shown = subprocess.run(
        [*map(str, command), "--json"],
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        timeout=20,
        check=True,
    )
    os.close(slave)
    text = os.read(master, 65536).decode()
    os.close(master)
    assert "2/2" in text
    assert json.loads(shown.stdout)["labelled_windows"] == 2
    silent = har("learn", "--port", board.port, "--csv", csv, "--json")
    assert silent.stderr == ""


def test_learn_takes_an_unlabelled_recording_for_the_activity_named(board, tmp_path):
    csv = write_csv(tmp_path / "mine.csv", ("", 256))
    options = ["--activity", "lying", "--windows", 3, "--json"]
    result = har("learn", "--port", board.port, "--csv", csv, *options)
    assert json.loads(result.stdout)["saved"] is False
    assert board.board.labels == [0, 0, 3]
    assert len(board.board.saved) == 1


def test_learn_refuses_what_the_board_does_not_know(board, csv):
    result = har("learn", "--port", board.port, "--csv", csv, "--activity", "flying")
    assert result.exit_code == 2
    assert "it knows walking, sitting, lying" in one_line(result)
    assert board.board.labels == [0, 0, 0]


def test_learn_asks_who_teaches(board):
    result = har("learn", "--port", board.port)
    assert result.exit_code == 2
    assert "name who teaches" in one_line(result)
    assert board.board.executed == []


# ---- head ----------------------------------------------------------------------------------------


def test_a_head_goes_to_a_file_and_back(board, tmp_path):
    file = tmp_path / "anna.head"
    board.board.labels = [2, 0, 1]
    pulled = json.loads(har("head", "pull", file, "--port", board.port, "--json").stdout)
    assert pulled["labels"] == {"walking": 2, "sitting": 0, "lying": 1}
    assert (pulled["source"], pulled["unsaved"]) == ("learned", True)
    cleared = json.loads(har("head", "reset", "--port", board.port, "--json").stdout)
    assert (cleared["updates"], cleared["source"]) == (0, "shipped")
    pushed = json.loads(har("head", "push", file, "--port", board.port, "--json").stdout)
    assert (pushed["updates"], pushed["unsaved"]) == (3, False)
    assert pushed["tail_crc"] == pulled["tail_crc"]
    back = json.loads(har("head", "rollback", "--port", board.port, "--json").stdout)
    assert back["updates"] == 0
    assert "shipped" in har("head", "show", "--port", board.port).stdout


def test_push_refuses_a_tampered_file_before_it_touches_the_port(tmp_path):
    file = tmp_path / "bad.head"
    file.write_bytes(b"HARH" + bytes(100))
    result = har("head", "push", file, "--port", "/dev/nowhere")
    assert result.exit_code == 2
    assert "cut off or changed" in one_line(result)


def head_payload():
    weights, bias = np.zeros((3, FEATURES), np.float32), np.zeros(3, np.float32)
    return pack(weights, bias, 1, (1, 0, 0), np.ones(3, np.float32))


def test_push_refuses_a_value_beyond_the_limit_before_it_touches_the_port(tmp_path):
    payload = bytearray(head_payload())
    payload[weights_offset(3) : weights_offset(3) + 4] = np.float32(2e6).tobytes()
    file = tmp_path / "huge.head"
    file.write_bytes(
        build_record(model_id=MODEL_ID, sequence=1, kind=RecordKind.LEARNED, payload=bytes(payload))
    )
    result = har("head", "push", file, "--port", "/dev/nowhere")
    assert result.exit_code == 2
    assert "huge.head: a head with a value that is not finite or larger" in one_line(result)


def test_push_refuses_another_models_head_and_changes_nothing(board, tmp_path):
    file = tmp_path / "other.head"
    payload = head_payload()
    file.write_bytes(
        build_record(model_id=b"another!", sequence=1, kind=RecordKind.LEARNED, payload=payload)
    )
    result = har("head", "push", file, "--port", board.port)
    assert result.exit_code == 1
    assert f"the board runs {MODEL_ID.hex()}" in one_line(result)
    assert board.board.staged == b""


def test_a_rollback_to_nothing_is_an_honest_no(board):
    result = har("head", "rollback", "--port", board.port)
    assert result.exit_code == 1
    assert "nothing to roll back to" in one_line(result)


# ---- monitor -------------------------------------------------------------------------------------


def speak(server, windows):
    """Once the board is greeted, its own sensor gives so many windows."""
    deadline = time.monotonic() + 10
    while not server.board.framed and time.monotonic() < deadline:
        time.sleep(0.01)
    server.sense(64 * windows + 64, 1.0)


@pytest.mark.parametrize(
    ("option", "first"),
    [([], "sitting 1.00"), (["--csv"], "time_s,end_index,"), (["--json"], '"activity": "sitting"')],
)
def test_monitor_prints_lines_when_nobody_looks(board, option, first):
    process = start("monitor", "--port", board.port, "--count", 2, *option)
    speak(board, 2)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert first in out.splitlines()[0]
    assert len(out.splitlines()) == (3 if option == ["--csv"] else 2)
    assert not board.board.framed


def test_ctrl_c_ends_the_monitor_in_good_order(board):
    process = start("monitor", "--port", board.port, "--json")
    speak(board, 1)
    assert json.loads(process.stdout.readline())["activity"] == "sitting"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert not board.board.framed


def test_a_reader_that_has_enough_ends_the_monitor_silently(board):
    process = start("monitor", "--port", board.port)
    speak(board, 1)
    process.stdout.readline()
    process.stdout.close()
    with contextlib.suppress(OSError):  # it may hang up in the middle
        speak(board, 8)
    assert process.wait(timeout=20) == 0
    assert "Error" not in process.stderr.read()
    process.stderr.close()


def test_monitor_wants_one_format(board):
    result = har("monitor", "--port", board.port, "--json", "--csv")
    assert result.exit_code == 2
    assert "not both" in one_line(result)

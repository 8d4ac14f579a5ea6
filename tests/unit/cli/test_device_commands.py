"""`har stream`, `learn`, `head` and `monitor` against a fake board behind a real socket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from pipeline.cli.board import head_app, learn, monitor, stream
from pipeline.head import Guard, values_offset
from pipeline.head.records import RecordKind, build_record
from pipeline.protocol import messages as m
from tests.support.board_server import board_on_socket
from tests.support.fake_board import (
    EVIDENCE,
    HOLD_EVERY,
    MODEL_ID,
    NO_SENSOR,
    ROWS,
    FakeBoard,
    Refusal,
)
from tests.support.signals import heed_ctrl_c

COLUMNS = "time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity"
PROGRAM = """
import typer
from pipeline.cli.board import learn
from pipeline.cli.board import monitor
from pipeline.cli.board import stream
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
    app.add_typer(head_app, name="head")
    return app


def har(*arguments):
    return CliRunner().invoke(make_app(), [str(a) for a in arguments])


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )


def one_line(result):
    """The command's one line for the person, behind what it remarked about the recording."""
    *remarks, line = result.stderr.strip().splitlines()
    assert all(".csv: " in remark for remark in remarks), remarks
    return line


def shown(result):
    """The rows of a table in two columns."""
    assert result.exit_code == 0, result.stderr
    rows = (re.split(r" {2,}", line.rstrip(), maxsplit=1) for line in result.stdout.splitlines())
    return dict(rows)


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
    assert re.search("no (serial )?port /dev/nowhere", one_line(result))
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["stream", "learn", "head"])
def test_a_port_that_is_not_named_is_that_of_the_board_on_usb(command, csv, board, monkeypatch):
    from serial.tools import list_ports

    def plugged(*devices):
        found = [SimpleNamespace(device=d, vid=0x2341, pid=0x805A) for d in devices]
        monkeypatch.setattr(list_ports, "comports", lambda: found)

    more = {"stream": ["--csv", csv], "learn": ["--csv", csv], "head": ["show"]}[command]
    plugged(board.port)
    assert har(command, *more).exit_code == 0
    plugged()
    missing = har(command, *more)
    assert (missing.exit_code, "plug it in with a data cable" in one_line(missing)) == (3, True)
    plugged("/dev/ttyACM0", "/dev/ttyACM1")
    several = har(command, *more)
    assert (several.exit_code, "choose one with --port" in one_line(several)) == (2, True)


def test_ctrl_c_in_mid_stream_says_bye_and_exits_with_130(board, tmp_path):
    csv = write_csv(tmp_path / "long.csv", ("sitting", 200_000))
    process = start("stream", "--port", board.port, "--csv", csv, "--json")
    deadline = time.monotonic() + 20
    while board.board.received < 2000 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert json.loads(out) == {"error": "interrupted", "exit_code": 130}
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
    assert [lesson["outcome"] for lesson in document["lessons"]] == ["learned", "learned"]
    assert document["labels"] == {"walking": 1, "sitting": 1, "lying": 0}
    assert (document["unsaved"], board.board.unsaved) == (False, False)
    assert board.board.labels == board.board.saved[-1].labels[:3] == [1, 1, 0]


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


def test_learn_labels_what_was_done_just_before(board, csv):
    assert har("stream", "--port", board.port, "--csv", csv).exit_code == 0
    options = ["--port", board.port, "--last", "10s", "--activity", "lying", "--json"]
    document = json.loads(har("learn", *options).stdout)
    assert document["dataset"] == "the last 10 s"
    assert board.board.labels == [0, 0, document["labelled_windows"]]
    assert document["labelled_windows"] == len(document["lessons"]) == 4


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--last", "soon"), "--last soon: give seconds, up to 60, like 10s"),
        (("--last", "0"), "--last 0: give seconds"),
        (("--last", "nan"), "--last nan: give seconds"),
        (("--last", "61s"), "--last 61s: give seconds"),
        (("--last", "1s"), "no whole window of the last 1 s"),
        (("--last", "10s", "--windows", 2), "leave the others out"),
        (("--last", "10s", "--csv", "x.csv"), "leave the others out"),
    ],
)
def test_learn_refuses_other_times(board, options, reason):
    result = har("learn", "--port", board.port, "--activity", "lying", *options)
    assert result.exit_code == 2 and reason in one_line(result)
    assert board.board.labels == [0, 0, 0]


def test_learn_refuses_what_the_board_does_not_know(board, csv):
    result = har("learn", "--port", board.port, "--csv", csv, "--activity", "flying")
    assert result.exit_code == 2
    assert "it knows walking, sitting, lying" in one_line(result)
    assert board.board.labels == [0, 0, 0]


def test_learn_tells_what_each_label_did_and_what_is_missing(board, tmp_path):
    csv = write_csv(tmp_path / "mine.csv", ("sitting", 128 + 64 * HOLD_EVERY))
    board.board.outcomes.extend(m.Outcome(n) for n in (0, 2))
    options = ["--port", board.port, "--csv", csv, "--windows", HOLD_EVERY]
    result = har("learn", *options)
    said = [line.split() for line in result.stdout.splitlines() if "sitting" in line]
    assert [" ".join(words[3:-5]) for words in said] == [
        "learned",
        "undone by the guard",
        "learned",
        "holdout",
    ]
    assert f"active: the factory head, until {EVIDENCE} more mistakes of its own" in result.stdout
    assert "not saved: `har head save` keeps it" in result.stdout
    # What is taken for sitting is lying, says the person.
    unlabelled = write_csv(tmp_path / "lying.csv", ("", 256))
    options = ["--port", board.port, "--csv", unlabelled, "--activity", "lying", "--windows", 2]
    document = json.loads(har("learn", *options, "--json").stdout)
    assert [lesson["serves"] for lesson in document["lessons"]] == [False, True]
    assert (document["serves"], document["evidence_missing"]) == (True, 0)


def test_learn_teaches_an_activity_that_the_model_never_had(board, tmp_path):
    csv = write_csv(tmp_path / "mine.csv", ("", 256))
    options = ["--port", board.port, "--csv", csv, "--new", "cycling", "--windows", 2, "--json"]
    first = json.loads(har("learn", *options).stdout)
    assert [lesson["activity"] for lesson in first["lessons"]] == ["cycling"] * 2
    assert (first["taught"], first["labels"]["cycling"]) == (["cycling"], 2)
    again = json.loads(har("learn", *options).stdout)
    assert (again["taught"], again["labels"]["cycling"]) == (["cycling"], 4)
    assert sum(isinstance(e, m.NameRequest) for e in board.board.executed) == 1
    streamed = json.loads(har("stream", "--port", board.port, "--csv", csv, "--json").stdout)
    assert streamed["activities"] == ["walking", "sitting", "lying", "cycling"]


def test_learn_without_room_names_what_the_board_was_taught(board, csv, tmp_path):
    board.board.head.names = ["cycling", "rowing"]
    csv = write_csv(tmp_path / "mine.csv", ("", 256))
    result = har("learn", "--port", board.port, "--csv", csv, "--new", "skiing")
    assert result.exit_code == 1
    assert "added so far: cycling, rowing; `har head reset` forgets these" in one_line(result)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--new", "unknown"], "no activity can be called 'unknown'"),
        (["--new", " "], "'' can be no activity's name"),
        (["--new", "flying", "--activity", "walking"], "not both"),
    ],
)
def test_learn_refuses_a_new_activity_that_can_be_none(board, tmp_path, options, complaint):
    csv = write_csv(tmp_path / "mine.csv", ("", 256))
    result = har("learn", "--port", board.port, "--csv", csv, *options)
    assert result.exit_code == 2
    assert complaint in one_line(result)
    assert board.board.head.names == []


def test_a_new_activity_takes_no_row_when_nothing_can_be_labelled(board, csv, tmp_path):
    result = har("learn", "--port", board.port, "--csv", csv, "--new", "cycling")
    assert "labelled, and nowhere with 'cycling'" in one_line(result)
    short = write_csv(tmp_path / "short.csv", ("", 100))
    result = har("learn", "--port", board.port, "--csv", short, "--new", "cycling")
    assert "nothing to stream" in one_line(result)
    assert board.board.head.names == []


@pytest.mark.parametrize(("saved", "back"), [(False, "reset"), (True, "rollback")])
def test_ctrl_c_tells_what_is_not_saved_and_what_to_do(board, tmp_path, saved, back):
    csv = write_csv(tmp_path / "long.csv", ("sitting", 40_000))
    if saved:
        har("learn", "--port", board.port, "--csv", csv, "--save")
    had = sum(board.board.labels)
    process = start("learn", "--port", board.port, "--csv", csv, "--windows", 600, "--save")
    deadline = time.monotonic() + 20
    while sum(board.board.labels) < had + 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    count = sum(board.board.labels) - had
    assert 3 <= count < 600
    port = board.port
    assert err.splitlines()[-2:] == [
        f"har: {count} labels not saved: `har head save --port {port}` keeps what was learned, "
        f"`har head {back} --port {port}` drops it",
        "har: interrupted",
    ]
    assert not board.board.framed
    assert json.loads(har("head", "save", "--port", port, "--json").stdout)["unsaved"] is False
    assert sum(board.board.saved[-1].labels) == had + count


def test_a_refusal_in_the_middle_tells_what_is_not_saved_too(board, csv):
    board.board._name = lambda _: None
    label = board.board._label

    def refuse_the_second(end_index, activity):
        if sum(board.board.labels) == 1:
            raise Refusal(m.ErrorCode.NOT_FINITE, "the step would leave the finite")
        return label(end_index, activity)

    board.board._label = refuse_the_second
    result = har("learn", "--port", board.port, "--csv", csv)
    assert result.exit_code == 1
    first, second = result.stderr.strip().splitlines()
    assert first.startswith("har: 1 label not saved: `har head save --port ")
    assert second.startswith("har: the board refused LABEL: the step would leave the finite")


@pytest.mark.parametrize("options", [[], ["--dataset", "hapt", "--activity", "walking"]])
def test_learn_asks_who_teaches(board, options):
    result = har("learn", "--port", board.port, *options)
    assert result.exit_code == 2
    assert "choose the windows" in one_line(result)
    assert board.board.executed == []


@contextlib.contextmanager
def moving(board, level_g):
    """The board's own sensor gives samples until the block ends."""
    ended = threading.Event()

    def move():
        while not ended.wait(0.001):
            board.sense(8, level_g)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("options", "labels"),
    [(["--activity", "lying"], [0, 0, 3]), (["--new", "cycling"], [0, 0, 0, 3])],
)
def test_learn_labels_what_the_boards_own_sensor_measures(board, options, labels):
    with moving(board, 1.0):
        result = har("learn", "--port", board.port, *options, "--windows", 3, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["labelled_windows"], document["subject"]) == (3, None)
    assert document["dataset"] == "the board's own sensor"
    assert board.board.labels == labels
    assert not any(isinstance(message, m.SamplesMessage) for message in board.board.executed)
    assert f"keep {options[1]} going" in result.stderr


def test_learn_needs_a_sensor_that_works(board):
    board.board.sensor = NO_SENSOR
    result = har("learn", "--port", board.port, "--new", "cycling")
    assert result.exit_code == 3
    assert "label a recording instead (--csv)" in one_line(result)
    assert board.board.head.names == []


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
    assert pushed["head_crc"] == pulled["head_crc"]
    back = json.loads(har("head", "rollback", "--port", board.port, "--json").stdout)
    assert back["updates"] == 0
    assert "factory" in har("head", "show", "--port", board.port).stdout


def test_head_show_explains_a_shipped_head(board):
    result = har("head", "show", "--port", board.port)
    said = shown(result)
    assert (said["head"], said["active"]) == (
        "factory",
        "the factory head: nothing was learned",
    )
    assert (said["labels"], said["since"], said["saved"]) == ("none", "-", "-")
    assert (said["holdout"], said["undo"]) == ("none yet", "-")
    assert (said["room"], said["stored"]) == ("for 2 more activities", "0 records, sequence 0")
    document = json.loads(har("head", "show", "--port", board.port, "--json").stdout)
    assert (document["source"], document["serves"], document["held_accuracy"]) == (
        "shipped",
        False,
        None,
    )
    assert document["since_s"] is None and document["saved_s"] is None


def test_head_show_explains_a_learned_head(board):
    state = replace(
        board.board._state(),
        source=m.HeadSource.LEARNED,
        unsaved=True,
        can_undo=True,
        sequence=17,
        records=4,
        updates=9,
        guard=Guard(judged=11, shipped_right=7, learned_right=6, undone=1),
        held=4,
        held_right=3,
        stored=8,
        since_s=1_763_709_000,
        labels=(6, 0, 0, 5),
        taught=("[red]row",),
    )
    board.board._state = lambda: state
    board.board.head.names = ["[red]row"]
    said = shown(har("head", "show", "--port", board.port))
    assert said["head"] == "learned, not saved"
    assert said["active"] == "the factory head: of 11 labels it got 7 right, the learned one 6"
    assert said["labels"] == "walking 6, [red]row 5 (added)"
    assert said["updates"] == "9, 1 undone by the guard"
    assert said["since"] == time.strftime("%Y-%m-%d %H:%M", time.localtime(1_763_709_000))
    assert said["saved"] == "unknown"
    assert said["holdout"] == "3 of 4 windows right (75%)"
    assert said["judged"] == "of 11 labels the factory head got 7 right, the learned one 6"
    assert said["replay"] == "8 of 8 windows stored"
    assert said["room"] == "for 1 more activity"
    assert said["undo"] == "the last label can be undone"
    assert said["stored"] == "4 records, sequence 17"
    assert (said["model"], said["checksum"]) == (MODEL_ID.hex(), f"{state.head_crc:08x}")
    document = json.loads(har("head", "show", "--port", board.port, "--json").stdout)
    assert (document["held_accuracy"], document["taught"]) == (0.75, ["[red]row"])
    assert (document["since_s"], document["saved_s"]) == (1_763_709_000, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"serves": True, "updates": 3}, "the learned head"),
        ({"updates": 0}, "the factory head: no label has changed the learned one"),
        (
            {"guard": Guard(judged=9, shipped_right=8)},
            "the factory head, until 1 more mistake of its own",
        ),
        ({"guard": Guard()}, f"the factory head, until {EVIDENCE} more mistakes of its own"),
    ],
)
def test_head_show_says_why_the_learned_head_does_not_serve_yet(board, changes, reason):
    state = replace(
        board.board._state(), **{"source": m.HeadSource.LEARNED, "updates": 2} | changes
    )
    board.board._state = lambda: state
    assert shown(har("head", "show", "--port", board.port))["active"].startswith(reason)


def test_the_last_label_is_undone_once(board, csv):
    har("learn", "--port", board.port, "--csv", csv)
    undone = json.loads(har("head", "undo", "--port", board.port, "--json").stdout)
    assert undone["labels"] == {"walking": 0, "sitting": 1, "lying": 0}
    assert undone["can_undo"] is False
    result = har("head", "undo", "--port", board.port)
    assert result.exit_code == 1
    assert "no label to take back" in one_line(result)


def test_a_taught_activity_goes_to_a_file_and_back(board, tmp_path):
    file = tmp_path / "anna.head"
    board.board.head.names = ["cycling"]
    board.board.labels = [0, 0, 1, 3]
    pulled = json.loads(har("head", "pull", file, "--port", board.port, "--json").stdout)
    assert json.loads(har("head", "reset", "--port", board.port, "--json").stdout)["taught"] == []
    pushed = json.loads(har("head", "push", file, "--port", board.port, "--json").stdout)
    assert (
        pushed["labels"]
        == pulled["labels"]
        == {
            "walking": 0,
            "sitting": 0,
            "lying": 1,
            "cycling": 3,
        }
    )
    assert (pushed["taught"], pushed["unsaved"]) == (["cycling"], False)


def test_push_refuses_a_tampered_file_before_it_touches_the_port(tmp_path):
    file = tmp_path / "bad.head"
    file.write_bytes(b"HARH" + bytes(100))
    result = har("head", "push", file, "--port", "/dev/nowhere")
    assert result.exit_code == 2
    assert "truncated or damaged" in one_line(result)


def head_payload():
    return FakeBoard()._head()


def test_push_refuses_a_value_beyond_the_limit_before_it_touches_the_port(tmp_path):
    payload = bytearray(head_payload())
    at = values_offset(ROWS, 3)
    payload[at : at + 4] = np.float32(2e6).tobytes()
    file = tmp_path / "huge.head"
    file.write_bytes(
        build_record(model_id=MODEL_ID, sequence=1, kind=RecordKind.LEARNED, payload=bytes(payload))
    )
    result = har("head", "push", file, "--port", "/dev/nowhere")
    assert result.exit_code == 2
    assert "huge.head: invalid head: a value is not finite, denormal or larger" in one_line(result)


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

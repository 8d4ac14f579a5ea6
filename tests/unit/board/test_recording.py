"""`record` over a scripted wire: what is kept, what is lost, and what is said about it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from pipeline.board import recording
from pipeline.board.client import Client
from pipeline.board.recording import Plan, record
from pipeline.core.errors import ExternalError, InputError
from pipeline.data import read_csv
from pipeline.data.csv_writer import CsvWriter
from pipeline.protocol import messages as m
from tests.support.fake_board import LSM9DS1, MODEL_ID, NO_SENSOR, FakeBoard, FakeWire, board_with

KEPT = 148  # of 150: the board itself holds two, as a prediction's samples came out of turn


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(recording, "SILENCE_S", 0.05)
    monkeypatch.setattr(recording, "LISTEN_S", 0.005)


class Person(FakeWire):
    """A wire whose board measures ten samples whenever the host listens and has nothing to read.

    `script` maps the number of the batch to how many samples are missing before it, or to
    something to do instead. Samples are numbered from 0 since the samples began to be sent.
    """

    def __init__(self, board, script=None, *, rest=(0.0, 0.1, 0.99)):
        super().__init__(board)
        self.script = script or {}
        self.rest = np.array([*rest, 0, 0, 0], np.float32)
        self.batch = 0
        self.measured = []

    def read(self, timeout_s):
        data = super().read(timeout_s)
        if data or not self.board.sending:
            return data
        act = self.script.get(self.batch, 0)
        self.batch += 1
        if callable(act):
            return act(self) or b""
        return self.measure(act)

    def measure(self, lost=0):
        rng = np.random.default_rng(self.batch)
        samples = self.rest + rng.normal(0, 0.01, (10, 6)).astype(np.float32)
        self.measured.append(samples)
        return b"".join(self.board.sense(s, 0 if i else lost) for i, s in enumerate(samples))


def silent(_):
    return b""


def interrupt(_):
    raise KeyboardInterrupt


def unplug(wire):
    wire.unplugged = True


def start_anew(wire):
    wire.board.framed = wire.board.sending = False


def plan(folder, seconds=4.0, **options):
    return Plan(
        **{"activity": "walking", "countdown_s": 0.0, **options}, seconds=seconds, folder=folder
    )


def taking(wire, what, **options):
    with Client(wire, timeout_s=0.02) as client:
        return record(client, what, now=lambda: datetime(2026, 1, 31, 12), **options)


def test_a_recording_is_what_the_board_measured(tmp_path):
    wire = Person(FakeBoard())
    taken = taking(wire, plan(tmp_path))
    assert taken.path == tmp_path / "walking-20260131-120000.csv"
    assert (taken.samples, taken.lost_samples, taken.seconds) == (200, 0, 4.0)
    assert (taken.interrupted, taken.refused, taken.doubts) == (None, None, ())
    found = read_csv(taken.path)
    # The first batch told that the sensor works.
    assert found.samples.tobytes() == np.concatenate(wire.measured[1:21]).tobytes()
    assert (found.subject, found.session) == ("me", "me/20260131-120000")
    assert not wire.board.framed


def test_the_header_names_board_model_and_rate(tmp_path):
    text = taking(Person(FakeBoard()), plan(tmp_path)).path.read_text()
    for line in (
        "# rate_hz: 50\n",
        "# board: Rev1 LSM9DS1\n",
        f"# model_id: {MODEL_ID.hex()}\n",
        "# firmware: fake\n",
        "# sensor_rate_hz: 118.75 ",
        "# lost_samples: 0 ",
    ):
        assert line in text


def test_it_is_cut_to_the_sample(tmp_path):
    assert taking(Person(FakeBoard()), plan(tmp_path, 3.14)).samples == 157


def test_lost_samples_are_a_gap_in_time_and_counted(tmp_path):
    seen = []
    wire = Person(FakeBoard(), {6: 3, 12: 1})
    taken = taking(wire, plan(tmp_path), on_progress=lambda p: seen.append((p.lost, p.trace)))
    assert (taken.samples, taken.lost_samples, taken.seconds) == (196, 4, 4.0)
    assert taken.document()["lost_samples"] == 4
    time_s = np.loadtxt(taken.path, delimiter=",", usecols=0, skiprows=9)
    assert np.flatnonzero(np.diff(time_s) > 0.021).tolist() == [49, 109]
    assert np.isclose(np.diff(time_s)[[49, 109]], [0.08, 0.04]).all()
    assert "# lost_samples: 4 " in taken.path.read_text()
    assert any("2 gaps in time" in doubt for doubt in taken.doubts)
    assert len(read_csv(taken.path).segments) == 3
    lost, trace = seen[-1]
    assert lost == 4
    assert int(np.isnan(trace).all(axis=1).sum()) == 1  # the other gap is out of sight
    assert len(trace) == 128


def test_samples_lost_on_the_wire_count_like_those_the_board_lost(tmp_path):
    def drop(wire):
        wire.measure()

    taken = taking(Person(FakeBoard(), {5: drop}), plan(tmp_path))
    assert (taken.samples, taken.lost_samples) == (190, 10)


def test_a_gap_at_the_end_counts_only_inside_the_recording(tmp_path):
    taken = taking(Person(FakeBoard(), {20: 500}), plan(tmp_path))
    assert (taken.samples, taken.lost_samples, taken.seconds) == (190, 10, 4.0)


def test_indices_may_wrap(tmp_path):
    board = FakeBoard()

    def jump(wire):
        board.expected = 2**32 - 45
        return wire.measure()

    taken = taking(Person(board, {0: jump}), plan(tmp_path))
    assert (taken.samples, taken.lost_samples) == (200, 0)


@pytest.mark.parametrize(
    ("happens", "why", "code"),
    [
        (interrupt, "interrupted", 130),
        (unplug, "fake is gone", 3),
        (start_anew, "has restarted", 3),
    ],
)
def test_an_interruption_keeps_what_came_before(tmp_path, happens, why, code):
    wire = Person(FakeBoard(), {16: happens, 17: silent})
    taken = taking(wire, plan(tmp_path))
    assert why in taken.interrupted
    assert taken.interrupted_exit_code == code
    assert taken.samples == KEPT
    measured = np.concatenate(wire.measured[1:])[:KEPT]
    assert read_csv(taken.path).samples.tobytes() == measured.tobytes()
    assert [path.name for path in tmp_path.iterdir()] == [taken.path.name]


def test_a_sensor_that_falls_silent_ends_it(tmp_path):
    wire = Person(FakeBoard(), dict.fromkeys(range(16, 400), silent))
    wire.board.sensor_next.extend([LSM9DS1, replace(LSM9DS1, trouble=m.SensorTrouble.SILENT)])
    taken = taking(wire, plan(tmp_path))
    assert "sent no new samples for 0 s: motion sensor LSM9DS1 (Rev1): answers no more" in (
        taken.interrupted
    )
    assert (taken.samples, taken.interrupted_exit_code) == (KEPT, 3)


def test_a_full_disk_ends_it_and_keeps_whole_lines(tmp_path, monkeypatch):
    write = CsvWriter.write
    monkeypatch.setattr(
        CsvWriter,
        "write",
        lambda self, first, samples: write(self, first, samples) if first < 60 else full(self),
    )

    def full(writer):
        writer._file.write(b"1.2,0.0")
        raise OSError(28, os.strerror(28))

    taken = taking(Person(FakeBoard()), plan(tmp_path))
    assert taken.samples == 60
    assert "No space left on device" in taken.interrupted
    assert read_csv(taken.path).samples.shape == (60, 6)


def test_less_than_a_window_is_told(tmp_path):
    taken = taking(Person(FakeBoard()), plan(tmp_path, 2.0))
    assert "100 samples are less than one window of 128: too short" in taken.doubts


def test_cut_off_at_once_leaves_no_file(tmp_path):
    taken = taking(Person(FakeBoard(), {1: interrupt}), plan(tmp_path))
    assert (taken.path, taken.samples) == (None, 0)
    assert list(tmp_path.iterdir()) == []
    assert json.loads(json.dumps(taken.document()))["path"] is None


@pytest.mark.parametrize(
    ("board", "words"),
    [
        (board_with(), "cannot record: motion sensor: not found"),
        (board_with(), "har emulate --sensor NAME"),
        (board_with(target=m.Target.NANO33BLE), "`har doctor` says more"),
    ],
)
def test_no_sensor_is_one_line(tmp_path, board, words):
    board.sensor = NO_SENSOR
    with pytest.raises(ExternalError) as caught:
        taking(Person(board), plan(tmp_path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_sensor_that_sends_nothing_is_one_line(tmp_path):
    with pytest.raises(ExternalError, match=r"sent no new samples for 0 s: .*har doctor"):
        taking(Person(FakeBoard(), dict.fromkeys(range(400), silent)), plan(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_what_comes_in_the_countdown_is_shown_and_not_kept(tmp_path):
    seen = []
    wire = Person(FakeBoard(), dict.fromkeys(range(1, 400, 2), silent))
    taken = taking(
        wire,
        plan(tmp_path, 2.0, countdown_s=0.03),
        on_progress=lambda p: seen.append((p.starts_in_s, len(p.trace), p.samples)),
    )
    assert seen[0] == (pytest.approx(0.03, abs=0.01), 0, 0)
    assert any(starts > 0 and trace > 0 and samples == 0 for starts, trace, samples in seen)
    assert seen[-1] == (0.0, 128, 100)
    kept = read_csv(taken.path).samples.tobytes()
    assert np.concatenate(wire.measured).tobytes().find(kept) > 0


def test_the_reader_refuses_what_cannot_be_right_and_the_file_stays(tmp_path):
    taken = taking(Person(FakeBoard(), rest=(0, 0, 9.81)), plan(tmp_path))
    assert "it looks like m/s2" in taken.refused
    assert taken.path.exists()


def test_what_the_sensor_says_of_itself_is_told(tmp_path):
    board = FakeBoard(sensor=replace(LSM9DS1, zero_known=False, saturated=2**32 - 1))
    worse = replace(board.sensor, rate_hz=100.0, saturated=4, overruns=1, bus_errors=2)
    board.sensor_next.extend([board.sensor, worse])
    doubts = "; ".join(taking(Person(board), plan(tmp_path)).doubts)
    assert "the sensor runs at 100.0 Hz, not 119 Hz" in doubts
    assert "the gyroscope's bias was not known" in doubts
    assert "5 samples with an axis beyond" in doubts
    assert "1 times the sensor had to drop samples" in doubts
    assert "2 failed transfers" in doubts


def test_a_wrong_rate_is_told_by_either_clock(tmp_path):
    taken = taking(Person(board_with(rate_hz=50.0)), plan(tmp_path, 6.0))
    # The wire is much faster than any sensor; the board's own times are right.
    assert [d for d in taken.doubts if "wrong rate: by this computer's clock" in d]
    assert not [d for d in taken.doubts if "by the board's clock" in d]


@pytest.mark.parametrize(
    "wrong",
    [
        {"activity": ""},
        {"activity": "x" * 32},
        {"activity": "a,b"},
        {"activity": "a\nb"},
        {"activity": "unknown"},
        {"subject": "a,b"},
        {"subject": "x" * 41},
    ],
)
def test_names_that_no_file_or_board_can_hold_are_refused(tmp_path, wrong):
    with pytest.raises(InputError):
        plan(tmp_path, **wrong)

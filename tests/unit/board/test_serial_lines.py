"""`record_lines` over a scripted port and clock: any sketch that prints lines of numbers."""

from __future__ import annotations

import json
import math
import os
from datetime import datetime

import numpy as np
import pytest

from pipeline.board import serial_lines
from pipeline.board.errors import PortLost
from pipeline.board.recording import Plan
from pipeline.board.serial_lines import Layout, place, record_lines
from pipeline.core.errors import ExternalError, InputError
from pipeline.data import read_csv
from pipeline.data.csv_writer import CsvWriter
from pipeline.protocol.frames import encode_frame

COLUMNS = "ax,ay,az,gx,gy,gz"
REST = (0.0, 0.1, 0.99, 0.0, 0.0, 0.0)


class Port:
    """A `Transport` on which ``events``, (s, bytes or what is raised), happen by a clock of its
    own, which only waiting moves."""

    name = "/dev/ttyFAKE"

    def __init__(self, events):
        self.now = 0.0
        self.events = sorted(events, key=lambda event: event[0])

    def monotonic(self):
        return self.now

    def read(self, timeout_s):
        until = self.now + timeout_s
        self.now = min(max(self.now, self.events[0][0]), until) if self.events else until
        data = b""
        while self.events and self.events[0][0] <= self.now:
            if not isinstance(self.events[0][1], bytes):
                if data:
                    break
                raise self.events.pop(0)[1]
            data += self.events.pop(0)[1]
        return data

    def write(self, data):
        raise AssertionError(f"{data!r} was sent to a sketch of somebody else")


def motion(count, scale=(1.0,) * 6):
    """(count, 6) float32: at rest with noise."""
    noise = np.random.default_rng(0).normal(0, 0.01, (count, 6))
    return ((np.array(REST) + noise) * np.array(scale)).astype(np.float32)


def plain(sample):
    return (",".join(map(repr, map(float, sample))) + "\r\n").encode()


def sketch(samples, rate_hz=50.0, text=plain, burst=1, start_s=0.0):
    """Events: each sample as a line when it is measured, or with the last one of its burst."""
    return [
        (start_s + (number // burst + 1) * burst / rate_hz, text(sample))
        for number, sample in enumerate(samples)
    ]


@pytest.fixture
def take(tmp_path, monkeypatch):
    """What comes of recording ``events``: (taken, samples in the file, times in s)."""

    def taking(
        events, columns=COLUMNS, units="g,rad/s", *, seconds=10.0, countdown_s=3.0, worn="", **more
    ):
        port = Port(events)
        monkeypatch.setattr(serial_lines, "time", port)
        plan = Plan("walking", seconds, tmp_path, "anna", countdown_s, worn)
        now = datetime(2026, 1, 31, 12)
        taken = record_lines(port, plan, Layout.of(columns, units), now=lambda: now, **more)
        names = [path.name for path in tmp_path.iterdir()]
        if taken.path is None:
            assert names == []
            return taken, None, None
        assert names == [taken.path.name]
        lines = [line for line in taken.path.read_text().splitlines() if line[0] not in "#t"]
        table = np.loadtxt(lines, delimiter=",", usecols=range(7), ndmin=2)
        assert len(table) == taken.samples
        return taken, table[:, 1:].astype(np.float32), table[:, 0]

    return taking


def is_stretch_of(found, samples):
    return found.tobytes() in samples.tobytes()


# ---- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (COLUMNS, b"1,2,3,4,5,6"),
        (COLUMNS, b"1; 2; 3; 4; 5; 6;"),
        (COLUMNS, b"1\t2\t3\t4\t5\t6"),
        (COLUMNS, b"+1.0  2. 3e0 4.000 .5E1 6"),
        (COLUMNS, b"1, 2 ,3,\t4 , 5,6,"),
        (COLUMNS, b"ax:1,ay:2,az:3,gx:4,gy:5,gz:6"),
        (COLUMNS, b"Min:-2 Max:2 gz: 6 gy: 5 gx: 4 AZ: 3 ay: 2 ax: 1"),
        ("gz,gy,gx,az,ay,ax", b"6,5,4,3,2,1"),
        ("-,ax,ay,az,-,gx,gy,gz,-", b"12:31:05,1,2,3,,4,5,6,on"),
    ],
)
def test_separators_names_and_skipped_columns_are_read(columns, line):
    assert Layout.of(columns, "g,rad/s").read(line) == [1, 2, 3, 4, 5, 6]


def test_the_time_comes_last_wherever_it_stands():
    layout = Layout.of("ax,time_ms,ay,az,gx,gy,gz", "g,rad/s")
    assert layout.clock == "time_ms"
    assert layout.read(b"1,70,2,3,4,5,6") == [1, 2, 3, 4, 5, 6, 70]
    assert layout.read(b"time_ms:70 ax:1 ay:2 az:3 gx:4 gy:5 gz:6") == [1, 2, 3, 4, 5, 6, 70]


@pytest.mark.parametrize(
    "line",
    [
        b"1,2,3,4,5",
        b"1,2,3,4,5,6,7",
        b"1,2,,4,5,6",
        b"1,2,3,4,5,nan",
        b"1,2,3,4,5,inf",
        b"1,2,3,4,5,1e99999",
        b"1,2,3,4,5,1e13",
        b"1,2,3,4,5,1_0",
        b"1,2,3,4,5,0x10",
        b"1,2,3,4,5,\xb2",
        b"1,2,3,4,5,6\xff",
        b"ax:1,ay:2,az:3,gx:4,gy:5",
        b"ax:1,ay:2,az:3,gx:4,gy:5,6",
        b"accelerometer ready",
        b":",
        b",",
    ],
)
def test_another_line_is_none(line):
    assert Layout.of(COLUMNS, "g,rad/s").read(line) is None


@pytest.mark.parametrize(
    ("columns", "units", "words"),
    [
        ("ax,ay,az,gx,gy", "g,rad/s", "a recording needs ax,ay,az,gx,gy,gz, each once"),
        ("ax,ay,az,gx,gy,gz,ax", "g,rad/s", "each once"),
        ("ax,ay,az,gx,gy,gz,mx", "g,rad/s", "- for what to skip"),
        ("time,ax,ay,az,gx,gy,gz,time_ms", "g,rad/s", "one of time, time_ms, time_us"),
        (COLUMNS, "g", "--units, rotation (after the comma) '': there are rad/s, deg/s"),
        (COLUMNS, "rad/s,g", "--units, acceleration 'rad/s': there are g, m/s2, mg"),
        (COLUMNS, "g,rpm", "--units, rotation (after the comma) 'rpm'"),
    ],
)
def test_columns_and_units_that_make_no_recording_are_refused(columns, units, words):
    with pytest.raises(InputError) as caught:
        Layout.of(columns, units)
    assert words in str(caught.value)


# ---- when samples were taken ---------------------------------------------------------------------

EVEN = np.arange(1500)


def _late():
    random = np.random.default_rng(0)
    return np.maximum.accumulate(EVEN / 50 + random.exponential(0.02, len(EVEN)))


def _seldom_read():
    read = np.cumsum(np.random.default_rng(0).exponential(0.05, 5000))
    return read[np.searchsorted(read, (EVEN // 5 + 1) * 5 / 50)]


@pytest.mark.parametrize(
    "stamps",
    [
        EVEN / 50,
        (EVEN // 10 + 1) * 10 / 50,
        (EVEN // 25 + 1) * 25 / 50,
        ((EVEN + 7) // 10 + 1) * 10 / 50,  # that are cut off at both ends
        np.ceil(EVEN / 50 / 0.016) * 0.016,  # a USB converter hands over every 16 ms
        np.where((EVEN >= 600) & (EVEN < 650), 650 / 50, EVEN / 50),  # a stall, caught up
        _late(),
        _seldom_read(),
    ],
    ids=["even", "bursts of 10", "bursts of 25", "cut bursts", "16 ms", "stall", "late", "busy"],
)
def test_bursts_stalls_and_delays_move_no_sample(stamps):
    numbers, rate_hz, gaps = place(stamps, 1.5)
    assert (numbers == EVEN).all() and gaps == 0
    assert rate_hz == pytest.approx(50, rel=1e-3)


@pytest.mark.parametrize("burst", [1, 10])
@pytest.mark.parametrize(
    "parts",
    [
        [(0, 500), (560, 1500)],
        [(0, 700), (710, 720), (750, 1500)],
        [(0, 250), (450, 700), (900, 1500)],
    ],
    ids=["one", "two", "a third is missing"],
)
def test_what_is_missing_is_counted_and_does_not_slow_the_rate(parts, burst):
    kept = np.concatenate([np.arange(*part) for part in parts])
    numbers, rate_hz, gaps = place((kept // burst + 1) * burst / 50, 1.5)
    assert (numbers == kept).all()
    assert gaps == len(parts) - 1
    assert rate_hz == pytest.approx(50, rel=1e-6)


def test_a_clock_shows_a_single_missing_sample_and_its_rounding_does_not_matter():
    kept = np.delete(np.arange(1000), [300, 500, 501])
    numbers, rate_hz, gaps = place(np.round(kept * 1000 / 119) / 1000, 0.5)
    assert (numbers == kept).all() and gaps == 2
    assert rate_hz == pytest.approx(119, rel=1e-4)


@pytest.mark.parametrize("stamps", [[], [1.0], [1.0, 1.0, 1.0]])
def test_no_rate_without_two_times(stamps):
    numbers, rate_hz, gaps = place(np.array(stamps), 1.5)
    assert (numbers == np.arange(len(stamps))).all() and gaps == 0
    assert math.isnan(rate_hz)


# ---- a recording ---------------------------------------------------------------------------------


@pytest.mark.parametrize("burst", [1, 10])
def test_a_recording_is_what_the_sketch_printed_bit_for_bit(take, burst):
    samples = motion(700)
    taken, found, time_s = take(sketch(samples, burst=burst))
    assert taken.path.name == "walking-20260131-120000.csv"
    assert (taken.interrupted, taken.refused, taken.doubts) == (None, None, ())
    assert (taken.rate_hz, taken.lost_samples, taken.broken_lines, taken.gaps) == (50.0, 0, 0, 0)
    assert 490 <= taken.samples <= 510
    assert is_stretch_of(found, samples)
    assert time_s.tolist() == [round(number / 50, 6) for number in range(len(found))]
    text = taken.path.read_text()
    for line in (
        "# rate_hz: 50\n",
        "# subject: anna\n",
        "# session: anna/20260131-120000\n",
        "# board: other sketch\n",
        "# printed_units: g rad/s\n",
        "# sensor_rate_hz: 50.00 ",
        "# lost_samples: 0 ",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("units", "scale"),
    [
        ("m/s2,deg/s", (9.80665,) * 3 + (180 / math.pi,) * 3),
        ("mg,dps", (1000.0,) * 3 + (180 / math.pi,) * 3),
    ],
)
def test_units_are_brought_to_g_and_rad_s(take, units, scale):
    samples = motion(700)
    taken, found, _ = take(sketch(samples.astype(float) * scale), units=units)
    assert taken.refused is None
    assert taken.units == units.replace("dps", "deg/s")
    first = np.flatnonzero(np.abs(samples - found[0]).max(axis=1) < 1e-6)[0]
    np.testing.assert_allclose(found, samples[first:][: len(found)], rtol=1e-6, atol=1e-9)


def test_json_has_what_any_recording_has_and_what_is_known_of_the_lines(take):
    taken, _, _ = take(sketch(motion(700)))
    document = json.loads(json.dumps(taken.document()))
    assert {
        "activity": "walking",
        "subject": "anna",
        "samples": taken.samples,
        "seconds": round(taken.samples / 50, 3),
        "rate_hz": 50.0,
        "broken_lines": 0,
        "gaps": 0,
        "units": "g,rad/s",
        "board": "other sketch",
        "model_id": None,
    }.items() <= document.items()
    assert document["path"] == str(taken.path)


def test_a_rate_that_is_not_round_is_written_as_measured(take):
    taken, _, time_s = take(sketch(motion(1600), rate_hz=104.0))
    assert taken.rate_hz == 104.0
    assert time_s[100] == round(100 / 104, 6)


def test_the_rate_is_that_of_the_whole_recording_not_of_its_beginning(take):
    events = sketch(motion(160)) + sketch(motion(600), rate_hz=52.0, start_s=3.2)
    taken, found, time_s = take(events)
    assert taken.rate_hz == 52.0
    assert time_s[-1] == round((len(found) - 1) / 52, 6)


def test_a_file_that_is_written_again_keeps_its_placement(take):
    events = sketch(motion(160)) + sketch(motion(600), rate_hz=52.0, start_s=3.2)
    taken, _, _ = take(events, worn="wrist")
    assert taken.rate_hz == 52.0  # known at the end only
    assert (taken.refused, read_csv(taken.path).placement) == (None, "wrist")


def test_a_sketch_s_own_time_is_believed_over_the_arrival(take):
    samples = np.delete(motion(700), 350, axis=0)
    numbers = np.delete(np.arange(700), 350)

    def text(row):
        return f"{int(row[6])};".encode() + plain(row[:6]).replace(b",", b";")

    rows = np.column_stack([samples.astype(float), 4_294_000_000 + numbers * 20_000])
    taken, found, time_s = take(sketch(rows, text=text, burst=10), f"time_us,{COLUMNS}")
    assert (taken.rate_hz, taken.lost_samples, taken.gaps) == (50.0, 1, 1)
    assert is_stretch_of(found, samples)
    (gap,) = np.flatnonzero(np.diff(time_s) > 0.021)
    assert time_s[gap + 1] - time_s[gap] == pytest.approx(0.04)
    assert "1 gaps in time" in taken.doubts[0]


def test_a_clock_that_wraps_is_no_gap(take):
    samples = motion(700)
    rows = np.column_stack([samples.astype(float), (2**32 - 8_000_000 + np.arange(700) * 20_000)])

    def text(row):
        return f"{int(row[6]) % 2**32},".encode() + plain(row[:6])

    taken, found, _ = take(sketch(rows, text=text), f"time_us,{COLUMNS}")
    assert (taken.rate_hz, taken.lost_samples, taken.gaps, taken.doubts) == (50.0, 0, 0, ())
    assert is_stretch_of(found, samples)


@pytest.mark.parametrize("column", ["time", "time_us"])
def test_a_time_in_another_unit_is_told_before_anything_is_recorded(take, tmp_path, column):
    rows = np.column_stack([motion(400).astype(float), np.arange(400) * 20])
    events = sketch(rows, text=lambda row: f"{row[6]:g},".encode() + plain(row[:6]))
    with pytest.raises(InputError, match=rf"samples a second by {column}, .*another unit"):
        take(events, f"{column},{COLUMNS}")
    assert list(tmp_path.iterdir()) == []


def test_silence_in_between_is_a_gap_in_time(take):
    samples = motion(700)
    events = [event for event in sketch(samples, burst=10) if not 8.0 < event[0] <= 9.0]
    taken, found, time_s = take(events)
    assert (taken.rate_hz, taken.gaps, taken.lost_samples) == (50.0, 1, 50)
    (gap,) = np.flatnonzero(np.diff(time_s) > 0.021)
    assert time_s[gap + 1] - time_s[gap] == pytest.approx(1.02)
    assert is_stretch_of(found[: gap + 1], samples) and is_stretch_of(found[gap + 1 :], samples)
    assert "1 gaps in time, the first before line" in taken.doubts[0]
    assert "# lost_samples: 50 " in taken.path.read_text()


def test_what_waited_in_buffers_and_half_a_line_do_not_count(take):
    samples = motion(700)
    backlog = [(0.0, b"".join(map(plain, motion(90)))), (0.201, b"0.5,0.3\r\n")]
    taken, found, _ = take(backlog + sketch(samples), countdown_s=0.0)
    assert (taken.rate_hz, taken.broken_lines, taken.doubts) == (50.0, 0, ())
    assert is_stretch_of(found, samples)


@pytest.mark.parametrize("seed", range(3))
def test_where_the_bytes_are_split_does_not_matter(take, seed):
    random = np.random.default_rng(seed)
    samples = motion(700)
    events = []
    for at, line in sketch(samples):
        cut = int(random.integers(1, len(line)))
        events += [(at - 0.002, line[:cut]), (at, line[cut:])]
    taken, found, _ = take(events)
    assert (taken.broken_lines, taken.lost_samples, taken.rate_hz) == (0, 0, 50.0)
    assert is_stretch_of(found, samples)


def test_progress_has_rate_broken_lines_and_samples(take):
    seen = []
    events = [*sketch(motion(700)), (6.001, b"oops\n")]
    take(events, on_progress=lambda p: seen.append((p.starts_in_s, p.samples, p.remark, p.lost)))
    assert seen[0][:2] == (3.0, 0)
    assert seen[-1][0] == 0.0 and seen[-1][1] > 450
    assert seen[-1][2:] == ("50.0 Hz, broken lines: 1", 1)


# ---- what can be wrong ---------------------------------------------------------------------------


def test_broken_lines_are_counted_and_the_first_is_shown(take):
    samples = motion(700)
    events = sketch(samples)
    for at, junk in [
        (400, b"ax=0.1\x1b[2J\xfe\r\n"),
        (410, b"1," * 5000 + b"\n"),
        (420, b"1,2\n"),
    ]:
        events[at] = (events[at][0], junk)
    events += [(9.001, b"battery 3.7 V\n"), (9.002, b"\r\n")]
    taken, found, time_s = take(events)
    assert taken.broken_lines == 4
    (broken,) = [doubt for doubt in taken.doubts if "lines did not" in doubt]
    assert broken.startswith("4 of 50")
    assert broken.endswith(r"the columns ax,ay,az,gx,gy,gz; the first: 'ax=0.1\x1b[2J\xfe'")
    # Damaged samples have a place in time, words have none.
    assert (taken.lost_samples, taken.gaps, taken.rate_hz) == (3, 0, 50.0)
    steps = np.diff(time_s)
    assert np.flatnonzero(steps > 0.021).tolist() == [
        at for at in range(len(steps)) if steps[at] == pytest.approx(0.04)
    ]
    assert is_stretch_of(found[-200:], samples)


def test_more_than_a_tenth_broken_ends_it_and_keeps_the_others(take):
    samples = motion(700)
    events = sketch(samples)
    events[450:] = [
        (at, b"0.1,0.2\n" if number % 3 == 0 else text)
        for number, (at, text) in enumerate(events[450:])
    ]
    taken, found, _ = take(events)
    assert taken.interrupted_exit_code == 3
    assert "lines did not have the columns" in taken.interrupted
    assert "do --columns and --baud fit?" in taken.interrupted
    assert 250 < taken.samples < 500
    assert is_stretch_of(found[:250], samples)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            b"0.1,0.2,0.3\n",
            "24 of 24 lines did not have the columns ax,ay,az,gx,gy,gz; the first: ",
        ),
        (b"\xf8\x80\x00\xff\n", r"the first: '\xf8\x80\x00\xff'; do --columns and --baud fit?"),
        (b"\x80", r"no whole line, but '\x80\x80"),
        (b"", "/dev/ttyFAKE, within 5 s: nothing came; does the sketch print, and at this --baud?"),
    ],
    ids=["other columns", "garbage", "no end of line", "nothing"],
)
def test_without_a_line_that_fits_it_ends_after_five_seconds(take, tmp_path, event, words):
    with pytest.raises(ExternalError) as caught:
        take([(number / 5, event) for number in range(100)])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(8))
def test_noise_on_the_line_is_never_more_than_one_clear_line(take, tmp_path, seed):
    random = np.random.default_rng(seed)
    samples = motion(700)
    events = sketch(samples, burst=1 + seed % 3 * 5)
    for number in random.choice(len(events), len(events) * seed // 40, replace=False):
        at, line = events[number]
        damage = random.integers(0, 256, random.integers(1, 600), dtype=np.uint8).tobytes()
        cut = int(random.integers(0, len(line)))
        events[number] = (at, line[:cut] + damage + line[cut + len(damage) % 5 :])
    try:
        taken, found, _ = take(events)
    except ExternalError as error:
        assert "lines did not have the columns" in str(error) and "\n" not in str(error)
        assert list(tmp_path.iterdir()) == []
        return
    whole = {sample.tobytes() for sample in samples}
    strange = sum(sample.tobytes() not in whole for sample in found)
    assert strange <= len(found) // 50  # a digit that is missing makes another number
    assert "\n" not in "".join(taken.doubts)


def test_a_sketch_that_falls_silent_ends_it_and_keeps_what_came(take):
    taken, found, _ = take(sketch(motion(400)), seconds=60.0)
    assert taken.interrupted_exit_code == 3
    assert "within 5 s: nothing came" in taken.interrupted
    assert (taken.samples, len(found), taken.gaps) == (taken.samples, taken.samples, 0)
    assert 200 < taken.samples < 260


@pytest.mark.parametrize(
    ("happens", "why", "code"),
    [
        (KeyboardInterrupt(), "interrupted", 130),
        (PortLost("/dev/ttyFAKE is gone"), "is gone", 3),
    ],
)
def test_an_interruption_keeps_what_came_before(take, happens, why, code):
    samples = motion(700)
    half = plain(samples[-1])[:20]
    events = [event for event in sketch(samples) if event[0] < 7.0]
    taken, found, _ = take([*events, (7.0, half), (7.01, happens)])
    assert why in taken.interrupted
    assert taken.interrupted_exit_code == code
    assert is_stretch_of(found, samples)
    assert found[-1].tobytes() == samples[len(events) - 1].tobytes()


def test_one_in_the_countdown_leaves_no_file(take, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        take([*sketch(motion(700)), (2.0, KeyboardInterrupt())])
    assert list(tmp_path.iterdir()) == []


def test_cut_off_at_once_there_is_no_file(take):
    taken, _, _ = take([*sketch(motion(160)), (3.201, KeyboardInterrupt())])
    assert (taken.path, taken.samples, taken.seconds) == (None, 0, 0.0)


@pytest.mark.parametrize("again", [False, True], ids=["while it comes", "when it is put right"])
def test_a_full_disk_ends_it_and_keeps_whole_lines(take, monkeypatch, again):
    write = CsvWriter.write
    files = []

    def full(self, first, samples):
        if self not in files:
            files.append(self)
        if len(files) == 2 if again else first >= 60:
            self._file.write(b"1.2,0.0")
            raise OSError(28, os.strerror(28))
        write(self, first, samples)

    monkeypatch.setattr(CsvWriter, "write", full)
    events = [event for event in sketch(motion(700)) if not 8.0 < event[0] <= 9.0]
    taken, found, _ = take(events)
    assert taken.interrupted_exit_code == 3
    assert "No space left on device" in taken.interrupted
    assert is_stretch_of(found[:60], motion(700))
    assert taken.samples == (60 if not again else 450)


@pytest.mark.parametrize(
    ("told", "scale", "what", "remedy"),
    [
        ("g,rad/s", (9.80665,) * 3 + (1,) * 3, "it looks like m/s2", "--units m/s2,rad/s"),
        ("m/s2,deg/s", (1,) * 6, "it was in g already", "--units g,deg/s"),
        ("mg,dps", (9.80665,) * 3 + (1,) * 3, "|a| at rest", "--units m/s2,deg/s"),
        ("g,rad/s", (1,) * 3 + (100,) * 3, "it looks like deg/s", "--units g,deg/s"),
    ],
)
def test_a_wrong_unit_is_told_with_the_remedy_and_the_file_stays(take, told, scale, what, remedy):
    samples = motion(1100).astype(float)
    samples[:, :3] = np.array(REST[:3]) + (samples[:, :3] - np.array(REST[:3])) / 10
    taken, _, _ = take(sketch(samples * scale), units=told, seconds=15.0)
    assert what in taken.refused
    assert taken.refused.endswith(f"; record again with {remedy}")
    assert taken.path.exists()


def test_gravity_that_was_taken_out_is_no_matter_of_units(take):
    taken, _, _ = take(sketch(motion(700) - np.array(REST, np.float32)))
    assert "gravity was taken out" in taken.refused
    assert "--units" not in taken.refused


def test_a_stated_rate_is_written_and_another_one_refused_before_anything_is(take, tmp_path):
    with pytest.raises(InputError, match=r"--rate 100, but /dev/ttyFAKE sends 50\.0 samples a sec"):
        take(sketch(motion(400)), stated_hz=100.0)
    assert list(tmp_path.iterdir()) == []
    taken, _, _ = take(sketch(motion(700), rate_hz=49.2), stated_hz=50.0)
    assert (taken.rate_hz, taken.sensor_rate_hz, taken.doubts) == (50.0, 49.2, ())


def test_a_rate_that_changes_from_the_stated_one_is_told(take):
    events = sketch(motion(160)) + sketch(motion(600), rate_hz=45.0, start_s=3.2)
    taken, _, _ = take(events, stated_hz=50.0)
    assert "wrong rate: 45.0 lines a second came instead of 50" in taken.doubts


def test_too_slow_for_the_motion_of_a_body_is_told(take):
    with pytest.raises(InputError, match=r"5 samples a second by their arrival, where 10 to 2000"):
        take(sketch(motion(100), rate_hz=5.0))


def test_less_than_a_window_is_told(take):
    taken, _, _ = take(sketch(motion(700)), seconds=2.0)
    assert any("less than one window of 2.56 s: too short" in doubt for doubt in taken.doubts)


# ---- our own firmware ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [b"walking 0.97\r\n", b"har: no motion sensor\r\n", b"\x00" + encode_frame(0x82, 7, bytes(30))],
    ids=["text", "remark", "frames"],
)
def test_our_own_firmware_is_recognised(take, tmp_path, event):
    with pytest.raises(InputError, match="this board runs our firmware: leave --from-serial out"):
        take([(0.5 + number, event) for number in range(10)])
    assert list(tmp_path.iterdir()) == []

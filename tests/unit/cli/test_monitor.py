"""The terminal monitor: frames and text, reconnecting, and its four ways to show."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from pipeline.board.errors import BoardRefused
from pipeline.cli.views.monitor import (
    CSV_HEADER,
    LISTEN_S,
    Figures,
    Sighting,
    bars_view,
    csv_line,
    json_line,
    lines_view,
    parse_text,
    text_line,
    watch,
)
from pipeline.core.errors import ExternalError
from pipeline.protocol import messages as m
from pipeline.protocol.frames import encode_frame
from tests.support.fake_board import LSM9DS1, NO_SENSOR, FakeBoard, FakeWire, Faults, board_with

SEEN = Sighting(12.34, "walking", 0.75, {"walking": 0.75, "sitting": 0.25, "lying": 0.0}, 127)
FIGURES = Figures(
    predictions_hz=0.78125,
    sensor_hz=118.7,
    samples_lost=3,
    latency_ms=3.1,
    count=198_400,
    counter="cycles",
    delay_ms=12.3,
    celsius=31.4,
    sensor="LSM9DS1 (Rev1)",
)
NOTHING = dict.fromkeys(FIGURES.document())
SENSOR = "motion sensor LSM9DS1 (Rev1), 118.8 Hz"


def sense(board, count, level_g=0.0):
    """The board's own sensor gives so many samples; returns what the board says to them."""
    sample = np.full(6, level_g, np.float32)
    return b"".join(board.sense(sample) for _ in range(count))


class Feed(FakeWire):
    """A wire whose board says `words` one by one: in frames once it is greeted, in text (`deaf`)
    once the host has given up. `None` unplugs it."""

    def __init__(self, board, words, *, deaf=False):
        super().__init__(board, Faults(host=lambda _: "drop" if self.deaf else ""))
        self.deaf = deaf
        self.words = list(words)
        self.silent = 0

    def read(self, timeout_s):
        data = super().read(timeout_s)
        if not data and self.words and (self.board.framed or timeout_s == LISTEN_S):
            word = self.words.pop(0)
            if word is None:
                self.unplugged = True
            else:
                data = word() if callable(word) else word
        self.silent = 0 if data else self.silent + 1
        assert self.silent < 2000, "the test waits for words that nobody will say"
        return data


def watching(*wires, **options):
    """`watch` over these wires, one after another; what it told goes into the list."""
    told = []
    left = list(wires)

    def open_wire(_port):
        if not left:
            raise ExternalError("no serial port fake")
        return left.pop(0)

    options = {"hello_timeout_s": 0.01, "retry_s": 0.001, "poll_s": 0.05, **options}
    return closing(watch("fake", told.append, open_transport=open_wire, **options)), told


def test_frames_become_sightings_and_closing_says_bye():
    board = FakeBoard()
    wire = Feed(board, [lambda: sense(board, 192, 1.0)])
    context, told = watching(wire)
    with context as sightings:
        first, second = next(sightings), next(sightings)
    assert (first.activity, first.probability, first.end_index) == ("sitting", 1.0, 127)
    assert second.end_index == 191
    assert first.probabilities == {"walking": 0.0, "sitting": 1.0, "lying": 0.0}
    assert told == ["fake: model 0123456789abcdef, walking, sitting, lying", SENSOR]
    assert not board.framed
    assert wire.closed


def test_what_is_like_nothing_known_is_shown_as_unknown():
    board = FakeBoard()
    context, _ = watching(Feed(board, [lambda: sense(board, 128, -2.5)]))
    with context as sightings:
        seen = next(sightings)
    assert (seen.activity, seen.probability) == ("unknown", pytest.approx(0.4))
    assert seen.probabilities == {"walking": 1.0, "sitting": 0.0, "lying": 0.0}


def test_a_board_that_knows_only_text_is_shown_as_well():
    words = [b"har: no flash\nwalk", b"ing 0.97\r\nsit", b"ting 0.50\nnonsense\n"]
    context, told = watching(Feed(FakeBoard(), words, deaf=True))
    with context as sightings:
        first, second = next(sightings), next(sightings)
    assert (first.activity, first.probability, first.end_index) == ("walking", 0.97, None)
    assert (second.activity, second.probabilities) == ("sitting", {"sitting": 0.50})
    assert told == ["fake does not answer HELLO: showing its text", "board: har: no flash"]


def test_unplugging_is_told_and_the_monitor_goes_on_when_it_is_back():
    board = FakeBoard()
    words = [lambda: sense(board, 128, 2.0)]
    context, told = watching(Feed(board, [*words, None]), Feed(board, words))
    with context as sightings:
        assert next(sightings).activity == "lying"
        assert next(sightings).activity == "lying"
    assert "waiting for it" in told[2]
    assert told[3] == "fake is back"


def test_a_board_that_started_anew_is_greeted_again():
    board = FakeBoard()

    def reset():
        board.framed = False
        return b"har: started\nwalking 1.00\n"

    again = Feed(board, [lambda: sense(board, 128)])
    context, told = watching(Feed(board, [lambda: sense(board, 128), reset]), again)
    with context as sightings:
        assert next(sightings).end_index == 127
        assert next(sightings).end_index == 127
    assert any("restarted" in line for line in told)


def test_a_port_that_is_not_there_at_first_is_an_error():
    context, _ = watching()
    with pytest.raises(ExternalError, match="no serial port"), context as sightings:
        next(sightings)


def test_another_refusal_of_the_board_ends_the_monitor():
    board = FakeBoard()
    error = m.ErrorReply(m.MessageType.SAMPLES, 1, m.ErrorCode.ENGINE, "the engine failed")
    wire = Feed(board, [encode_frame(error.TYPE, 1, error.encode())])
    context, _ = watching(wire)
    with pytest.raises(BoardRefused, match="the engine failed"), context as sightings:
        next(sightings)
    assert wire.closed


@pytest.mark.parametrize(
    ("line", "activity", "probability"),
    [
        (b"walking 0.97\r", "walking", 0.97),
        (b"walking 1.00", "walking", 1.0),
        (b"going up stairs 0.05", "going up stairs", 0.05),
        (b"\x05junk\x00walking 0.97", "walking", 0.97),
    ],
)
def test_lines_of_text_that_are_predictions(line, activity, probability):
    sighting = parse_text(line, 1.0)
    assert (sighting.activity, sighting.probability) == (activity, probability)


@pytest.mark.parametrize("line", [b"", b"0.97", b"walking", b"walking 1.5", b"har: 0.97 is it"])
def test_lines_of_text_that_are_none(line):
    assert parse_text(line, 1.0) is None


def test_a_board_cannot_steer_the_terminal():
    words = [b"\x1b[2Jevil\n", b"walk\x1b[31ming 0.97\n"]
    context, told = watching(Feed(FakeBoard(), words, deaf=True))
    with context as sightings:
        assert "\x1b" not in next(sightings).activity
    assert told[1] == "board: [2Jevil"


def test_plain_lines():
    out = io.StringIO()
    with lines_view(out, text_line) as view:
        view.show(SEEN)
    assert out.getvalue() == "    12.3 s  walking 0.75\n"


def test_one_json_document_a_line():
    out = io.StringIO()
    with lines_view(out, json_line) as view:
        view.show(SEEN)
        view.show(SEEN)
    lines = out.getvalue().splitlines()
    assert json.loads(lines[1]) == {
        "time_s": 12.34,
        "activity": "walking",
        "probability": 0.75,
        "probabilities": {"walking": 0.75, "sitting": 0.25, "lying": 0.0},
        "end_index": 127,
        **NOTHING,
    }


def test_csv_has_one_header():
    out = io.StringIO()
    with lines_view(out, csv_line, CSV_HEADER) as view:
        view.show(SEEN)
        view.show(Sighting(13.0, "a, b", 0.5, {"a, b": 0.5}, None))
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert rows[0] == {
        "time_s": "12.340",
        "end_index": "127",
        "activity": "walking",
        "probability": "0.75",
        **dict.fromkeys(NOTHING, ""),
    }
    assert (rows[1]["activity"], rows[1]["end_index"]) == ("a, b", "")


def test_live_bars_show_every_activity():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with bars_view("fake", console) as view:
        view.tell("[fake] is [/back]")
        view.show(SEEN)
    for word in ("walking", "75.0%", "sitting", "25.0%", "lying", "1 predictions", "[/back]"):
        assert word in out.getvalue()


def test_a_board_gone_silent_is_noticed():
    board = FakeBoard()
    wire = Feed(board, [lambda: sense(board, 128)])
    context, told = watching(wire, Feed(board, [lambda: sense(board, 128)]))
    with context as sightings:
        next(sightings)
        wire.deaf = True
        next(sightings)
    assert any("does not answer STATUS" in line for line in told)


# ---- how the board is doing ----------------------------------------------------------------------


def figures_of(board, count=128, **options):
    """The figures beside the first prediction, and what was told."""
    context, told = watching(Feed(board, [lambda: sense(board, count)]), **options)
    with context as sightings:
        return next(sightings).figures, told


def test_figures_stand_beside_a_prediction():
    figures, _ = figures_of(FakeBoard())
    assert (figures.sensor_hz, figures.celsius) == (118.75, 31.5)
    assert (figures.samples_lost, figures.trouble) == (0, None)
    assert (figures.count, figures.counter, figures.latency_ms) == (2, "nanoseconds", 2e-6)
    assert figures.predictions_hz is None  # one is no rate
    assert 0.0 <= figures.delay_ms < 5000


@pytest.mark.parametrize(
    ("counter", "latency_ms", "counted"),
    [
        (m.Counter.CYCLES, 2 / 64e3, "2 cycles"),
        (m.Counter.INSTRUCTIONS, None, "2 instructions"),
    ],
)
def test_only_a_time_is_called_a_time(counter, latency_ms, counted):
    figures, _ = figures_of(board_with(counter=counter))
    assert figures.latency_ms == latency_ms
    assert counted in figures.line()


def test_the_delay_is_from_the_windows_end_by_the_boards_own_clock():
    board = FakeBoard()
    wrapped = 2**32 - 400

    def status_then(message, execute=board._execute):
        reply = execute(message)
        return replace(reply, uptime_ms=100) if isinstance(reply, m.Status) else reply

    board._execute = status_then
    prediction = m.Prediction(127, wrapped, 0, 0, 1, 1, 0, 1.0, 0.0, (1.0, 0.0, 0.0))
    word = encode_frame(prediction.TYPE, 1, prediction.encode())
    context, _ = watching(Feed(board, [word]), poll_s=60.0)
    with context as sightings:
        assert 500 <= next(sightings).figures.delay_ms < 1500


def test_what_was_lost_before_the_session_is_not_counted_and_new_losses_are_told():
    board = FakeBoard()
    board.lost = 40

    def lose():
        words = sense(board, 130) + board.sense(np.zeros(6, np.float32), 7)
        return words + sense(board, 127)

    context, told = watching(Feed(board, [lose, lambda: sense(board, 64)]), poll_s=0.0)
    with context as sightings:
        assert next(sightings).figures.samples_lost == 0
        next(sightings)
        assert next(sightings).figures.samples_lost == 7
    assert told.count("7 samples lost in this session") == 1


def test_a_rate_is_measured_over_the_last_predictions():
    board = FakeBoard()
    context, _ = watching(Feed(board, [lambda: sense(board, 192)]))
    with context as sightings:
        next(sightings)
        assert next(sightings).figures.predictions_hz > 0


def test_trouble_with_the_sensor_is_told_once_and_so_is_its_end():
    board = FakeBoard()
    silent = replace(LSM9DS1, trouble=m.SensorTrouble.SILENT)
    board.sensor_next.extend([silent, silent, LSM9DS1])
    context, told = watching(
        Feed(board, [lambda: sense(board, 128), *[lambda: sense(board, 64)] * 4]), poll_s=0.0
    )
    with context as sightings:
        seen = [next(sightings).figures.trouble for _ in range(5)]
    assert "silent" in seen
    assert seen[-1] is None
    lines = [line for line in told if "motion sensor" in line]
    assert lines == [SENSOR, lines[1], SENSOR]
    assert "answers no more" in lines[1]


def test_a_wrong_rate_and_an_unknown_zero_are_told():
    odd = replace(LSM9DS1, rate_hz=100.0, zero_known=False)
    _, told = figures_of(FakeBoard(sensor=odd))
    assert "100.0 Hz instead of 119 Hz; lay the board still" in told[1]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (m.Target.HOST, "plays no recording: `har emulate --sensor NAME`"),
        (m.Target.NANO33BLE, "not found; a host can send samples instead"),
    ],
)
def test_a_board_without_a_sensor_says_what_to_do(target, words):
    board = FakeBoard(replace(FakeBoard().hello, target=target), NO_SENSOR)
    figures, told = figures_of(board)
    assert words in told[1]
    assert (figures.trouble, figures.delay_ms) == ("absent", None)


def test_the_new_columns_come_behind_the_old_ones():
    out = io.StringIO()
    with lines_view(out, csv_line, CSV_HEADER) as view:
        view.show(replace(SEEN, figures=FIGURES))
    header, row = csv.reader(io.StringIO(out.getvalue()))
    assert header[:4] == ["time_s", "end_index", "activity", "probability"]
    assert dict(zip(header, row, strict=True))["samples_lost"] == "3"
    assert dict(zip(header, row, strict=True))["trouble"] == ""


def test_a_line_under_the_bars_tells_the_figures():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    with bars_view("fake", console) as view:
        view.show(replace(SEEN, figures=replace(FIGURES, trouble="bus_stuck")))
    for words in (
        "0.78 predictions/s, sensor 118.7 Hz, 3 samples lost, 3.1 ms (198,400 cycles)",
        "12 ms after the window's end, 31 °C",
        "motion sensor: bus stuck",
    ):
        assert words in out.getvalue()

"""The terminal monitor: frames and text, reconnecting, and its four ways to show."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing

import numpy as np
import pytest
from rich.console import Console

from pipeline.device import BoardRefused
from pipeline.device import messages as m
from pipeline.device.frames import encode_frame
from pipeline.errors import WorldError
from pipeline.ui.monitor import (
    LISTEN_S,
    BarsView,
    CsvView,
    JsonView,
    LinesView,
    Sighting,
    parse_text,
    watch,
)
from tests.support.fake_board import FakeBoard, FakeWire, Faults

SEEN = Sighting(12.34, "walking", 0.75, {"walking": 0.75, "sitting": 0.25, "lying": 0.0}, 127)


def sense(board, count, level_g=0.0):
    """The board's own sensor gives so many samples; returns what the board says to them."""
    sample = np.full(6, level_g * 4096.0)
    return b"".join(board.take(board.expected, sample) for _ in range(count))


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
            raise WorldError("no serial port fake")
        return left.pop(0)

    options = {"hello_timeout_s": 0.01, "retry_s": 0.001, "quiet_s": 0.05, **options}
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
    assert told == ["fake: model 0123456789abcdef, walking, sitting, lying"]
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
    assert "waiting for it" in told[1]
    assert told[2] == "fake is back"


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
    assert any("started anew" in line for line in told)


def test_a_port_that_is_not_there_at_first_is_an_error():
    context, _ = watching()
    with pytest.raises(WorldError, match="no serial port"), context as sightings:
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
    with LinesView(out) as view:
        view.show(SEEN)
    assert out.getvalue() == "    12.3 s  walking 0.75\n"


def test_one_json_document_a_line():
    out = io.StringIO()
    with JsonView(out) as view:
        view.show(SEEN)
        view.show(SEEN)
    lines = out.getvalue().splitlines()
    assert json.loads(lines[1]) == {
        "time_s": 12.34,
        "activity": "walking",
        "probability": 0.75,
        "probabilities": {"walking": 0.75, "sitting": 0.25, "lying": 0.0},
        "end_index": 127,
    }


def test_csv_has_one_header():
    out = io.StringIO()
    with CsvView(out) as view:
        view.show(SEEN)
        view.show(Sighting(13.0, "a, b", 0.5, {"a, b": 0.5}, None))
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert rows[0] == {
        "time_s": "12.340",
        "end_index": "127",
        "activity": "walking",
        "probability": "0.75",
    }
    assert (rows[1]["activity"], rows[1]["end_index"]) == ("a, b", "")


def test_live_bars_show_every_activity():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with BarsView("fake", console) as view:
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

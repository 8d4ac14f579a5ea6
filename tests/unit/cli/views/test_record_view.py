"""The live trace of `har record`."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from pipeline.board.recording import Progress
from pipeline.cli.views.record import ASCII, COLUMNS, LOST, sparkline, trace_view

WINDOW = 128


def progress(**changes: object) -> Progress:
    trace = np.zeros((WINDOW, 6), np.float32)
    trace[:, 2] = 1.0
    trace[:, 3] = np.sin(np.arange(WINDOW) / 5)
    trace[40:44] = np.nan
    known = {"left_s": 42.0, "samples": 900, "lost": 4, "window": WINDOW, "trace": trace}
    return Progress(**{**known, **changes})


def shown(*moments: Progress, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=file, force_terminal=True, width=110, color_system=None)
    with trace_view("walking", 60.0, console) as show:
        for moment in moments:
            show(moment)
    file.flush()
    return raw.getvalue().decode(encoding)


def test_a_ramp_goes_from_the_lowest_to_the_highest_level() -> None:
    line = sparkline(np.linspace(-1, 1, WINDOW, dtype=np.float32), WINDOW, 0.2)
    assert len(line) == COLUMNS
    assert (line[0], line[-1]) == ("▁", "█")
    assert list(line) == sorted(line)


def test_noise_stays_in_the_middle() -> None:
    noise = np.random.default_rng(0).normal(1, 0.003, WINDOW).astype(np.float32)
    assert set(sparkline(noise, WINDOW, 0.2)) <= set("▄▅")


def test_what_has_not_come_yet_is_blank_and_what_was_lost_is_marked() -> None:
    values = np.zeros(64, np.float32)
    values[10:12] = np.nan
    line = sparkline(values, WINDOW, 0.2)
    assert line[:32] == " " * 32
    assert [i for i, c in enumerate(line) if c == LOST] == [37]


def test_a_window_shorter_than_a_row_has_a_shorter_row() -> None:
    assert len(sparkline(np.zeros(10, np.float32), 20, 0.2)) == 20
    assert sparkline(np.empty(0, np.float32), 20, 0.2) == " " * 20


def test_every_channel_time_left_and_losses_are_told() -> None:
    text = shown(progress())
    for words in ("ax", "gz", "+1.00 g", "-1.00 .. +1.00", "42 s left, 900 samples, 4 lost"):
        assert words in text
    assert LOST in text
    assert any(line.startswith("recording 'walking'") for line in text.splitlines())


def test_what_is_said_of_lines_stands_in_place_of_the_losses() -> None:
    text = shown(progress(remark="49.8 Hz, broken lines: 4"))
    assert "900 samples, 49.8 Hz, broken lines: 4" in text
    assert "lost" not in text


def test_the_countdown_counts() -> None:
    text = shown(progress(starts_in_s=2.6), progress(starts_in_s=1.0))
    assert "'walking' begins in 3 s" in text
    assert "'walking' begins in 1 s" in text
    assert "left" not in text


def test_a_terminal_without_block_characters_is_served_too() -> None:
    text = shown(progress(), encoding="ascii")
    assert any(level in text for level in ASCII)
    assert not set(text) & set("▁▂▃")

"""What a person types while the board speaks text, and what a modem manager does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, head_state
from tests.firmware.support.app_session import name, pull, status
from tests.firmware.support.app_twin import SMALL, UNITS, T, Twin, raw_samples

SILENCE_MS = 50
REMARK = "har: one key at a time; ? for help\n"
ASK = "har: press r again within 5 s to forget all that was learned\n"
FORGOTTEN = "har: forgotten: the factory head is active\n"


def typed(board: Board, data: bytes) -> str:
    """What the board says to bytes that silence follows."""
    assert board.serial(data) == b""
    assert board.wait(SILENCE_MS - 1) == b""
    return board.wait(1).decode()


def move(board: Board, twin: Twin, seed: int) -> str:
    """One window of the board's own sensor, apart from those before, on both sides."""
    raw = raw_samples(T, seed)
    twin.restart()
    twin.expect(raw)
    return board.imu(raw.astype(np.float32) * UNITS, {0: 1}).decode()


@pytest.fixture
def text(program: Path, flash: Path) -> Board:
    """A board to which nobody has said HELLO."""
    with Board(program, flash) as board:
        yield board


def state_of(board: Board) -> dict[str, object]:
    board.hello()
    state = head_state(board.ask(wire.SHOW))
    board.ask(wire.BYE)
    return state


def test_the_banner_says_what_runs_and_where_help_is(text: Board) -> None:
    assert text.banner == "har: 0.1.0, model 0102030405060708, compiled engine; ? for help"
    assert text.said == ""


def test_help_lists_keys_and_activities_and_what_serves(text: Board) -> None:
    text.hello()
    name(text, Twin(), "juggling")
    text.ask(wire.BYE)
    said = typed(text, b"?")
    assert all(line.startswith("har: ") for line in said.splitlines())
    for key in ("? ", "p ", "0..9 ", "u ", "s ", "r "):
        assert f"har: {key}" in said
    for number, activity in enumerate((*SMALL.names, "juggling")):
        assert f"har:   {number} {activity}\n" in said
    assert said.endswith("har: the factory head is active; 0 labels learned, not saved\n")


def test_digits_label_the_last_window_as_numpy_does(text: Board) -> None:
    """Learned, held back and undone."""
    twin = Twin()
    rng = np.random.default_rng(4)
    said = set()
    assert typed(text, b"0") == "har: there is no window yet to label\n"
    for n in range(40):
        move(text, twin, n)
        label = int(rng.integers(3))
        answer = typed(text, b"%d" % label)
        outcome, before, after = twin.label(label)
        expected = {
            0: f"learned {SMALL.names[label]}, {_share(before)} -> {_share(after)}",
            1: f"{SMALL.names[label]}, kept for the holdout",
            2: f"{SMALL.names[label]}, undone: it made others worse",
        }
        assert answer == f"har: {expected[outcome]}\n"
        said.add(int(outcome))
    assert said == {0, 1, 2}
    text.hello()
    assert pull(text) == twin.payload()


def test_help_says_when_the_learned_parameters_serve(text: Board) -> None:
    twin = Twin()
    for _ in range(30):
        move(text, twin, 6)
        typed(text, b"1")
        twin.label(1)
    assert twin.learner.learned_active
    count = twin.learner.updates
    typed(text, b"s")
    said = typed(text, b"?")
    assert said.endswith(f"har: the learned head is active; {count} labels learned\n")


def _share(value: np.float32) -> str:
    return f"{np.floor(value * np.float32(100) + np.float32(0.5)) / 100:.2f}"


@pytest.mark.parametrize("key", [b"3", b"9"])
def test_a_digit_of_no_activity_changes_nothing(text: Board, key: bytes) -> None:
    move(text, Twin(), 1)
    assert typed(text, key) == "har: no such activity; ? lists them\n"
    assert state_of(text)["updates"] == 0


def test_undo_takes_the_last_label_back_once(text: Board) -> None:
    move(text, twin := Twin(), 1)
    typed(text, b"1")
    assert typed(text, b"u") == "har: the last label is taken back\n"
    assert typed(text, b"u").startswith("har: no label to take back")
    text.hello()
    assert pull(text) == twin.payload()


def test_save_stores_and_names_the_record(program: Path, flash: Path) -> None:
    with Board(program, flash) as board:
        assert typed(board, b"s") == "har: nothing was learned: nothing to save\n"
        move(board, Twin(), 1)
        typed(board, b"1")
        assert typed(board, b"s") == "har: saved, record 1\n"
        assert typed(board, b"s") == "har: saved, record 1\n"  # nothing new, nothing written
    with Board(program, flash) as board:
        assert state_of(board)["updates"] == 1


def test_save_says_when_the_flash_refuses(text: Board) -> None:
    move(text, Twin(), 1)
    typed(text, b"1")
    text.tell("f", 0)
    assert "record" not in typed(text, b"s")
    assert state_of(text)["unsaved"] == 1


def test_pause_stops_the_printing_of_predictions_only(text: Board) -> None:
    twin = Twin()
    assert move(text, twin, 1) != ""
    assert typed(text, b"p") == "har: paused; p goes on\n"
    assert move(text, twin, 2) == ""
    twin.label(1)
    assert typed(text, b"1").startswith("har: learned sitting")
    assert typed(text, b"p") == "har: going on\n"
    assert move(text, twin, 3) != ""
    typed(text, b"p")
    text.hello()
    text.ask(wire.BYE)
    assert move(text, twin, 4) != ""  # a new session prints


def test_reset_is_asked_twice(text: Board) -> None:
    move(text, Twin(), 1)
    typed(text, b"1")
    assert typed(text, b"r") == ASK
    assert state_of(text)["updates"] == 1
    assert typed(text, b"r") == ASK  # a session lay between
    assert typed(text, b"r") == FORGOTTEN
    assert state_of(text)["source"] == 0


def test_the_second_r_counts_for_5_s_and_no_other_key_between(text: Board) -> None:
    move(text, Twin(), 1)
    typed(text, b"1")
    typed(text, b"r")
    text.wait(5001 - SILENCE_MS)
    assert typed(text, b"r") == ASK
    assert typed(text, b"x") == "har: no such key; ? for help\n"
    assert typed(text, b"r") == ASK
    text.wait(5000 - SILENCE_MS)
    assert typed(text, b"r") == FORGOTTEN


def test_reset_of_a_taught_activity_lets_the_smoother_begin_anew(text: Board) -> None:
    text.hello()
    name(text, Twin(), "mine")
    text.ask(wire.BYE)
    typed(text, b"r")
    assert typed(text, b"r") == FORGOTTEN
    assert " 0." in move(text, Twin(), 1) and state_of(text)["activities"] == 3


# --- what is no key ---------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"", b"\r", b"\n", b"\r\n"])
def test_a_terminal_may_end_the_line(text: Board, end: bytes) -> None:
    assert typed(text, b"p" + end) == "har: paused; p goes on\n"


@pytest.mark.parametrize(
    "data", [b"AT\r", b"ATE0\r\n", b"r\rr\r", b"ss", b"s\x7f", b"p\xff", b"u s"]
)
def test_a_word_is_no_key_and_is_remarked_on(text: Board, data: bytes) -> None:
    assert typed(text, data) == REMARK
    assert typed(text, b"p") == "har: paused; p goes on\n"


def test_words_are_remarked_on_once_in_5_s(text: Board) -> None:
    assert typed(text, b"AT\r") == REMARK
    assert typed(text, b"AT\r") == ""
    text.wait(5000 - 2 * SILENCE_MS)
    assert typed(text, b"AT\r") == REMARK


@pytest.mark.parametrize("data", [b"\r\n", b"\np", b"\x03", b"\x1bp", b"\x80p", b"\xffp", b"p\x00"])
def test_what_begins_like_a_frame_or_is_ended_by_a_zero_is_nothing(
    text: Board, data: bytes
) -> None:
    assert typed(text, data) == ""


def test_a_key_in_pieces_of_a_word_is_none(text: Board) -> None:
    assert text.serial(b"r") == b""
    assert text.wait(SILENCE_MS - 1) == b""
    assert text.serial(b"s") == b""
    assert text.wait(SILENCE_MS - 1) == b""
    assert text.wait(1).decode() == REMARK


def test_bytes_that_wait_unread_are_no_silence(text: Board) -> None:
    """An inference took its time between two bytes that came together."""
    text.tell("c", 1)
    text.serial(b"r")
    text.tell("m", 1000)
    assert text.serial(b"\x00") == b""
    assert text.wait(1000) == b""


def test_what_was_typed_stands_in_no_frames_way_and_is_not_counted(text: Board) -> None:
    typed(text, b"p")
    typed(text, b"AT\r\n")
    text.serial(b"?")
    typed(text, b"x" * 600)
    assert text.hello().type == wire.HELLO_REPLY
    assert status(text)["bad"] == 0
    assert text.serial(b"typed\x00") == b""
    assert status(text)["bad"] == 1
    assert text.wait(SILENCE_MS) == b""  # no keys among frames


def test_a_frame_in_text_is_no_key(text: Board) -> None:
    for kind in (wire.STATUS, wire.SAVE):
        frames = wire.parse(text.serial(b"\x00" + wire.frame(kind, 0x5050, b"")))
        assert [frame.type for frame in frames] == [wire.ERROR]
        assert text.wait(SILENCE_MS) == b""


def test_a_key_is_forgotten_when_a_host_says_hello(text: Board) -> None:
    text.serial(b"s")
    text.hello()
    assert text.wait(SILENCE_MS) == b""
    text.ask(wire.BYE)
    assert text.wait(SILENCE_MS) == b""

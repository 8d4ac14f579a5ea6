"""The power goes at every word written and every page erased of a save, through the whole app: what
it starts with again is the old or the new state, whole, and it learns on from there bit for bit.

Every case has an id HOW:SAVE:STEP, printed when it fails; HAR_POWER_CASE=id runs that one alone.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support import app_board as wire
from tests.firmware.support.app_board import Board, head_state
from tests.firmware.support.app_session import (
    HEAD,
    learn,
    next_window,
    prediction,
    pull,
    push,
    stored,
)
from tests.firmware.support.app_twin import T, Twin, raw_samples
from tests.support.programs import c_program

REPLAY = os.environ.get("HAR_POWER_CASE", "")
STEPS = 1 + (28 + len(Twin().record()) + 4) // 4  # of a save: one page erased, then words
HEAD_STEPS = 1 + (28 + HEAD + 4) // 4

# What happens before each save: activities to label, a name to add, or "undo".
HISTORY: tuple[tuple[int | str, ...], ...] = (
    (0, 1, 2, 0),
    ("Rad fährt", 3, 3, 1, 3),
    (2, 2, "undo", "juggling", 4, 4, 0, 1, 2),  # the store of 7 windows is full
)


@dataclass(frozen=True)
class Saved:
    """A state that was saved, and what goes on from there without a cut."""

    record: bytes
    lesson: bytes
    following: bytes


@pytest.fixture(scope="module")
def program() -> Path:
    """Without sanitizers, which take their time to start; test_app.py runs with them."""
    return c_program("app_plain")


def happen(board: Board, twin: Twin, save: int) -> None:
    for n, what in enumerate(HISTORY[save]):
        if what == "undo":
            board.ask(wire.UNDO)
            twin.undo()
        elif isinstance(what, str):
            assert board.ask(wire.NAME, wire.string(what)).type == wire.NAMED
            twin.add(what)
        else:
            next_window(board, twin, 10 * save + n)
            learn(board, twin, what)


def go_on(board: Board) -> tuple[bytes, bytes]:
    """One more lesson: what the board answers, and the head behind it."""
    (frame,) = board.send(wire.SAMPLES, wire.samples_payload(0, raw_samples(T, 99), restart=True))
    assert np.isfinite(prediction(frame)[4]).all()
    reply = board.ask(wire.LABEL, struct.pack("<IB", T - 1, 1))
    assert reply.type == wire.LEARNED
    return reply.payload[:23], pull(board)


@pytest.fixture(scope="module")
def images(program: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, Saved]]:
    """The flash before any save and behind each, with the state that it holds: of the board that
    was never cut, nor even switched off between saving and learning on."""
    folder = tmp_path_factory.mktemp("images")
    found = []
    for saves in range(len(HISTORY) + 1):
        flash = folder / f"{saves}.img"
        twin = Twin()
        with Board(program, flash) as board:
            board.hello()
            for save in range(saves):
                happen(board, twin, save)
                board.ask(wire.SAVE)
                assert stored(flash) == twin.record()
            image = flash.read_bytes()
            lesson, following = go_on(board)
        twin.restart()
        twin.expect(raw_samples(T, 99))
        twin.label(1)
        assert following == twin.payload()
        found.append((image, Saved(stored(flash) if saves else b"", lesson, following)))
    return found


def attempt(board: Board, save: int, how: str) -> wire.Frame:
    twin = Twin()
    for before in range(save):
        happen_alone(twin, before)
    twin.index = 0
    happen(board, twin, save)
    return board.ask(wire.SAVE) if how == "save" else push(board, twin.payload())


def happen_alone(twin: Twin, save: int) -> None:
    for n, what in enumerate(HISTORY[save]):
        if what == "undo":
            twin.undo()
        elif isinstance(what, str):
            twin.add(what)
        else:
            twin.restart()
            twin.expect(raw_samples(T, 10 * save + n))
            twin.label(what)


def check_after(board: Board, flash: Path, old: Saved, new: Saved, may_be_new: bool) -> None:
    board.hello()
    records = head_state(board.ask(wire.SHOW))["records"]
    record = stored(flash) if records else b""
    state = {old.record: old, new.record: new}[record]
    assert state is old or may_be_new
    assert go_on(board) == (state.lesson, state.following)
    saved = head_state(board.ask(wire.SAVE))
    assert (saved["unsaved"], saved["records"]) == (0, records + 1)
    assert stored(flash)[:HEAD] == state.following


@pytest.mark.parametrize("save", range(len(HISTORY)))
def test_a_power_cut_at_every_step_of_a_save_leaves_a_whole_state_that_learns_on(
    program: Path, images: list[tuple[bytes, Saved]], tmp_path: Path, save: int
) -> None:
    (image, old), (_, new) = images[save : save + 2]
    flash = tmp_path / "flash.img"
    for step in range(STEPS):
        case = f"save:{save}:{step}"
        if REPLAY not in ("", case):
            continue
        flash.write_bytes(image)
        with Board(program, flash) as board:
            board.hello()
            board.tell("p", step)
            reply = attempt(board, save, "save")
            assert reply.type == wire.ERROR, case
        with Board(program, flash) as board:
            try:
                check_after(board, flash, old, new, may_be_new=step == STEPS - 1)
            except AssertionError as error:
                raise AssertionError(f"replay with HAR_POWER_CASE={case}") from error
    flash.write_bytes(image)
    with Board(program, flash) as board:
        board.hello()
        board.tell("p", STEPS)  # behind the last step: so those were all
        assert attempt(board, save, "save").type == wire.STATE
    assert stored(flash) == new.record


def test_a_power_cut_at_every_step_of_a_push_leaves_the_old_or_the_pushed_head(
    program: Path, images: list[tuple[bytes, Saved]], tmp_path: Path
) -> None:
    save = 2
    image, old = images[save]
    flash = tmp_path / "flash.img"
    for step in range(HEAD_STEPS + 1):
        case = f"push:{save}:{step}"
        if REPLAY not in ("", case):
            continue
        where = f"replay with HAR_POWER_CASE={case}"
        flash.write_bytes(image)
        with Board(program, flash) as board:
            board.hello()
            board.tell("p", step)
            reply = attempt(board, save, "push")
            assert (reply.type == wire.STATE) == (step == HEAD_STEPS), where
        with Board(program, flash) as board:
            board.hello()
            head = pull(board)
            if step < HEAD_STEPS - 1:
                assert head == old.record[:HEAD] == stored(flash)[:HEAD], where
                assert go_on(board) == (old.lesson, old.following), where
            else:
                assert head in (old.record[:HEAD], stored(flash)), where

"""Boards on USB: which are there, which one is meant, and which one has come back."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.board import ports
from pipeline.board.ports import Found, boards, find_board, wait_for_board
from pipeline.core.errors import ExternalError, InputError

SKETCH, BOOTLOADER = 0x805A, 0x005A


def info(device: str, pid: int | None = SKETCH, serial: str = "A", vid: int | None = 0x2341):
    return SimpleNamespace(
        device=device, vid=vid, pid=pid, serial_number=serial, product="Nano 33 BLE"
    )


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch):
    """What is plugged in: the arguments one after another, the last one for good."""
    from serial.tools import list_ports

    def scripted(*turns: list[SimpleNamespace]) -> None:
        left = list(turns)
        monkeypatch.setattr(
            list_ports, "comports", lambda: left.pop(0) if len(left) > 1 else left[0]
        )

    monkeypatch.setattr(ports, "POLL_S", 0.0)
    return scripted


def test_only_boards_are_found_and_a_bootloader_is_told(plug) -> None:
    other = info("/dev/ttyACM0", 0x0043)
    plug([info("/dev/ttyACM2"), other, info("/dev/ttyS0", None, vid=None)])
    assert boards() == [Found("/dev/ttyACM2", "A", bootloader=False)]
    plug([info("/dev/ttyACM2"), info("/dev/ttyACM1", BOOTLOADER, "B")])
    assert [(b.device, b.bootloader) for b in boards()] == [
        ("/dev/ttyACM1", True),
        ("/dev/ttyACM2", False),
    ]


def test_the_one_board_is_found_and_a_named_port_is_taken_as_it_is(plug, tmp_path: Path) -> None:
    plug([info("/dev/ttyACM7", 0x0043), info("/dev/ttyACM2")])
    assert find_board(None) == "/dev/ttyACM2"
    port = tmp_path / "port"
    port.touch()
    assert find_board(str(port)) == str(port)
    assert find_board("socket://127.0.0.1:5") == "socket://127.0.0.1:5"


def test_no_board_several_boards_and_a_missing_port_are_told_apart(plug) -> None:
    plug([])
    with pytest.raises(ExternalError, match="no Nano 33 BLE Sense found on USB"):
        find_board(None)
    plug([info("/dev/ttyACM1"), info("/dev/ttyACM0")])
    with pytest.raises(InputError, match="several boards: /dev/ttyACM0, /dev/ttyACM1"):
        find_board(None)
    with pytest.raises(ExternalError, match="no port /dev/nowhere"):
        find_board("/dev/nowhere")


def test_a_board_is_known_by_its_serial_number_under_whatever_name(plug) -> None:
    other = info("/dev/ttyACM0", serial="B")
    plug([other], [other, info("/dev/ttyACM1", BOOTLOADER)], [other, info("/dev/ttyACM9")])
    assert wait_for_board("A", 5.0, before={"/dev/ttyACM0", "/dev/ttyACM1"}) == "/dev/ttyACM9"


def test_without_a_serial_number_the_new_port_is_the_board(plug) -> None:
    stays = info("/dev/ttyACM0")
    plug([stays, info("/dev/ttyACM3")])
    assert wait_for_board(None, 5.0, before={"/dev/ttyACM0"}) == "/dev/ttyACM3"


def test_without_a_serial_number_another_board_that_was_there_is_not_it(plug) -> None:
    stays = info("/dev/ttyACM0")
    before = {"/dev/ttyACM0", "/dev/ttyACM1"}
    plug([stays, info("/dev/ttyACM1", BOOTLOADER)], [stays, info("/dev/ttyACM2")])
    assert wait_for_board(None, 5.0, before=before) == "/dev/ttyACM2"


def test_the_only_board_may_come_back_under_its_old_name(plug) -> None:
    plug([], [info("/dev/ttyACM0")])
    assert wait_for_board(None, 5.0, before={"/dev/ttyACM0"}) == "/dev/ttyACM0"


def test_a_board_that_stays_away_or_in_its_bootloader_is_told(plug) -> None:
    plug([info("/dev/ttyACM0", BOOTLOADER)])
    with pytest.raises(ExternalError, match="did not come back within 0 s"):
        wait_for_board("A", 0.0, before=set())

"""What `har doctor` finds out about a board on its port."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.board.client import Client
from pipeline.doctor import board as subject
from pipeline.doctor.board import check_permissions, check_stack, check_usb, examine_client
from pipeline.doctor.check import Check
from pipeline.protocol import messages as m
from tests.support.board_server import board_on_socket
from tests.support.fake_board import (
    MODEL_ID,
    NO_SENSOR,
    FakeBoard,
    FakeWire,
    Refusal,
    board_with,
)


class SensingWire(FakeWire):
    """A board whose sensor gives ten samples whenever somebody listens, so that seconds pass in
    milliseconds."""

    def read(self, timeout_s: float) -> bytes:
        random = np.random.default_rng(self.board.expected)
        if self.board.framed and self.board.sending:
            for _ in range(10):
                sample = random.normal((0, 0, 1, 0, 0, 0), 0.001)
                self.say(self.board.sense(sample, self.lost()))
        return super().read(timeout_s)

    def lost(self) -> int:
        return 0


def examine(wire: FakeWire, model_id: str | None = MODEL_ID.hex()) -> dict[str, Check]:
    with Client(wire, timeout_s=0.05, attempts=2) as client:
        checks = list(examine_client(client, model_id, 0.15, lambda _: None))
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.text and "\n" not in check.text + check.remedy for check in checks)
    assert all(check.remedy for check in checks if check.state == "red")
    return {check.name: check for check in checks}


def states(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.state for name, check in checks.items() if check.state != "green"}


def test_a_healthy_board_is_green_but_for_what_nobody_turned() -> None:
    checks = examine(SensingWire(FakeBoard()))
    assert states(checks) == {"axes": "yellow"}
    assert list(checks) == [
        "firmware", "protocol", "model", "sensor", "rate", "samples", "gyroscope zero", "noise",
        "gravity", "axes", "storage",
    ]  # fmt: skip
    assert "LSM9DS1 (Rev1)" in checks["sensor"].text


def test_the_board_sends_no_more_when_all_is_asked() -> None:
    board = FakeBoard()
    examine(SensingWire(board))
    assert not board.sending
    assert not board.framed


def test_samples_that_the_board_missed_are_told() -> None:
    class Losing(SensingWire):
        def lost(self) -> int:
            return 3 if self.board.expected % 25 == 1 else 0

    check = examine(Losing(FakeBoard()))["samples"]
    assert check.state == "red"
    assert "missed by the board" in check.text


def test_another_model_is_red_and_no_bundle_is_yellow() -> None:
    other = examine(SensingWire(FakeBoard()), "00" * 8)["model"]
    assert (other.state, other.remedy) == ("red", "har flash")
    assert examine(SensingWire(FakeBoard()), None)["model"].state == "yellow"


def test_an_emulated_board_needs_no_sensor_and_a_real_one_does() -> None:
    emulated = examine(FakeWire(FakeBoard(sensor=NO_SENSOR)))
    assert states(emulated) == {"sensor": "yellow"}
    assert "samples" not in emulated
    real = board_with(target=m.Target.NANO33BLE)
    real.sensor = replace(NO_SENSOR, trouble=m.SensorTrouble.BUS_STUCK)
    check = examine(FakeWire(real))["sensor"]
    assert (check.state, check.text) == ("red", "a line of its bus is stuck")
    assert check.remedy == "unplug the board for a second"


def test_firmware_of_another_version_is_found_out() -> None:
    checks = examine(FakeWire(board_with(version=3)))
    assert states(checks) == {"protocol": "red"}
    assert "flash the firmware" in checks["protocol"].remedy


def test_silence_and_a_lost_port_are_told_apart() -> None:
    class Silent(FakeWire):
        def write(self, data: bytes) -> None:
            pass

    silent = examine(Silent(FakeBoard()))
    assert list(silent) == ["firmware"]
    assert "does not answer HELLO" in silent["firmware"].text

    class Unplugged(SensingWire):
        def read(self, timeout_s: float) -> bytes:
            self.unplugged = self.board.expected > 50
            return super().read(timeout_s)

    lost = examine(Unplugged(FakeBoard()))
    assert (lost["session"].state, lost["session"].text) == ("red", "fake is gone")


def test_storage_is_tried_without_writing() -> None:
    board = FakeBoard(sensor=NO_SENSOR)
    assert examine(FakeWire(board))["storage"].text == "usable, nothing stored yet"
    assert len(board.saved) == 1

    class Worn(FakeBoard):
        def _execute(self, message: m.Message) -> m.Message:
            if isinstance(message, m.HeadRollbackRequest):
                raise Refusal(m.ErrorCode.FLASH, "no flash for learned heads on this board")
            return super()._execute(message)

    check = examine(FakeWire(Worn(sensor=NO_SENSOR)))["storage"]
    assert (check.state, check.text) == ("red", "no flash for learned heads on this board")


def test_stored_heads_are_never_rolled_back() -> None:
    board = FakeBoard(sensor=NO_SENSOR)
    board.labels = [1, 0, 0]
    board.saved += [board.head, board.head]
    assert examine(FakeWire(board))["storage"].text.startswith("2 stored heads")
    assert not any(isinstance(said, m.HeadRollbackRequest) for said in board.executed)


@pytest.mark.parametrize(
    ("used", "size", "state"), [(0, 0, None), (9_000, 32_768, "green"), (30_000, 32_768, "yellow")]
)
def test_what_is_left_of_the_stack(used: int, size: int, state: str | None) -> None:
    check = check_stack(m.Status(0, 0, 0, 0, 0, 0, used, size))
    assert (check and check.state) == state


# ---- on USB --------------------------------------------------------------------------------------


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[SimpleNamespace]]:
    from serial.tools import list_ports

    there: list[SimpleNamespace] = []
    monkeypatch.setattr(list_ports, "comports", lambda: there)
    return there


def nano(device: str, pid: int = 0x805A) -> SimpleNamespace:
    return SimpleNamespace(
        device=device, vid=0x2341, pid=pid, serial_number="51AF", product=None, hwid="USB"
    )


def test_no_board_is_yellow_and_a_wrong_port_is_red(plugged: list[SimpleNamespace]) -> None:
    check, port = check_usb(None)
    assert (check.state, check.text, port) == ("yellow", "no board found on USB", None)
    check, port = check_usb("/dev/nowhere")
    assert (check.state, port) == ("red", None)
    plugged += [nano("/dev/ttyACM0"), nano("/dev/ttyACM1")]
    check, port = check_usb(None)
    assert (check.state, port) == ("yellow", None)
    assert "choose one with --port" in check.text + check.remedy


def test_a_board_is_found_and_one_in_its_bootloader_is_not_asked(
    plugged: list[SimpleNamespace],
) -> None:
    plugged.append(nano("/dev/ttyACM0"))
    check, port = check_usb(None)
    assert (check.state, port) == ("green", "/dev/ttyACM0")
    assert "serial number 51AF" in check.text
    plugged[:] = [nano("/dev/ttyACM0", 0x005A)]
    check, port = check_usb(None)
    assert (check.state, port) == ("yellow", None)
    assert "bootloader" in check.text


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_forbidden_port_names_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = tmp_path / "ttyACM0"
    port.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    check = check_permissions(str(port))
    assert check is not None
    assert check.state == "green"
    monkeypatch.setattr(subject.os, "access", lambda *_: False)
    check = check_permissions(str(port))
    assert check is not None
    assert check.state == "red"
    assert "dialout" in check.remedy or "usermod" in check.remedy
    assert check_permissions("socket://127.0.0.1:5") is None


def test_examines_what_is_behind_a_real_port() -> None:
    with board_on_socket(FakeBoard(sensor=NO_SENSOR)) as server:
        found = list(subject.examine_board(server.port, None, 1.0, lambda _: None))
    assert [check.name for check in found[:2]] == ["port", "firmware"]
    nobody = list(subject.examine_board(server.port, None, 1.0, lambda _: None))
    assert [(check.name, check.state) for check in nobody] == [("port", "red")]

"""What `har flash` says and does before, while and after PlatformIO runs; a script stands in for
it, and a fake board on a pseudo-terminal for what comes back."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from pipeline.board.sensor_text import describe
from pipeline.cli.main import app
from pipeline.core.errors import CheckFailed, ExternalError, InputError
from pipeline.protocol.messages import Engine, Sensor, SensorTrouble, Target
from pipeline.sim import flash as flashing
from pipeline.sim.flash import (
    Flashed,
    check_board,
    check_emitted,
    explain_build,
    explain_upload,
    flash,
)
from tests.support.board_server import BoardServer, board_on_terminal
from tests.support.fake_board import HELLO, LSM9DS1, MODEL_ID, board_with

pytestmark = pytest.mark.skipif(os.name != "posix", reason="boards are pseudo-terminals here")

HEADER = f"#define HAR_MODEL_ID 0x{MODEL_ID.hex()}ull\n"
SERIAL = "51AF0B2D"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    generated = tmp_path / "firmware" / "generated"
    generated.mkdir(parents=True)
    for name in ("har_model.h", "har_model.c", "har_extractor_tflite.h", "har_extractor_tflite.c"):
        (generated / name).write_text(HEADER)
    return tmp_path


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flashing, "BACK_S", 0.5)
    monkeypatch.setattr(flashing, "ANSWER_S", 0.5)
    monkeypatch.setattr(flashing, "RATE_S", 0.1)
    monkeypatch.setattr(flashing, "HELLO_TIMEOUT_S", 0.2)


@pytest.fixture
def board() -> Iterator[BoardServer]:
    with board_on_terminal(board_with(engine=Engine.TFLM, target=Target.NANO33BLE)) as server:
        yield server


class Usb:
    """What is plugged in, as pyserial lists it. What the script of PlatformIO touches in
    `folder` happens there: "bootloader", "gone", "renamed"."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.device = ""
        self.renamed = ""
        self.vid: int | None = 0x2341
        self.pid: int | None = 0x805A
        self.serial: str | None = SERIAL

    def comports(self) -> list[SimpleNamespace]:
        if not self.device or (self.folder / "gone").exists():
            return []
        device = self.renamed if (self.folder / "renamed").exists() else self.device
        pid = 0x005A if (self.folder / "bootloader").exists() else self.pid
        return [
            SimpleNamespace(
                device=device, vid=self.vid, pid=pid, serial_number=self.serial,
                product=None, hwid="USB",
            )
        ]  # fmt: skip


@pytest.fixture
def usb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Usb:
    from serial.tools import list_ports

    usb = Usb(tmp_path)
    monkeypatch.setattr(list_ports, "comports", usb.comports)
    return usb


@pytest.fixture
def plugged(usb: Usb, board: BoardServer) -> Usb:
    usb.device = board.port
    return usb


def script(tmp_path: Path, *, build: str = "pass", upload: str = "pass") -> list[str]:
    """A program in PlatformIO's place; each of its runs is one line of `calls`."""
    path = tmp_path / "platformio.py"
    calls, here = str(tmp_path / "calls"), str(tmp_path)
    path.write_text(
        "import json, os, sys, time, pathlib\n"
        f"here = pathlib.Path({here!r})\n"
        "names = ('PLATFORMIO_SETTING_ENABLE_TELEMETRY', 'PLATFORMIO_DISABLE_UPGRADE_CHECK')\n"
        f"with open({calls!r}, 'a') as file:\n"
        "    print(json.dumps([sys.argv[1:], [os.environ[n] for n in names]]), file=file)\n"
        "def fail(said):\n"
        "    print(said, file=sys.stderr)\n"
        "    sys.exit(1)\n"
        "if 'upload' in sys.argv:\n"
        f"    {upload}\n"
        "else:\n"
        f"    {build}\n"
    )
    return [sys.executable, str(path)]


def calls(tmp_path: Path) -> list[list[str]]:
    path = tmp_path / "calls"
    return [json.loads(line)[0] for line in path.read_text().splitlines()] if path.exists() else []


def silent(_line: str) -> None:
    pass


# ---- the whole way -------------------------------------------------------------------------------


def test_builds_first_then_uploads_and_tells_who_answers(
    project: Path, plugged: Usb, tmp_path: Path
) -> None:
    lines: list[str] = []
    stand_in = script(tmp_path, build="print('Linking')", upload="print('Writing')")
    result = flash(project, tell=lines.append, platformio=stand_in)
    assert isinstance(result, Flashed)
    build = ["run", "-d", str(project), "-e", "nano33ble"]
    port = plugged.device
    assert calls(tmp_path) == [build, [*build, "-t", "upload", "--upload-port", port]]
    quiet = [json.loads(line)[1] for line in (tmp_path / "calls").read_text().splitlines()]
    assert quiet == [["No", "true"]] * 2
    assert [line for line in lines if line in ("Linking", "Writing")] == ["Linking", "Writing"]
    document = result.document()
    assert (document["environment"], document["engine"]) == ("nano33ble", "tflm")
    assert (document["port"], document["model_id"]) == (port, MODEL_ID.hex())
    assert document["firmware_version"] == "fake"
    assert "trouble" in document["sensor"]
    json.dumps(document, allow_nan=False)


def test_finds_the_board_again_under_another_name(
    project: Path, plugged: Usb, board: BoardServer, tmp_path: Path
) -> None:
    link = tmp_path / "ttyACM7"
    link.symlink_to(board.port)
    plugged.renamed = str(link)
    stand_in = script(tmp_path, upload="(here / 'renamed').touch()")
    assert flash(project, tell=silent, platformio=stand_in).port == str(link)


def test_follows_a_board_that_moved_while_it_was_built(
    project: Path, plugged: Usb, board: BoardServer, tmp_path: Path
) -> None:
    link = tmp_path / "ttyACM7"
    link.symlink_to(board.port)
    plugged.renamed = str(link)
    stand_in = script(tmp_path, build="(here / 'renamed').touch()")
    flash(project, tell=silent, platformio=stand_in)
    assert calls(tmp_path)[1][-1] == str(link)


def test_a_board_that_waits_in_its_bootloader_is_flashed(
    project: Path, plugged: Usb, tmp_path: Path
) -> None:
    (tmp_path / "bootloader").touch()
    stand_in = script(tmp_path, upload="(here / 'bootloader').unlink()")
    assert flash(project, tell=silent, platformio=stand_in).port == plugged.device


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "motion sensor LSM9DS1 (Rev1), 118.7 Hz"),
        ({"rate_hz": None}, "motion sensor LSM9DS1 (Rev1), 119 Hz nominal, its true rate not"),
        ({"trouble": SensorTrouble.BUS_STUCK}, "motion sensor LSM9DS1 (Rev1): a line of its bus"),
        (
            {"sensor": Sensor.NONE, "trouble": SensorTrouble.ABSENT},
            "motion sensor: not found; a host can send samples instead",
        ),
    ],
)
def test_tells_of_the_sensor_in_one_line(changes: dict[str, object], said: str) -> None:
    assert describe(replace(LSM9DS1, **{"rate_hz": 118.7, **changes})).startswith(said)


# ---- before --------------------------------------------------------------------------------------


def test_refuses_before_anything_was_emitted(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no har_model\.h, .*har emit"):
        flash(tmp_path, tell=silent, platformio=["never-run"])


def test_each_engine_needs_its_own_files(project: Path) -> None:
    with pytest.raises(InputError, match=r"no har_net\.h, har_net\.c;"):
        flash(project, engine="compiled", tell=silent, platformio=["never-run"])


def test_reads_the_model_id_that_was_emitted(project: Path) -> None:
    generated = project / "firmware" / "generated"
    assert check_emitted(generated, "tflm") == MODEL_ID.hex()
    (generated / "har_model.h").write_text("#define HAR_MODEL_ID 0x01ull\n")
    with pytest.raises(InputError, match="names no model; run `har emit`"):
        check_emitted(generated, "tflm")


@pytest.mark.usefixtures("usb")
def test_says_that_no_board_is_there(project: Path) -> None:
    with pytest.raises(ExternalError, match="no Nano 33 BLE Sense found on USB"):
        flash(project, tell=silent, platformio=["never-run"])
    with pytest.raises(ExternalError, match="no port /dev/nowhere: is the board plugged in"):
        flash(project, port="/dev/nowhere", tell=silent, platformio=["never-run"])


@pytest.mark.usefixtures("usb")
def test_refuses_an_emulated_board(project: Path) -> None:
    with pytest.raises(InputError, match="only a real board can be flashed"):
        flash(project, port="socket://127.0.0.1:5", tell=silent, platformio=["never-run"])


def test_refuses_another_device(project: Path, plugged: Usb) -> None:
    plugged.vid, plugged.pid = 0x2341, 0x0043
    with pytest.raises(InputError, match=r"no Nano 33 BLE Sense \(USB id 2341:0043\)"):
        flash(project, port=plugged.device, tell=silent, platformio=["never-run"])
    plugged.vid = plugged.pid = None
    with pytest.raises(InputError, match=r"\(no USB device\)"):
        flash(project, port=plugged.device, tell=silent, platformio=["never-run"])


def test_knows_a_board_behind_a_link(plugged: Usb, tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to(plugged.device)
    assert check_board(str(link)) == SERIAL


def test_a_port_in_use_stops_it_before_the_build(
    project: Path, plugged: Usb, tmp_path: Path
) -> None:
    from pipeline.board.transport import open_port

    held = open_port(plugged.device)
    try:
        with pytest.raises(ExternalError, match="is busy: close the program"):
            flash(project, tell=silent, platformio=script(tmp_path))
    finally:
        held.close()
    assert calls(tmp_path) == []


# ---- the build and the upload --------------------------------------------------------------------


@pytest.mark.usefixtures("plugged")
def test_an_image_that_does_not_fit_never_reaches_the_board(project: Path, tmp_path: Path) -> None:
    stand_in = script(tmp_path, build="fail('check_image: the image reaches 12 bytes into')")
    with pytest.raises(CheckFailed, match="reaches 12 bytes into"):
        flash(project, tell=silent, platformio=stand_in)
    assert len(calls(tmp_path)) == 1


@pytest.mark.usefixtures("plugged")
def test_a_board_unplugged_during_the_build_is_missed(project: Path, tmp_path: Path) -> None:
    stand_in = script(tmp_path, build="(here / 'gone').touch()")
    with pytest.raises(ExternalError, match="was unplugged: plug it in"):
        flash(project, tell=silent, platformio=stand_in)
    assert len(calls(tmp_path)) == 1


@pytest.mark.usefixtures("plugged")
def test_an_upload_broken_half_way_says_what_to_press(project: Path, tmp_path: Path) -> None:
    stand_in = script(tmp_path, upload="fail('SAM-BA operation failed')")
    with pytest.raises(
        ExternalError, match=r"\(SAM-BA operation failed\): press the board's button"
    ):
        flash(project, tell=silent, platformio=stand_in)


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("HTTPClientError: ", ExternalError, "registry cannot be reached"),
        ("UnknownPackageError: Could not find the package", ExternalError, "registry cannot"),
        ("check_image: the image reaches 12 bytes into", CheckFailed, "reaches 12 bytes into"),
        ("Error: The program size (9 bytes) is greater than maximum allowed", CheckFailed, "size"),
        ("firmware/src/main.cpp:3: fatal error: x.h", ExternalError, "fatal error: x.h"),
    ],
)
def test_each_failed_build_becomes_one_line(line: str, kind: type[Exception], said: str) -> None:
    error = explain_build(["Processing nano33ble", line, "*** [build] Error 1"])
    assert type(error) is kind
    assert said in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("HTTPClientError: ", "registry cannot be reached"),
        ("[Errno 13] Permission denied: '/dev/ttyACM0'", "dialout"),
        ("[Errno 16] could not open port /dev/ttyACM0: Device or resource busy", "gone or busy"),
        ("No device found on ttyACM0", "(No device found on ttyACM0): press the board's button"),
        ("Verify failed at page 3", "(Verify failed at page 3): press the board's button"),
    ],
)
def test_each_failed_upload_becomes_one_line(line: str, said: str) -> None:
    error = explain_upload(["Uploading", line, "*** [upload] Error 1"], "/dev/ttyACM0")
    assert type(error) is ExternalError
    assert said in str(error)
    assert "\n" not in str(error)


@pytest.mark.usefixtures("plugged")
def test_a_hanging_platformio_is_stopped_with_what_it_started(
    project: Path, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    stand_in = script(
        tmp_path,
        build="import subprocess; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        f"open({str(pid_file)!r}, 'w').write(str(child.pid)); "
        "time.sleep(60)",
    )
    began = time.monotonic()
    with pytest.raises(ExternalError, match="was stopped"):
        flash(project, tell=silent, platformio=stand_in, limit_s=1.5)
    assert time.monotonic() - began < 15
    child = int(pid_file.read_text())
    for _ in range(100):
        if not _runs(child):
            return
        time.sleep(0.05)
    pytest.fail("the process that PlatformIO started is still there")


@pytest.mark.usefixtures("plugged")
def test_a_hanging_upload_says_what_to_press(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flashing, "UPLOAD_LIMIT_S", 0.5)
    stand_in = script(tmp_path, upload="time.sleep(60)")
    with pytest.raises(ExternalError, match="was stopped: press the board's button twice"):
        flash(project, tell=silent, platformio=stand_in)


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    if not status.parent.parent.joinpath("self").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return status.exists() and "\nState:\tZ" not in status.read_text()


# ---- after ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("plugged")
def test_a_board_that_stays_away_is_missed(project: Path, tmp_path: Path) -> None:
    stand_in = script(tmp_path, upload="(here / 'gone').touch()")
    with pytest.raises(ExternalError, match=r"did not come back within .*press its button"):
        flash(project, tell=silent, platformio=stand_in)


@pytest.mark.usefixtures("plugged")
def test_a_board_that_stays_in_its_bootloader_has_not_come_back(
    project: Path, tmp_path: Path
) -> None:
    stand_in = script(tmp_path, upload="(here / 'bootloader').touch()")
    with pytest.raises(ExternalError, match="did not come back"):
        flash(project, tell=silent, platformio=stand_in)


def test_a_silent_board_is_told_apart_from_a_failed_upload(
    project: Path, usb: Usb, tmp_path: Path
) -> None:
    master, slave = os.openpty()
    usb.device = os.ttyname(slave)
    try:
        with pytest.raises(ExternalError, match=r"uploaded, but .* does not answer HELLO"):
            flash(project, tell=silent, platformio=script(tmp_path))
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize("changes", [{"model_id": bytes(8)}, {"engine": Engine.COMPILED}])
def test_anything_but_what_was_uploaded_is_refused(
    project: Path, usb: Usb, tmp_path: Path, changes: dict[str, object]
) -> None:
    board = board_with(**{"engine": Engine.TFLM, **changes})
    with board_on_terminal(board) as server:
        usb.device = server.port
        with pytest.raises(CheckFailed, match=r"answers with model .*, not with 0123456789abcdef"):
            flash(project, tell=silent, platformio=script(tmp_path))


def test_the_command_prints_what_it_flashed(monkeypatch: pytest.MonkeyPatch) -> None:
    hello = replace(HELLO, engine=Engine.TFLM, target=Target.NANO33BLE)
    sensor = replace(LSM9DS1, rate_hz=118.7)
    done = Flashed("nano33ble", "tflm", "/dev/ttyACM1", 34.2, hello, sensor)
    monkeypatch.setattr(flashing, "flash", lambda *_, **__: done)
    answer = CliRunner().invoke(app, ["flash"])
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "flashed nano33ble to /dev/ttyACM1 in 34 s",
        "model 0123456789abcdef, firmware fake, tflm engine",
        "motion sensor LSM9DS1 (Rev1), 118.7 Hz",
        "next: har monitor",
    ]
    document = json.loads(CliRunner().invoke(app, ["flash", "--json"]).stdout)
    assert document["sensor"]["sensor"] == "lsm9ds1"


# ---- PlatformIO itself ---------------------------------------------------------------------------


def test_platformio_is_looked_for_in_this_python_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flashing.importlib.util, "find_spec", lambda _name: object())
    assert flashing.find_platformio() == [sys.executable, "-m", "platformio"]
    monkeypatch.setattr(flashing.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(flashing.shutil, "which", lambda name: f"/opt/{name}")
    assert flashing.find_platformio() == ["/opt/platformio"]
    monkeypatch.setattr(flashing.shutil, "which", lambda _name: None)
    with pytest.raises(ExternalError, match="not installed"):
        flashing.find_platformio()

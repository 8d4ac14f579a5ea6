"""What `har flash` says before, while and after PlatformIO runs; a script stands in for it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.device import flashing
from pipeline.device.flashing import Flashed, explain, find_port, flash
from pipeline.errors import HonestNo, InputError, WorldError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    generated = tmp_path / "firmware" / "generated"
    generated.mkdir(parents=True)
    for name in ("har_model.h", "har_model.c", "har_extractor_tflite.h", "har_extractor_tflite.c"):
        (generated / name).touch()
    return tmp_path


@pytest.fixture
def port(tmp_path: Path) -> str:
    path = tmp_path / "ttyACM0"
    path.touch()
    return str(path)


def script(tmp_path: Path, body: str) -> list[str]:
    path = tmp_path / "platformio.py"
    path.write_text(f"import json, os, sys, time\n{body}\n")
    return [sys.executable, str(path)]


def silent(_line: str) -> None:
    pass


def test_builds_and_uploads_the_chosen_environment_quietly(
    project: Path, port: str, tmp_path: Path
) -> None:
    seen = tmp_path / "seen.json"
    stand_in = script(
        tmp_path,
        "names = ('PLATFORMIO_SETTING_ENABLE_TELEMETRY', 'PLATFORMIO_DISABLE_UPGRADE_CHECK')\n"
        f"json.dump([sys.argv[1:], [os.environ[n] for n in names]], open({str(seen)!r}, 'w'))\n"
        "print('Uploading')",
    )
    lines: list[str] = []
    result = flash(project, port=port, tell=lines.append, platformio=stand_in)
    assert isinstance(result, Flashed)
    assert (result.environment, result.engine, result.port) == ("nano33ble", "tflm", port)
    assert lines == ["Uploading"]
    arguments, quiet = json.loads(seen.read_text())
    assert arguments == [
        "run", "-d", str(project), "-e", "nano33ble", "-t", "upload", "--upload-port", port,
    ]  # fmt: skip
    assert quiet == ["No", "true"]


def test_refuses_before_anything_was_emitted(tmp_path: Path, port: str) -> None:
    with pytest.raises(InputError, match=r"no har_model\.h, .*har emit"):
        flash(tmp_path, port=port, tell=silent, platformio=["never-run"])


def test_each_engine_needs_its_own_files(project: Path, port: str) -> None:
    with pytest.raises(InputError, match=r"no har_net\.h, har_net\.c;"):
        flash(project, engine="compiled", port=port, tell=silent, platformio=["never-run"])


def test_says_that_the_named_port_is_not_there(project: Path) -> None:
    with pytest.raises(WorldError, match="no port /dev/nowhere: is the board plugged in"):
        flash(project, port="/dev/nowhere", tell=silent, platformio=["never-run"])


def comports(*ids: tuple[int | None, int | None]) -> object:
    return lambda: [
        SimpleNamespace(device=f"/dev/ttyACM{i}", vid=vid, pid=pid)
        for i, (vid, pid) in enumerate(ids)
    ]


@pytest.mark.parametrize("product", [0x005A, 0x805A, 0x015A, 0x025A])
def test_finds_the_board_by_its_usb_id(monkeypatch: pytest.MonkeyPatch, product: int) -> None:
    from serial.tools import list_ports

    ports = comports((None, None), (0x2341, 0x0043), (0x2341, product), (0x1234, product))
    monkeypatch.setattr(list_ports, "comports", ports)
    assert find_port(None) == "/dev/ttyACM2"


def test_no_board_and_several_boards_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from serial.tools import list_ports

    monkeypatch.setattr(list_ports, "comports", comports((0x1234, 0x005A)))
    with pytest.raises(WorldError, match="no Nano 33 BLE Sense found on USB"):
        find_port(None)
    monkeypatch.setattr(list_ports, "comports", comports((0x2341, 0x005A), (0x2341, 0x805A)))
    with pytest.raises(InputError, match="several boards: /dev/ttyACM0, /dev/ttyACM1"):
        find_port(None)


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("HTTPClientError: ", WorldError, "registry cannot be reached"),
        ("UnknownPackageError: Could not find the package", WorldError, "registry cannot"),
        ("check_image: the image reaches 12 bytes into", HonestNo, "reaches 12 bytes into"),
        ("Error: The program size (9 bytes) is greater than maximum allowed", HonestNo, "size"),
        ("[Errno 13] Permission denied: '/dev/ttyACM0'", WorldError, "dialout"),
        ("No device found on ttyACM0", WorldError, "press the board's button twice"),
        ("firmware/src/main.cpp:3: fatal error: x.h", WorldError, "fatal error: x.h"),
    ],
)
def test_each_failure_becomes_one_line(line: str, kind: type[Exception], said: str) -> None:
    error = explain(["Processing nano33ble", line, "*** [upload] stopped"], "/dev/ttyACM0")
    assert type(error) is kind
    assert said in str(error)
    assert "\n" not in str(error)


def test_a_failing_platformio_is_explained(project: Path, port: str, tmp_path: Path) -> None:
    stand_in = script(tmp_path, "print('HTTPClientError: ', file=sys.stderr); sys.exit(1)")
    with pytest.raises(WorldError, match="registry cannot be reached"):
        flash(project, port=port, tell=silent, platformio=stand_in)


@pytest.mark.skipif(os.name != "posix", reason="looks for the child with a signal")
def test_a_hanging_platformio_is_stopped_with_what_it_started(
    project: Path, port: str, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    stand_in = script(
        tmp_path,
        "import subprocess\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)",
    )
    began = time.monotonic()
    with pytest.raises(WorldError, match="was stopped"):
        flash(project, port=port, tell=silent, platformio=stand_in, limit_s=1.5)
    assert time.monotonic() - began < 15
    child = int(pid_file.read_text())
    for _ in range(100):
        if not _runs(child):
            return
        time.sleep(0.05)
    pytest.fail("the process that PlatformIO started is still there")


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    if not status.parent.parent.joinpath("self").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return status.exists() and "\nState:\tZ" not in status.read_text()


def test_platformio_is_looked_for_in_this_python_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flashing.importlib.util, "find_spec", lambda _name: object())
    assert flashing.find_platformio() == [sys.executable, "-m", "platformio"]
    monkeypatch.setattr(flashing.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(flashing.shutil, "which", lambda name: f"/opt/{name}")
    assert flashing.find_platformio() == ["/opt/platformio"]
    monkeypatch.setattr(flashing.shutil, "which", lambda _name: None)
    with pytest.raises(WorldError, match="not installed"):
        flashing.find_platformio()

"""The launcher, with the firmware as a host process: ports, flash files, and no process left."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.sim import emulator as module
from pipeline.sim.build import build_image
from pipeline.sim.emulator import (
    FLASH_FILE_BYTES,
    FLASH_REGION_BYTES,
    SENSOR_OFFSET,
    launch,
    open_flash,
)
from pipeline.sim.sensor_replay import write_played

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_image("har_board_check", "host", tmp_path_factory.mktemp("host")).path


def connect(port: str) -> socket.socket:
    wire = socket.create_connection(("127.0.0.1", int(port.rsplit(":", 1)[1])))
    wire.settimeout(10)
    return wire


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def test_a_new_flash_file_is_erased_and_gets_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "flash.img"
    open_flash(path).close()
    content = path.read_bytes()
    assert len(content) == FLASH_FILE_BYTES
    assert content[:FLASH_REGION_BYTES] == b"\xff" * FLASH_REGION_BYTES
    assert path.stat().st_blocks * 512 < 1 << 20, "the file is sparse"


def test_an_old_flash_file_is_kept_and_a_bare_region_completed(tmp_path: Path) -> None:
    path = tmp_path / "flash.img"
    path.write_bytes(b"old".ljust(FLASH_REGION_BYTES, b"\xff"))
    open_flash(path).close()
    assert path.read_bytes()[:5] == b"old\xff\xff"
    assert path.stat().st_size == FLASH_FILE_BYTES
    before = path.read_bytes()
    open_flash(path).close()
    assert path.read_bytes() == before


def test_somebody_s_own_file_is_never_taken_for_flash(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("mine")
    with pytest.raises(InputError, match="not a flash file"):
        open_flash(thesis)
    assert thesis.read_text() == "mine"


def test_a_flash_file_in_use_or_unusable_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flash.img"
    with open_flash(path), pytest.raises(ExternalError, match="in use"):
        open_flash(path)
    with pytest.raises(ExternalError, match="cannot use the flash file"):
        open_flash(tmp_path)


def test_what_is_missing_is_named_with_the_command_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExternalError, match="har build"):
        launch("host", tmp_path / "none", tmp_path / "flash")
    (tmp_path / "x.elf").touch()
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    with pytest.raises(ExternalError, match=r"apt-get install .*qemu-system-arm"):
        launch("mps2", tmp_path / "x.elf", tmp_path / "flash")
    with pytest.raises(InputError, match="host and mps2"):
        launch("esp32", tmp_path / "x.elf", tmp_path / "flash")  # type: ignore[arg-type]


def test_a_recording_lies_where_the_emulated_core_looks_until_the_next_start(
    tmp_path: Path,
) -> None:
    for recording in (b"HSEN, and much more of it", b""):
        with open_flash(tmp_path / "flash") as flash:
            module._put_recording(flash, recording)
        content = (tmp_path / "flash").read_bytes()
        assert content[SENSOR_OFFSET:][:16] == (recording or bytes(16))[:16]
        assert len(content) == FLASH_FILE_BYTES
        assert content[:FLASH_REGION_BYTES] == b"\xff" * FLASH_REGION_BYTES


def test_what_cannot_be_played_is_refused_before_anything_starts(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = tmp_path / "recording"
    recording.write_text("mine")
    with pytest.raises(InputError, match="not a recording to play"):
        launch("host", image, tmp_path / "flash", sensor=recording)
    write_played(recording, np.zeros((1, 6), np.float32))
    monkeypatch.setattr(module, "SENSOR_BYTES_MAX", 39)
    with pytest.raises(InputError, match="choose one subject"):
        launch("host", image, tmp_path / "flash", sensor=recording)
    assert not (tmp_path / "flash").exists()


def test_a_busy_port_is_refused_and_the_flash_file_is_free_again(
    image: Path, tmp_path: Path
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ExternalError, match="choose another port"),
    ):
        launch("host", image, tmp_path / "flash", port=taken.getsockname()[1])
    open_flash(tmp_path / "flash").close()


def test_a_program_that_ends_at_once_is_reported_with_its_words(tmp_path: Path) -> None:
    script = tmp_path / "bad"
    script.write_text("#!/bin/sh\necho broken by purpose >&2\nexit 4\n")
    script.chmod(0o755)
    with pytest.raises(ExternalError, match="broken by purpose"):
        launch("host", script, tmp_path / "flash")
    open_flash(tmp_path / "flash").close()


def test_hosts_connect_one_after_another(image: Path, tmp_path: Path) -> None:
    with launch("host", image, tmp_path / "flash") as emulator:
        for word in (b"first", b"second"):
            with connect(emulator.port) as wire:
                wire.sendall(b"e" + len(word).to_bytes(4, "little") + word)
                assert wire.recv(100) == word


def test_an_idle_firmware_costs_next_to_nothing(image: Path, tmp_path: Path) -> None:
    with launch("host", image, tmp_path / "flash") as emulator:
        time.sleep(0.5)
        fields = Path(f"/proc/{emulator.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        assert (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") <= 0.05


def test_leaving_the_context_ends_the_process(image: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError), launch("host", image, tmp_path / "flash") as emulator:
        pid = emulator.process.pid
        assert emulator.running
        raise KeyError
    assert not is_running(pid)
    emulator.kill()


def test_a_failed_assert_ends_the_firmware_and_is_in_the_log(image: Path, tmp_path: Path) -> None:
    with launch("host", image, tmp_path / "flash") as emulator:
        with connect(emulator.port) as wire:
            wire.sendall(b"!")
            assert emulator.process.wait(5) != 0
        assert "assert failed" in emulator.log
        assert "board_check.c" in emulator.log


def test_the_firmware_outlives_the_thread_that_launched_it(image: Path, tmp_path: Path) -> None:
    started: list[module.Emulator] = []
    thread = threading.Thread(
        target=lambda: started.append(launch("host", image, tmp_path / "flash"))
    )
    thread.start()
    thread.join()
    with started[0] as emulator:
        time.sleep(0.1)
        assert emulator.running


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, None])
def test_the_firmware_dies_with_its_parent(
    image: Path, tmp_path: Path, how: signal.Signals | None
) -> None:
    if how is not None and shutil.which("setpriv") is None:
        pytest.skip("no setpriv here")
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from pipeline.sim.emulator import launch
        emulator = launch("host", Path(sys.argv[1]), Path(sys.argv[2]))
        print(emulator.process.pid, flush=True)
        time.sleep(float(sys.argv[3]))
        """
    )
    seconds = "0" if how is None else "60"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(image), str(tmp_path / "flash"), seconds],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    if how is not None:
        assert is_running(pid)
        parent.send_signal(how)
    parent.wait(10)
    assert soon(lambda: not is_running(pid))

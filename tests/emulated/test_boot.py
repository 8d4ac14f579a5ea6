"""The emulated Cortex-M4F keeps every promise of the seam har_board.h."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.sim.build import FirmwareImage, build_image
from pipeline.sim.emulator import Emulator, launch
from tests.support.board_check import Wire

pytestmark = pytest.mark.emulated

ROOT = Path(__file__).resolve().parents[2]
PAGE = 4096


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> FirmwareImage:
    return build_image("har_board_check", "mps2", tmp_path_factory.mktemp("mps2"))


@pytest.fixture
def board(image: FirmwareImage, tmp_path: Path) -> Iterator[Emulator]:
    with launch("mps2", image.path, tmp_path / "flash") as emulator:
        yield emulator


@pytest.fixture
def wire(board: Emulator) -> Iterator[Wire]:
    with Wire(board.port) as connected:
        yield connected


def test_boots_within_a_second(image: FirmwareImage, tmp_path: Path) -> None:
    durations = []
    for _ in range(3):  # the quickest: other work on the machine is not the firmware's fault
        begin = time.monotonic()
        with launch("mps2", image.path, tmp_path / "flash"):
            durations.append(time.monotonic() - begin)
    assert min(durations) < 1.0


def test_serial_carries_every_byte_both_ways_without_loss(wire: Wire) -> None:
    data = bytes(i * 7 % 256 for i in range(10_000))
    wire.send(b"e", len(data), data=data)
    assert wire.take(len(data)) == data
    wire.send(b"g", 5000)
    assert wire.take(5000) == bytes(i % 256 for i in range(5000))


def test_serial_input_flows_faster_than_10_kb_a_second(wire: Wire) -> None:
    rates = []
    for _ in range(3):
        begin = time.monotonic()
        wire.send(b"s", 20_000, data=bytes(20_000))
        assert wire.take(1) == b"."
        rates.append(20_000 / (time.monotonic() - begin))
    assert max(rates) > 10_000


def test_equal_work_counts_equal_instructions_in_every_boot(
    image: FirmwareImage, tmp_path: Path
) -> None:
    def counts() -> list[int]:
        with (
            launch("mps2", image.path, tmp_path / "flash") as emulator,
            Wire(emulator.port) as wire,
        ):
            return [wire.ask(b"c", loops) for loops in (10, 1000, 1000, 1000, 54_321)]

    first = counts()
    assert counts() == first
    assert first[1] == first[2] == first[3]


def test_a_loop_of_two_instructions_counts_two_a_turn(wire: Wire) -> None:
    few, many = wire.ask(b"c", 1000), wire.ask(b"c", 101_000)
    assert abs(many - few - 200_000) <= 1  # a timer tick is five eighths of an instruction
    assert 2000 <= few <= 2010


def test_time_passes_while_the_board_is_idle(wire: Wire) -> None:
    before = wire.ask(b"m")
    time.sleep(0.5)
    passed = wire.ask(b"m") - before
    assert 400 <= passed <= 2000


def test_the_stack_is_measured(wire: Wire) -> None:
    used, size = wire.ask(b"k"), wire.number()
    assert size == 8192
    assert 0 < used < 1024


def test_flash_clears_bits_on_write_and_sets_pages_on_erase(wire: Wire) -> None:
    assert wire.flash(PAGE, 8) == b"\xff" * 8
    assert wire.ask(b"w", PAGE, 4, data=b"\xf0\x0f\xaa\x55") == 0
    assert wire.ask(b"w", PAGE, 4, data=b"\x3c\x3c\xff\x00") == 0
    assert wire.flash(PAGE, 8) == b"\x30\x0c\xaa\x00\xff\xff\xff\xff"
    assert wire.ask(b"x", PAGE) == 0
    assert wire.flash(PAGE, 8) == b"\xff" * 8


@pytest.mark.parametrize(
    ("letter", "numbers", "data"),
    [
        (b"w", (2, 4), bytes(4)),
        (b"w", (0, 3), bytes(3)),
        (b"w", (65536 - 4, 8), bytes(8)),
        (b"x", (100,), b""),
        (b"x", (65536,), b""),
    ],
)
def test_flash_refuses_what_lies_outside_or_askew(
    wire: Wire, letter: bytes, numbers: tuple[int, ...], data: bytes
) -> None:
    assert wire.ask(letter, *numbers, data=data) == 1


def test_flash_survives_a_power_cut_and_other_hosts_find_it(
    image: FirmwareImage, tmp_path: Path
) -> None:
    flash = tmp_path / "flash"
    with launch("mps2", image.path, flash) as emulator, Wire(emulator.port) as wire:
        assert wire.ask(b"w", 0, 4, data=b"kept") == 0
        emulator.kill()
    assert flash.read_bytes()[:8] == b"kept\xff\xff\xff\xff"
    with launch("mps2", image.path, flash) as emulator:
        for _ in range(2):
            with Wire(emulator.port) as wire:
                assert wire.flash(0, 4) == b"kept"


def test_a_failed_assert_ends_the_emulator_and_is_told_on_both_ways(
    board: Emulator, wire: Wire
) -> None:
    wire.send(b"!")
    assert board.process.wait(10) == 1
    assert "assert failed" in board.log
    assert b"assert failed" in wire.socket.recv(1000)


def test_the_emulator_dies_with_its_parent_even_at_sigkill(
    image: FirmwareImage, tmp_path: Path
) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv here")
    script = (
        "import sys, time; from pathlib import Path\n"
        "from pipeline.sim.emulator import launch\n"
        "e = launch('mps2', Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "print(e.process.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(image.path), str(tmp_path / "flash")],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(0.01)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False

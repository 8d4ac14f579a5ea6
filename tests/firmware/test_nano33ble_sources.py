"""The real board's sources, where neither the board nor its core can be had.

They compile against stand-in headers (tests/stubs) for this machine and for the Cortex-M4F, and
the board's code runs here over sensors, flash and USB that stand in for the real ones.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.support.harness import LIB, ROOT, SANITIZE, SUPPORT, Harness

BOARD = ROOT / "firmware" / "board" / "nano33ble"
STUBS = ROOT / "tests" / "stubs"
SOURCES = [
    ROOT / "firmware" / "src" / "main.cpp",
    *sorted(BOARD.glob("*.c*")),
    LIB / "engine" / "har_engine_tflm.cpp",
]
# As the core for this board compiles.
CORE = ["-funsigned-char", "-ffp-contract=off"]
STRICT = ["-O2", "-Wall", "-Wextra", "-Werror", "-Wshadow"]
INCLUDES = [
    *(f"-I{folder}" for folder in sorted(LIB.iterdir()) if folder.is_dir()),
    f"-I{BOARD}",
    f"-I{SUPPORT}",
    f"-I{STUBS / 'arduino'}",
    f"-I{STUBS / 'tflm'}",
]
OPERATORS = (
    *("Add", "AveragePool2D", "Concatenation", "Conv2D", "DepthwiseConv2D", "FullyConnected"),
    *("MaxPool2D", "Mean", "Pad", "PadV2", "Quantize", "Relu", "Relu6", "Reshape", "Softmax"),
)
MODEL = [
    "-DHAR_TFLM_ARENA_BYTES=4096",
    f"-DHAR_TFLM_OPERATOR_COUNT={len(OPERATORS)}",
    f"-DHAR_TFLM_OPERATORS(X)={' '.join(f'X({name})' for name in OPERATORS)}",
]
MCU = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=softfp"]


def compile_source(source: Path, output: Path, prefix: str, *flags: str) -> None:
    c = ["gcc", "-std=gnu11"]
    cpp = ["g++", "-std=gnu++14", "-fno-exceptions", "-fno-rtti"]
    compiler, *language = c if source.suffix == ".c" else cpp
    command = [prefix + compiler, *language, *CORE, *STRICT, *INCLUDES, *MODEL, *flags]
    done = subprocess.run(
        [*command, "-c", str(source), "-o", str(output)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The array's header, as `har emit` writes it."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "har_extractor_tflite.h").write_text(
        "extern const unsigned char har_extractor_tflite[];\n"
        "extern const unsigned int har_extractor_tflite_len;\n"
    )
    return f"-I{folder}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_compiles_for_this_machine(source: Path, generated: str, tmp_path: Path) -> None:
    compile_source(source, tmp_path / "out.o", "", generated)


@pytest.mark.skipif(shutil.which("arm-none-eabi-g++") is None, reason="no Arm compiler here")
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_compiles_for_the_processor_and_uses_its_fpu(
    source: Path, generated: str, tmp_path: Path
) -> None:
    from scripts.check_image import soft_float_calls

    compile_source(source, tmp_path / "out.o", "arm-none-eabi-", generated, *MCU)
    assert soft_float_calls(tmp_path) == []


@pytest.mark.skipif(shutil.which("arm-none-eabi-g++") is None, reason="no Arm compiler here")
def test_the_fpu_check_sees_a_build_without_fpu(tmp_path: Path, generated: str) -> None:
    from scripts.check_image import soft_float_calls

    soft = [*MCU[:2], "-mfloat-abi=soft"]
    compile_source(BOARD / "resampler.c", tmp_path / "out.o", "arm-none-eabi-", generated, *soft)
    calls = soft_float_calls(tmp_path)
    assert "out.o: __aeabi_fmul" in calls
    assert "out.o: __aeabi_fadd" in calls


# ---- the board's code, run -------------------------------------------------------------------

ERASED = "ffffffff"
G = 4 / 32768
LSM_RAD_S = 0.070 * math.pi / 180
BMI_RAD_S = 2000 / 32768 * math.pi / 180


def build_board(path: Path, *flags: str) -> Path:
    sources = [SUPPORT / "nano33ble_host.cpp", *sorted(BOARD.glob("*.cpp"))]
    objects = [path.with_name("resampler.o")]
    compile_source(BOARD / "resampler.c", objects[0], "", *SANITIZE)
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = ["g++", "-std=gnu++14", "-funsigned-char", *warnings, *SANITIZE, *INCLUDES, *flags]
    subprocess.run([*command, *map(str, [*sources, *objects]), "-o", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_board(tmp_path_factory.mktemp("board") / "board")


class Board:
    def __init__(self, harness: Harness) -> None:
        self.ask = harness.ask

    def boot(
        self,
        revision: int,
        rate_hz: float = 0.0,
        clock_us: int = 0,
        uicr: str = ERASED,
        rom_end: str = "60000",
    ) -> None:
        nominal = {0: 1.0, 1: 119.0, 2: 100.0}[revision]
        said = self.ask("boot", revision, rate_hz or nominal, clock_us, uicr, rom_end)
        assert said == ["ok"]

    def poll(self, ms: int) -> np.ndarray:
        """Samples (n, 6) that came within `ms` milliseconds."""
        return np.array([float(word) for word in self.ask("poll", ms)[:-1]]).reshape(-1, 6)

    def stall(self, ms: int) -> None:
        assert self.ask("stall", ms) == ["ok"]


@pytest.fixture
def board(program: Path) -> Iterator[Board]:
    with Harness(program) as harness:
        yield Board(harness)


def test_rev1_gives_g_and_rad_per_second_on_the_chip_s_axes(board: Board) -> None:
    board.boot(1)
    sample = board.poll(2000)[-1]
    assert sample[1:] == pytest.approx(
        [2000 * G, -3000 * G, 100 * LSM_RAD_S, -200 * LSM_RAD_S, 300 * LSM_RAD_S], rel=1e-5
    )


def test_rev2_gives_g_and_rad_per_second_on_the_driver_s_axes(board: Board) -> None:
    board.boot(2)
    sample = board.poll(2000)[-1]
    assert [sample[0], *sample[2:]] == pytest.approx(
        [-2000 * G, -3000 * G, 200 * BMI_RAD_S, -100 * BMI_RAD_S, 300 * BMI_RAD_S], rel=1e-5
    )
    assert sample[1] < 0  # the ramp of the chip's x, turned


@pytest.mark.parametrize(("revision", "true_hz"), [(1, 119.0), (1, 125.5), (2, 99.84), (2, 96.0)])
def test_the_rate_is_measured_and_samples_come_at_the_model_s_rate(
    board: Board, revision: int, true_hz: float
) -> None:
    board.boot(revision, true_hz)
    board.poll(25_000)
    assert float(board.ask("rate")[0]) == pytest.approx(true_hz, rel=2e-3)
    assert len(board.poll(20_000)) == pytest.approx(1000, abs=3)


@pytest.mark.parametrize("revision", [1, 2])
def test_a_ramp_stays_a_ramp_across_resampling_and_short_stalls(
    board: Board, revision: int
) -> None:
    board.boot(revision)
    ramps = [board.poll(500)]
    for stall_ms in (30, 85, 200):
        board.stall(stall_ms)
        ramps.append(board.poll(500))
    ramp = np.concatenate(ramps)[:, revision - 1] / G
    nominal_hz = {1: 119.0, 2: 100.0}[revision]
    step = np.diff(ramp) * (1 if revision == 1 else -1)
    assert step == pytest.approx(np.full(len(step), nominal_hz / 50), abs=2e-2)


def test_no_sample_is_made_up_across_a_gap(board: Board) -> None:
    board.boot(1)
    before = board.poll(1000)[:, 0] / G
    board.stall(2000)
    after = board.poll(1000)[:, 0] / G
    jump = 2.0 * 119 - 32  # what the full FIFO had to drop
    assert after[0] - before[-1] == pytest.approx(jump, abs=6)
    assert np.diff(after) == pytest.approx(np.full(len(after) - 1, 119 / 50), abs=2e-2)


def test_the_clock_may_wrap(board: Board) -> None:
    board.boot(1, clock_us=2**32 - 12_000_000)
    assert len(board.poll(30_000)) == pytest.approx(1500, abs=4)
    assert float(board.ask("rate")[0]) == pytest.approx(119.0, rel=2e-3)


def test_a_few_failed_transfers_cost_nothing(board: Board) -> None:
    board.boot(2)
    board.poll(500)
    board.ask("fail", 4)
    ramp = board.poll(1000)[:, 1] / G
    assert np.diff(ramp) == pytest.approx(np.full(len(ramp) - 1, -2.0), abs=2e-2)


def test_a_dead_sensor_is_given_up_and_a_missing_one_is_no_harm(board: Board) -> None:
    board.boot(1)
    board.poll(500)
    board.ask("fail", -1)
    assert len(board.poll(1000)) == 0
    board.ask("fail", 0)
    board.boot(0)
    assert len(board.poll(1000)) == 0
    assert board.ask("flash", 0, 8) == ["0", "0", "0", "1"]


def test_flash_keeps_to_its_region(board: Board) -> None:
    ok, argument = "0", "1"
    board.boot(0)
    assert board.ask("flash", 0, 4096) == [ok, ok, ok, "1"]
    assert board.ask("flash", 15 * 4096, 4096) == [ok, ok, ok, "1"]
    assert board.ask("flash", 16 * 4096, 4)[:3] == [argument, argument, argument]
    assert board.ask("flash", 15 * 4096, 4100)[1:3] == [argument, argument]
    assert board.ask("flash", 4, 4)[0] == argument  # no page begins there
    assert board.ask("flash", 4096, 6)[1] == argument  # not whole words


@pytest.mark.parametrize("pages", [16, 46])
def test_the_region_ends_with_the_flash_and_the_image_says_where_it_begins(
    tmp_path: Path, pages: int
) -> None:
    program = build_board(tmp_path / "board", f"-DHAR_STORE_PAGES={pages}")
    start = f"{0x100000 - pages * 4096:x}"
    with Harness(program) as harness:
        Board(harness).boot(0)
        assert harness.ask("region") == [str(pages * 4096), start, "0"]
    symbols = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
    assert f"{start.zfill(16)} A har_learned_start" in symbols


@pytest.mark.parametrize(("uicr", "rom_end"), [("000e0000", "60000"), (ERASED, "f0004")])
def test_flash_that_is_not_ours_is_never_touched(board: Board, uicr: str, rom_end: str) -> None:
    flash_error = "8"
    board.boot(0, uicr=uicr, rom_end=rom_end)
    assert board.ask("flash", 0, 8) == [flash_error, flash_error, flash_error, "0"]


def test_serial_never_waits_and_never_fills_a_packet(board: Board) -> None:
    board.boot(0)
    assert board.ask("write", 10, 1) == ["10"]
    assert board.ask("write", 500, 1) == ["63"]
    assert board.ask("write", 500, 0) == ["0"]
    assert board.ask("write", 0, 1) == ["0"]
    assert board.ask("read", 100, 64) == ["64"]
    assert board.ask("read", 0, 64) == ["0"]

"""The real board's sources, where neither the board nor its core can be had.

They compile against stand-in headers (tests/stubs) for this machine and for the Cortex-M4F; flash,
USB serial, lights, thermometer and stack run here over ones that stand in for the real ones. The
motion sensor: test_nano33ble_sensor.py.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.support.harness import LIB, ROOT, Harness
from tests.firmware.support.nano33ble import (
    BOARD,
    ERASED,
    Board,
    arm_compiler,
    compile_source,
)
from tests.support.programs import c_program

SOURCES = [
    ROOT / "firmware" / "src" / "main.cpp",
    *sorted(BOARD.glob("*.c*")),
    LIB / "engine" / "har_engine_tflm.cpp",
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
needs_arm = pytest.mark.skipif(not arm_compiler(), reason="no Arm compiler here")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The array's header, as `har emit` writes it."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "har_extractor_tflite.h").write_text(
        "#define HAR_EXTRACTOR_TFLITE_ID HAR_MODEL_ID\n"
        "extern const unsigned char har_extractor_tflite[];\n"
        "extern const unsigned int har_extractor_tflite_len;\n"
    )
    return f"-I{folder}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_compiles_for_this_machine(source: Path, generated: str, tmp_path: Path) -> None:
    compile_source(source, tmp_path / "out.o", "", *MODEL, generated)


@needs_arm
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_compiles_for_the_processor_and_uses_its_fpu(
    source: Path, generated: str, tmp_path: Path
) -> None:
    from scripts.check_image import soft_float_calls

    compile_source(source, tmp_path / "out.o", "arm-none-eabi-", *MODEL, generated, *MCU)
    assert soft_float_calls(tmp_path) == []


@needs_arm
def test_the_fpu_check_sees_a_build_without_fpu(tmp_path: Path) -> None:
    from scripts.check_image import soft_float_calls

    soft = [*MCU[:2], "-mfloat-abi=soft"]
    compile_source(BOARD / "resampler.c", tmp_path / "out.o", "arm-none-eabi-", *soft)
    calls = soft_float_calls(tmp_path)
    assert "out.o: __aeabi_fmul" in calls
    assert "out.o: __aeabi_fadd" in calls


# ---- the board's code, run -------------------------------------------------------------------


@pytest.fixture(scope="module")
def program() -> Path:
    return c_program("nano33ble_16_pages")


@pytest.fixture
def board(program: Path) -> Iterator[Board]:
    with Harness(program) as harness:
        yield Board(harness)


def test_flash_keeps_to_its_region(board: Board) -> None:
    ok, argument = "0", "1"
    board.boot(0)
    assert board.ask("flash", 0, 4096) == [ok, ok, ok, "1"]
    assert board.ask("flash", 15 * 4096, 4096) == [ok, ok, ok, "1"]
    assert board.ask("flash", 16 * 4096, 4)[:3] == [argument, argument, argument]
    assert board.ask("flash", 15 * 4096, 4100)[1:3] == [argument, argument]
    assert board.ask("flash", 4, 4)[0] == argument  # no page begins there
    assert board.ask("flash", 4096, 6)[1] == argument  # not whole words


def region_of(program: Path) -> tuple[list[str], str]:
    """Size, first byte, whether there is one of another size; the line of `nm` on its symbol."""
    with Harness(program) as harness:
        Board(harness).boot(0)
        region = harness.ask("region")
    symbols = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
    return region, next(line for line in symbols.splitlines() if "har_learned_start" in line)


def test_the_region_ends_with_the_flash_and_the_image_says_where_it_begins(program: Path) -> None:
    for built, pages in ((program, 16), (c_program("nano33ble_46_pages"), 46)):
        start = f"{0x100000 - pages * 4096:x}"
        region, symbol = region_of(built)
        assert region == [str(pages * 4096), start, "0"]
        assert symbol == f"{start.zfill(16)} A har_learned_start"


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


@pytest.mark.parametrize(
    ("shown", "colour", "lit_ms"), [(0, 2 + 4 + 8, 0), (1, 4, 1000), (2, 8, 1000), (3, 2, 1000)]
)
def test_a_person_sees_a_heartbeat_and_what_the_board_does(
    board: Board, shown: int, colour: int, lit_ms: int
) -> None:
    board.boot(0)
    lights = [int(word) for word in board.ask("lights", shown, 1000)[:-1]]
    assert sum(light & 1 for light in lights) == 100
    assert sum(light & colour != 0 for light in lights) == lit_ms
    assert all(light & ~colour in (0, 1) for light in lights)


def test_the_thermometer_is_read_in_quarter_degrees(board: Board) -> None:
    board.boot(0)
    board.poll(10)
    assert board.state().celsius == 25.0
    board.tell("set", "centicelsius", 3160)
    board.poll(1100)
    assert board.state().celsius == 31.5
    board.tell("set", "centicelsius", -725)
    board.poll(1100)
    assert board.state().celsius == -7.25


def test_the_deepest_use_of_the_stack_is_seen(board: Board) -> None:
    board.boot(0)
    size, before, after = map(int, board.ask("stack"))
    assert size == 65536
    assert 0 < before < 20_000 < after < size

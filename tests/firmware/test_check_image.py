"""scripts/check_image.py on images made here: what fits, what does not, what is no image."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.check_image import MAIN_STACK_NEED, SOFT_FLOAT, Elf, measure

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "check_image.py"
needs_arm = pytest.mark.skipif(shutil.which("arm-none-eabi-gcc") is None, reason="no Arm compiler")

LINKER_SCRIPT = """
MEMORY { FLASH (rx) : ORIGIN = 0x10000, LENGTH = 1M  RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 1M }
ENTRY(Reset_Handler)
SECTIONS {
    .text : { KEEP(*(.text*)) KEEP(*(.rodata*)) } > FLASH
    .data : { KEEP(*(.data*)) } > RAM AT > FLASH
    .bss (NOLOAD) : { KEEP(*(.bss*)) } > RAM
    .heap (NOLOAD) : { . = 0x30000; } > RAM
}
"""


def image(
    folder: Path,
    constants: int,
    data: int,
    zeros: int,
    heads: str = "0xF0000",
    stack: int = 32768,
) -> Path:
    """An ELF with so many bytes of each kind, and 4 bytes of code. `heads`: where learned heads
    begin, `stack`: of the main thread; "" and 0: it does not say."""
    symbol = f".globl har_learned_start\n.set har_learned_start, {heads}\n" if heads else ""
    main = f".globl _main_stack\n.size _main_stack, {stack}\n_main_stack:\n" if stack else ""
    (folder / "image.ld").write_text(LINKER_SCRIPT)
    (folder / "image.S").write_text(
        ".syntax unified\n.thumb\n.text\n.global Reset_Handler\nReset_Handler: nop\nnop\n"
        f'{symbol}.section .rodata,"a"\n.space {constants}, 1\n'
        f".data\n.space {data}, 2\n.bss\n{main}.space {zeros}\n"
    )
    elf = folder / "image.elf"
    command = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-nostdlib"]
    command += ["-Wl,--gc-sections", "-T", str(folder / "image.ld")]
    command += [str(folder / "image.S"), "-o", str(elf)]
    subprocess.run(command, check=True, capture_output=True)
    return elf


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@needs_arm
def test_counts_code_constants_and_initial_data_as_flash_and_no_heap_as_ram(
    tmp_path: Path,
) -> None:
    usage = measure(Elf(image(tmp_path, 1000, 200, 3000)))
    assert usage.flash_bytes == 4 + 1000 + 200
    assert usage.ram_bytes == 200 + 3000


@needs_arm
def test_an_image_up_to_the_last_byte_fits_and_one_more_word_does_not(tmp_path: Path) -> None:
    limit = 0xF0000 - 0x10000
    fits = run(image(tmp_path, limit - 4 - 8, 8, 100))
    assert fits.returncode == 0, fits.stderr
    assert "917,504 of 917,504 bytes" in fits.stdout
    too_large = run(image(tmp_path, limit - 4 - 4, 8, 100))
    assert too_large.returncode == 1
    assert "4 bytes into the pages kept for learned heads" in too_large.stderr


@needs_arm
def test_a_model_with_larger_heads_leaves_less_to_the_program(tmp_path: Path) -> None:
    start = 0x100000 - 46 * 0x1000
    fits = run(image(tmp_path, start - 0x10000 - 4 - 8, 8, 100, f"0x100000 - {46} * 0x1000"))
    assert fits.returncode == 0, fits.stderr
    assert f"{start - 0x10000:,} of {start - 0x10000:,} bytes" in fits.stdout
    too_large = run(image(tmp_path, start - 0x10000 - 4 - 4, 8, 100, f"{start:#x}"))
    assert "4 bytes into the pages kept for learned heads" in too_large.stderr


@needs_arm
def test_an_image_that_does_not_say_where_heads_lie_is_refused(tmp_path: Path) -> None:
    refused = run(image(tmp_path, 100, 8, 100, ""))
    assert refused.returncode == 2
    assert "has no har_learned_start" in refused.stderr


@needs_arm
def test_static_memory_over_the_board_s_ram_is_refused(tmp_path: Path) -> None:
    refused = run(image(tmp_path, 0, 8, 0x40000))
    assert refused.returncode == 1
    assert "8 bytes over the board's RAM" in refused.stderr


@needs_arm
def test_prints_the_main_thread_s_stack_and_refuses_one_that_is_too_small(tmp_path: Path) -> None:
    fits = run(image(tmp_path, 100, 8, 100, stack=MAIN_STACK_NEED))
    assert fits.returncode == 0, fits.stderr
    assert "stack     8,192 bytes of RAM for the main thread; it needs 8,192\n" in fits.stdout
    refused = run(image(tmp_path, 100, 8, 100, stack=MAIN_STACK_NEED - 1))
    assert refused.returncode == 1
    assert refused.stderr.startswith("check_image: the main thread's stack is 8,191 bytes")
    silent = run(image(tmp_path, 100, 8, 100, stack=0))
    assert silent.returncode == 0 and "stack   unknown" in silent.stdout


def test_the_stack_that_is_needed_is_the_one_that_the_emulated_board_has() -> None:
    script = (ROOT / "firmware" / "boards" / "mps2" / "sections.ld").read_text()
    assert f"HAR_STACK_BYTES = {MAIN_STACK_NEED};" in script


@needs_arm
def test_an_object_that_calls_float_arithmetic_fails_the_image(tmp_path: Path) -> None:
    elf, objects = image(tmp_path, 100, 8, 100), tmp_path / "objects" / "lib"
    objects.mkdir(parents=True)
    (tmp_path / "a.c").write_text("float f(float a) { return a * 1.5f; }\n")
    (tmp_path / "b.c").write_text("int g(int a) { return (int)(a * 1.5); }\n")
    compiler = ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-O2", "-c"]
    hard = ["-mfloat-abi=softfp", "-mfpu=fpv4-sp-d16"]
    compiled = ["-o", str(objects / "ours.c.o")]
    subprocess.run([*compiler, *hard, str(tmp_path / "a.c"), *compiled], check=True)
    assert run(elf, objects.parent).returncode == 0
    for source, flags, call in (("a.c", [], "__aeabi_fmul"), ("b.c", hard, "__aeabi_d2iz")):
        subprocess.run([*compiler, *flags, str(tmp_path / source), *compiled], check=True)
        refused = run(elf, objects.parent)
        assert refused.returncode == 1
        assert f"ours.c.o: {call}" in refused.stderr


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(60), b"\x7fELF\x01\x01" + b"\xff" * 60]
)
def test_what_is_no_image_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "firmware.elf"
    path.write_bytes(content)
    refused = run(path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("check_image: ")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("symbol", "soft"),
    [
        ("__aeabi_fmul", True),
        ("__aeabi_fcmplt", True),
        ("__aeabi_cfcmple", True),
        ("__aeabi_f2iz", True),
        ("__aeabi_f2d", True),
        ("__aeabi_i2f", True),
        ("__aeabi_dadd", True),
        ("__aeabi_drsub", True),
        ("__aeabi_ddiv", True),
        ("__aeabi_dcmpun", True),
        ("__aeabi_cdcmple", True),
        ("__aeabi_d2f", True),
        ("__aeabi_ui2d", True),
        ("__aeabi_div0", False),
        ("__aeabi_idivmod", False),
        ("__aeabi_f2lz", False),
        ("__aeabi_l2f", False),
        ("__aeabi_uldivmod", False),
        ("__aeabi_memcpy", False),
    ],
)
def test_names_of_float_arithmetic_that_the_fpu_does(symbol: str, soft: bool) -> None:
    assert bool(SOFT_FLOAT.match(symbol)) is soft

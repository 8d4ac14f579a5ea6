"""Sizes from linker maps, and the limits that the emulated board's linker script repeats."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.core.errors import ExternalError
from pipeline.sim.boards import NANO33BLE
from pipeline.sim.build import parse_map, sizes_of

ROOT = Path(__file__).resolve().parents[3]

MAP = """\
Discarded input sections

 .text.har_unused
                0x0000000000000000       0x64 lib.a(har_unused.c.obj)

Memory Configuration

Name             Origin             Length             Attributes
FLASH            0x0000000000000000 0x00000000000bc000 xr

Linker script and memory map

.vectors        0x0000000000000000       0xc0
 .vectors       0x0000000000000000       0xc0 firmware/boards/mps2/startup.S.obj

.text           0x00000000000000c0      0x100
 *(.text .text.*)
 .text.har_conv2d_s8
                0x00000000000000c0       0xf0 firmware/libhar_kernels.a(har_conv2d_s8.c.obj)
                0x00000000000000c0                har_conv2d_s8
 .text.main     0x00000000000001b0        0xe firmware/boards/mps2/main.c.obj
 *fill*         0x00000000000001be        0x2

.rodata         0x00000000000001c0       0x50
 .rodata.op0_weights
                0x00000000000001c0       0x40 firmware/x.dir/generated/har_net.c.obj
 .rodata.har_activity_names
                0x0000000000000200       0x10 firmware/x.dir/generated/har_model.c.obj

.stack          0x0000000020000000     0x2000

.data           0x0000000020002000        0x8 load address 0x0000000000000210
 .data.x        0x0000000020002000        0x8 firmware/boards/mps2/board.c.obj

.bss            0x0000000020002008       0x20
 .bss.arena     0x0000000020002008       0x20 firmware/x.dir/generated/har_net.c.obj

.debug_info     0x0000000000000000     0x9999
 .debug_info    0x0000000000000000     0x9999 firmware/boards/mps2/main.c.obj
"""


def test_sizes_add_up_what_the_board_must_hold_and_nothing_else() -> None:
    sizes = sizes_of(parse_map(MAP))
    assert sizes.flash_bytes == 0xC0 + 0x100 + 0x50 + 0x8
    assert sizes.ram_bytes == 0x2000 + 0x8 + 0x20
    assert sizes.weights_bytes == 0x40
    assert sizes.runtime_flash_bytes == sizes.flash_bytes - 0x40


def test_flash_by_origin_counts_code_and_constants_but_no_ram_and_no_discarded_section() -> None:
    linked = parse_map(MAP)
    assert linked.flash_bytes_from(r"har_net\.c\.o|har_kernels") == 0xF0 + 0x40
    assert linked.flash_bytes_from("har_unused") == 0


@pytest.mark.parametrize("text", ["", "no map", "Linker script and memory map\n\n.data 0x0 0x1\n"])
def test_a_text_that_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(ExternalError, match="map"):
        parse_map(text)


def test_linker_script_gives_the_emulated_board_what_the_real_one_leaves() -> None:
    script = (ROOT / "firmware/boards/mps2/nano33ble_share.ld").read_text()
    lengths = dict(re.findall(r"^\s*(FLASH|RAM)\b.*LENGTH = (\d+)", script, re.MULTILINE))
    assert lengths == {
        "FLASH": str(NANO33BLE.flash_limit_bytes() - NANO33BLE.core_flash_bytes),
        "RAM": str(NANO33BLE.ram_limit_bytes - NANO33BLE.core_ram_bytes),
    }

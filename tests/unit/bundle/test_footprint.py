import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.bundle.footprint import check_fit, remedy, smaller_options
from pipeline.core.errors import InputError
from pipeline.head import HeadShape
from pipeline.head.memory import LearningMemory, learning_memory, scratch_floats
from pipeline.head.records import PAGE_BYTES, RECORD_OVERHEAD_BYTES
from pipeline.sim.boards import NANO33BLE
from tests.support.flash_image import SlotLayout

ROOT = Path(__file__).parents[3]

SHAPES = {
    "fc": HeadShape(416, 8, 416),
    "fxc1": HeadShape(416, 8, 304, 7, 96, 112),
    "fxc2": HeadShape(416, 8, 304, 11, 96, 112, 5, 1),
    "strided": HeadShape(11, 8, 4, 13, 6, 7, 3, 2),
}


def memory(windows: int, shape: HeadShape = SHAPES["fc"]) -> LearningMemory:
    return learning_memory(shape, 6, windows, 24)


SMALL: dict[str, Any] = {
    "model_id": "0" * 16,
    "engine": "compiled",
    "image_flash_bytes": 60_000,
    "image_ram_bytes": 30_000,
    "stack_bytes": 900,
    "engine_cycles": 1_000_000,
    "head_cycles": 5_000,
    "macs": 100_000,
    "tflite_bytes": 38_000,
    "net_flash_bytes": 24_000,
    "net_arena_bytes": 3_000,
    "tflm_arena_bytes": 10_000,
    "memory": memory(36),
}


def test_the_board_s_own_share_counts() -> None:
    fit = check_fit(**SMALL)
    assert fit.fits
    assert fit.flash_bytes.used == 60_000 + NANO33BLE.core_flash_bytes
    assert fit.ram_bytes.used == 30_000 + NANO33BLE.core_ram_bytes
    assert "latency_ms" in fit.estimates and "energy_uj" in fit.estimates


@pytest.mark.parametrize("kind", ["flash", "ram"])
def test_one_byte_over_a_limit_does_not_fit(kind: str) -> None:
    fit = check_fit(**SMALL)
    exact = {
        "flash": {"flash_bytes": fit.flash_bytes.used + 16 * PAGE_BYTES},
        "ram": {"ram_limit_bytes": fit.ram_bytes.used},
    }[kind]
    board = replace(NANO33BLE, **exact)
    assert check_fit(**SMALL, board=board).fits
    larger = SMALL | {f"image_{kind}_bytes": SMALL[f"image_{kind}_bytes"] + 1}
    assert not check_fit(**larger, board=board).fits


def test_pages_that_keep_learned_heads_are_none_for_the_program() -> None:
    few, many = (check_fit(**SMALL | {"memory": memory(windows)}) for windows in (36, 500))
    assert few.flash_bytes.limit == 0xF0000 - 0x10000
    assert few.flash_bytes.limit - many.flash_bytes.limit == (110 - 16) * PAGE_BYTES
    assert few.fits and many.fits
    assert not check_fit(**SMALL | {"memory": memory(1024, SHAPES["fxc2"])}).fits


@pytest.mark.parametrize("name", SHAPES)
def test_parameters_and_scratch_are_those_of_the_firmware(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    sizes = f"{shape.features}, {shape.map_length}, {shape.channels}, {shape.filters}"
    (tmp_path / "sizes.c").write_text(
        '#include "lib/head/har_head.h"\n'
        f"_Static_assert(HAR_HEAD_PARAMETERS({shape.rows}, {shape.features}, {shape.channels}, "
        f'{shape.filters}, {shape.kernel}) == {shape.parameters}, "parameters");\n'
        f"_Static_assert(HAR_HEAD_SCRATCH({shape.rows}, {sizes}, {shape.positions}, "
        f'{shape.kernel}) == {scratch_floats(shape)}, "scratch");\n'
    )
    build = ["gcc", "-std=c11", "-c", "sizes.c", f"-I{ROOT / 'firmware'}"]
    subprocess.run(build, cwd=tmp_path, check=True)


def test_what_learning_takes_is_told() -> None:
    fit = check_fit(**SMALL)
    # Parameters and the copy to undo, windows and their labels, what is seen of each activity, and
    # the windows of the last ten seconds.
    least = 2 * 4 * 8 * 417 + 36 * 418 + 4 * 8 + 9 * 416
    assert least < fit.learning_ram_bytes.used < least + 3_000
    assert fit.learning_ram_bytes.used <= fit.learning_ram_bytes.limit == 49_152
    assert fit.replay_ram_bytes == 36 * 418 + 4 * 8
    assert fit.exemplar_flash_bytes == 24 * 417
    larger = check_fit(**SMALL | {"memory": memory(36, SHAPES["fxc2"])})
    assert larger.learning_ram_bytes.used > 49_152
    assert larger.fits, "the board's own limits judge"


@pytest.mark.parametrize("name", SHAPES)
def test_two_records_fit_the_pages_that_are_kept(name: str) -> None:
    """The same layout judges (docs/STORAGE.md)."""
    needs = memory(36, SHAPES[name])
    assert needs.store_pages >= 16 and needs.store_pages % 2 == 0
    payload = needs.record_bytes - RECORD_OVERHEAD_BYTES
    layout = SlotLayout.of(needs.store_pages * PAGE_BYTES, payload)
    assert layout.slots >= 2
    fit = check_fit(**SMALL | {"memory": needs})
    assert fit.stored_head_bytes.used == needs.record_bytes <= fit.stored_head_bytes.limit
    with pytest.raises(InputError, match="two are needed"):
        SlotLayout.of(2 * layout.slot_bytes - PAGE_BYTES, payload)


def test_latency_and_energy_follow_the_cycles() -> None:
    one, two = check_fit(**SMALL), check_fit(**SMALL | {"engine_cycles": 2_005_000})
    assert one.latency_ms == pytest.approx(1_005_000 * 1.2 / 64e3, abs=1e-3)
    assert two.latency_ms == pytest.approx(2 * one.latency_ms, abs=2e-3)
    assert one.energy_uj == pytest.approx(one.latency_ms * 1e-3 * 9.9e-3 * 1e6, rel=1e-3)


def test_tflm_takes_its_runtime_and_arena_instead_of_the_compiled_network() -> None:
    compiled, tflm = check_fit(**SMALL), check_fit(**SMALL | {"engine": "tflm"})
    assert tflm.flash_bytes.used - compiled.flash_bytes.used == 38_000 + 54_152 - 24_000
    assert tflm.ram_bytes.used - compiled.ram_bytes.used == 7_000
    # 5.05 model cycles a MAC, and the head
    assert tflm.latency_ms == pytest.approx(510_400 * 1.2 / 64e3, abs=1e-2)


def test_less_room_to_learn_takes_less_of_everything_and_names_its_options() -> None:
    shape = HeadShape(1280, 8, 1280)
    found = list(smaller_options(shape, 6, 36, 4))
    assert str(found[0]) == "--replay 36 --spare 2 --exemplars 4"
    assert found[0].memory == learning_memory(shape, 6, 36, 24)
    assert str(found[-1]) == "--replay 3 --spare 0 --exemplars 0"
    assert found[-1].memory.exemplar_flash_bytes == 0
    assert found[-1].memory.ram_bytes < 0.6 * found[0].memory.ram_bytes
    no_spare = next(room for room in found if room.spare == 0)
    assert found[0].memory.flash_bytes - no_spare.memory.flash_bytes == 4 * 2 * 1281


def test_a_room_that_is_small_already_is_not_made_larger() -> None:
    assert [room.replay for room in smaller_options(HeadShape(12, 3, 12), 3, 8, 0)] == [8, 6, 3]


def test_the_remedy_is_a_command_or_another_network() -> None:
    room = next(smaller_options(HeadShape(12, 3, 12), 3, 8, 0))
    assert "har quantize --replay 8 --spare 0 --exemplars 0" in remedy(room, "tflm")
    assert remedy(None, "tflm").endswith("or the compiled engine")
    assert remedy(None, "compiled").endswith("take a smaller network")

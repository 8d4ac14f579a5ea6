from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from pipeline.device.boards import NANO33BLE
from pipeline.device.emulator import FLASH_REGION_BYTES
from pipeline.device.records import RECORD_OVERHEAD_BYTES, SlotLayout
from pipeline.errors import InputError
from pipeline.export.fit import check_fit

SMALL: dict[str, Any] = {
    "model_id": "0" * 16,
    "engine": "compiled",
    "image_flash_bytes": 60_000,
    "image_ram_bytes": 30_000,
    "stack_bytes": 900,
    "instructions": 1_000_000,
    "tail_instructions": 5_000,
    "macs": 100_000,
    "tflite_bytes": 38_000,
    "net_flash_bytes": 24_000,
    "net_arena_bytes": 3_000,
    "tflm_arena_bytes": 10_000,
    "head_bytes": 10_064,
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
        "flash": {"flash_limit_bytes": fit.flash_bytes.used},
        "ram": {"ram_limit_bytes": fit.ram_bytes.used},
    }[kind]
    board = replace(NANO33BLE, **exact)
    assert check_fit(**SMALL, board=board).fits
    larger = SMALL | {f"image_{kind}_bytes": SMALL[f"image_{kind}_bytes"] + 1}
    assert not check_fit(**larger, board=board).fits


@pytest.mark.parametrize(("values", "fits"), [(8_182, True), (8_183, False)])
def test_a_head_of_which_no_two_can_be_stored_does_not_fit(values: int, fits: bool) -> None:
    """docs/STORAGE.md: K (F + 3) values of 4 bytes and 8 more. The same layout judges."""
    head_bytes = 8 + 4 * values
    fit = check_fit(**SMALL | {"head_bytes": head_bytes})
    assert fit.fits is fits
    assert fit.stored_head_bytes.used == head_bytes + RECORD_OVERHEAD_BYTES
    assert fit.stored_head_bytes.limit == 32_768 == FLASH_REGION_BYTES // 2
    with nullcontext() if fits else pytest.raises(InputError, match="two are needed"):
        SlotLayout.of(NANO33BLE.head_region_bytes, head_bytes)


def test_latency_and_energy_follow_the_instructions() -> None:
    one, two = check_fit(**SMALL), check_fit(**SMALL | {"instructions": 2_000_000})
    assert one.latency_ms == pytest.approx(1e6 * 1.25 / 64e6 * 1e3, abs=1e-3)
    assert two.latency_ms == pytest.approx(2 * one.latency_ms, abs=2e-3)
    assert one.energy_uj == pytest.approx(one.latency_ms * 1e-3 * 9.9e-3 * 1e6, rel=1e-3)


def test_tflm_takes_its_runtime_and_arena_instead_of_the_compiled_network() -> None:
    compiled, tflm = check_fit(**SMALL), check_fit(**SMALL | {"engine": "tflm"})
    assert tflm.flash_bytes.used - compiled.flash_bytes.used == 38_000 + 54_152 - 24_000
    assert tflm.ram_bytes.used - compiled.ram_bytes.used == 7_000
    # 4.96 instructions a MAC and the tail, at 1.25 cycles and 64 MHz
    assert tflm.latency_ms == pytest.approx(501_000 * 1.25 / 64e3, abs=1e-3)

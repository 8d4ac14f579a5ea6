"""What a board offers, each number with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.head.memory import STORE_PAGES_LEAST
from pipeline.head.records import PAGE_BYTES
from pipeline.sim.cycles import CHIPS


@dataclass(frozen=True)
class Board:
    """What a board offers; bytes. ``flash_bytes``: for the program and, after it, learned heads;
    ``core_*``: the share of the board's own software."""

    name: str
    flash_bytes: int
    ram_limit_bytes: int
    core_flash_bytes: int
    core_ram_bytes: int
    clock_hz: float
    cycles_per_model_cycle: float
    active_watts: float

    def seconds(self, model_cycles: float) -> float:
        """What so many cycles of `pipeline.sim.cycles` take."""
        return model_cycles * self.cycles_per_model_cycle / self.clock_hz

    def flash_limit_bytes(self, store_pages: int = STORE_PAGES_LEAST) -> int:
        """Left for the program."""
        return self.flash_bytes - store_pages * PAGE_BYTES


# Arduino Nano 33 BLE Sense (nRF52840: 1 MB flash, 256 KB RAM, 64 MHz; Nordic's product
# specification). Flash: from the end of the bootloader, 0x10000, to 0x100000; the last pages hold
# learned heads. Core, estimated: an image of the Arduino core, USB, Wire, both IMU libraries
# and FlashIAP, linked from the sources (144 KB text, 3.6 KB data, 42 KB bss). Power: Nordic's
# figure for the CPU running from flash with the DC/DC converter, 3.3 mA at 3 V; the board's other
# parts are not in it.
NANO33BLE = Board(
    name="nano33ble",
    flash_bytes=0x100000 - 0x10000,
    ram_limit_bytes=256 * 1024,
    core_flash_bytes=147_456,
    core_ram_bytes=47_104,
    clock_hz=64e6,
    cycles_per_model_cycle=CHIPS["nrf52840"],
    active_watts=3.3e-3 * 3.0,
)

"""Does a bundle fit a board? Answered before anything is flashed.

Bytes of our own code and data are measured (the linker's map of an image built from the same
sources for the same core); what the board's own software takes, cycles and energy are estimates
and named so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pipeline.device.boards import NANO33BLE, Board
from pipeline.device.records import PAGE_BYTES, RECORD_OVERHEAD_BYTES

# TFLite-Micro's interpreter with the kernels of a dscnn, measured on a Cortex-M4F (reference
# kernels and CMSIS-NN differ by less than a fifth).
_TFLM_RUNTIME_FLASH_BYTES = 54_152
# TFLite-Micro with CMSIS-NN on such a network with AVERAGE_POOL_2D: 432,083 for 87,200 MACs.
_TFLM_INSTRUCTIONS_PER_MAC = 4.96


@dataclass(frozen=True)
class Use:
    """Bytes used of a limit."""

    used: int
    limit: int


@dataclass(frozen=True)
class Fit:
    """The answer. ``estimates`` names the fields that are not measured alone.

    ``stored_head_bytes``: a learned head's record, two of which the board must have room for, or
    what it learns ends with the power (docs/STORAGE.md).
    """

    fits: bool
    board: str
    engine: str
    model_id: str
    flash_bytes: Use
    ram_bytes: Use
    stored_head_bytes: Use
    stack_bytes: int
    latency_ms: float
    energy_uj: float
    estimates: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """For --json."""
        return asdict(self)


def check_fit(
    *,
    model_id: str,
    engine: str,
    image_flash_bytes: int,
    image_ram_bytes: int,
    stack_bytes: int,
    instructions: int,
    tail_instructions: int,
    macs: int,
    tflite_bytes: int,
    net_flash_bytes: int,
    net_arena_bytes: int,
    tflm_arena_bytes: int,
    head_bytes: int,
    board: Board = NANO33BLE,
) -> Fit:
    """Judges an image that was built with the compiled engine.

    ``instructions``: of one prediction, ``tail_instructions`` of which behind the cut. For the
    engine ``tflm`` the compiled network's weights and arena are exchanged for the .tflite file,
    TFLM's runtime and its arena, and its instructions are reckoned from ``macs``. ``head_bytes``:
    payload of a learned head.
    """
    flash = image_flash_bytes + board.core_flash_bytes
    ram = image_ram_bytes + board.core_ram_bytes
    estimates = ["flash_bytes", "ram_bytes", "latency_ms", "energy_uj"]
    if engine == "tflm":
        estimates.append("stack_bytes")
        flash += tflite_bytes + _TFLM_RUNTIME_FLASH_BYTES - net_flash_bytes
        ram += tflm_arena_bytes - net_arena_bytes
        instructions = round(macs * _TFLM_INSTRUCTIONS_PER_MAC) + tail_instructions
    head = Use(
        head_bytes + RECORD_OVERHEAD_BYTES, board.head_region_bytes // 2 // PAGE_BYTES * PAGE_BYTES
    )
    seconds = instructions * board.cycles_per_instruction / board.clock_hz
    return Fit(
        fits=flash <= board.flash_limit_bytes
        and ram <= board.ram_limit_bytes
        and head.used <= head.limit,
        board=board.name,
        engine=engine,
        model_id=model_id,
        flash_bytes=Use(flash, board.flash_limit_bytes),
        ram_bytes=Use(ram, board.ram_limit_bytes),
        stored_head_bytes=head,
        stack_bytes=stack_bytes,
        latency_ms=round(seconds * 1e3, 3),
        energy_uj=round(seconds * board.active_watts * 1e6, 3),
        estimates=tuple(estimates),
    )

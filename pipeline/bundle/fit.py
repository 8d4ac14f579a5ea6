"""Does a bundle fit a board? Answered before anything is flashed.

Bytes of our own code and data are measured (the linker's map of an image built from the same
sources for the same core); what the board's own software takes, cycles and energy are estimates
and named so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from pipeline.bundle.bundle import Bundle
from pipeline.head import HeadShape, record_bytes
from pipeline.head.records import PAGE_BYTES, RECORD_OVERHEAD_BYTES
from pipeline.sim.boards import NANO33BLE, STORE_PAGES_LEAST, Board
from pipeline.sim.head_bench import ram_parts

LEARNING_RAM_LIMIT_BYTES = 48 * 1024
"""What learning may take of a board's RAM by default. A larger head is no less correct: it is
printed, and the board's own limits judge."""

# TFLite-Micro's interpreter with the kernels of a dscnn, measured on a Cortex-M4F (reference
# kernels and CMSIS-NN differ by less than a fifth).
TFLM_RUNTIME_FLASH_BYTES = 54_152
# TFLite-Micro with CMSIS-NN on such a network with AVERAGE_POOL_2D: 432,083 for 87,200 MACs.
_TFLM_INSTRUCTIONS_PER_MAC = 4.96


@dataclass(frozen=True)
class Use:
    """Bytes used of a limit."""

    used: int
    limit: int


@dataclass(frozen=True)
class LearningMemory:
    """What learning takes. ``ram_bytes``: all that prediction alone would not need, or need in
    flash: parameters, a copy to undo, scratch, and the windows; ``replay_ram_bytes`` of it keep
    labelled windows. ``exemplar_flash_bytes``: the windows that ship. ``record_bytes``: what is
    stored of it, with its frame (docs/STORAGE.md)."""

    ram_bytes: int
    replay_ram_bytes: int
    exemplar_flash_bytes: int
    record_bytes: int

    @property
    def store_pages(self) -> int:
        """Pages of the board's flash that keep such records: two slots at least."""
        return max(STORE_PAGES_LEAST, 2 * -(-self.record_bytes // PAGE_BYTES))


def learning_memory(
    shape: HeadShape, shipped: int, capacity: int, exemplars: int
) -> LearningMemory:
    """For ``shipped`` activities, ``capacity`` windows to keep and ``exemplars`` that ship."""
    payload = record_bytes(shape, shipped, capacity)
    return LearningMemory(
        ram_bytes=ram_parts(shape, shipped, capacity).total,
        replay_ram_bytes=capacity * (shape.window_bytes + 2) + 4 * shape.rows,
        exemplar_flash_bytes=exemplars * (shape.window_bytes + 1),
        record_bytes=payload + RECORD_OVERHEAD_BYTES,
    )


def learning_memory_of(bundle: Bundle) -> LearningMemory:
    """What learning with this bundle takes."""
    sizes = bundle.replay
    return learning_memory(bundle.shape, len(bundle.activities), sizes.capacity, sizes.exemplars)


@dataclass(frozen=True)
class Fit:
    """The answer. ``estimates`` names the fields that are not measured alone.

    ``flash_bytes``: of what the pages that keep learned heads leave. ``stored_head_bytes``: of one
    of two slots in these pages. ``learning_ram_bytes``, in ``ram_bytes`` already, is not judged.
    """

    fits: bool
    board: str
    engine: str
    model_id: str
    flash_bytes: Use
    ram_bytes: Use
    learning_ram_bytes: Use
    replay_ram_bytes: int
    exemplar_flash_bytes: int
    stored_head_bytes: Use
    stack_bytes: int
    latency_ms: float
    energy_uj: float
    estimates: tuple[str, ...]
    remedy: str = ""
    """What to do where it does not fit."""

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
    head_instructions: int,
    macs: int,
    tflite_bytes: int,
    net_flash_bytes: int,
    net_arena_bytes: int,
    tflm_arena_bytes: int,
    memory: LearningMemory,
    board: Board = NANO33BLE,
) -> Fit:
    """Judges an image that was built with the compiled engine.

    ``instructions``: of one prediction, ``head_instructions`` of which after the cut. For the
    engine ``tflm`` the compiled network's weights and arena are exchanged for the .tflite file,
    TFLM's runtime and its arena, and its instructions are reckoned from ``macs``.
    """
    flash = image_flash_bytes + board.core_flash_bytes
    ram = image_ram_bytes + board.core_ram_bytes
    estimates = ["flash_bytes", "ram_bytes", "latency_ms", "energy_uj"]
    if engine == "tflm":
        estimates.append("stack_bytes")
        flash += tflite_bytes + TFLM_RUNTIME_FLASH_BYTES - net_flash_bytes
        ram += tflm_arena_bytes - net_arena_bytes
        instructions = round(macs * _TFLM_INSTRUCTIONS_PER_MAC) + head_instructions
    flash_limit = board.flash_limit_bytes(memory.store_pages)
    seconds = instructions * board.cycles_per_instruction / board.clock_hz
    return Fit(
        fits=flash <= flash_limit and ram <= board.ram_limit_bytes,
        board=board.name,
        engine=engine,
        model_id=model_id,
        flash_bytes=Use(flash, flash_limit),
        ram_bytes=Use(ram, board.ram_limit_bytes),
        learning_ram_bytes=Use(memory.ram_bytes, LEARNING_RAM_LIMIT_BYTES),
        replay_ram_bytes=memory.replay_ram_bytes,
        exemplar_flash_bytes=memory.exemplar_flash_bytes,
        stored_head_bytes=Use(memory.record_bytes, memory.store_pages // 2 * PAGE_BYTES),
        stack_bytes=stack_bytes,
        latency_ms=round(seconds * 1e3, 3),
        energy_uj=round(seconds * board.active_watts * 1e6, 3),
        estimates=tuple(estimates),
    )


@dataclass(frozen=True)
class Room:
    """What `har quantize` leaves room for. ``flash_bytes``: of the factory parameters
    and exemplars, which a smaller room saves."""

    spare: int
    replay: int
    exemplars: int
    memory: LearningMemory
    flash_bytes: int

    @property
    def options(self) -> str:
        """As `har quantize` takes them."""
        return f"--replay {self.replay} --spare {self.spare} --exemplars {self.exemplars}"


_FEWER_WINDOWS = (24, 12, 6, 3)


def rooms(shape: HeadShape, shipped: int, capacity: int, each: int) -> Iterator[Room]:
    """Less and less room than ``capacity`` windows to keep, the head's spare rows and ``each``
    exemplars of an activity: fewer windows, then no spare rows, then no exemplars."""
    spare = shape.rows - shipped
    for exemplars in dict.fromkeys((each, 0)):
        for rows in dict.fromkeys((spare, 0)):
            for replay in (capacity, *(fewer for fewer in _FEWER_WINDOWS if fewer < capacity)):
                smaller = replace(shape, rows=shipped + rows)
                memory = learning_memory(smaller, shipped, replay, exemplars * shipped)
                flash = memory.exemplar_flash_bytes + 4 * smaller.parameters
                yield Room(rows, replay, exemplars, memory, flash)


def remedy(fitting: Room | None, engine: str) -> str:
    """What to do about a bundle that does not fit, of which ``fitting`` would be left."""
    if fitting:
        return f"less room to learn fits: har quantize {fitting.options}"
    other = ", or the compiled engine" if engine == "tflm" else ""
    return f"no room to learn is small enough: take a smaller network{other}"

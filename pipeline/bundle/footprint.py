"""What a network with the firmware around it takes of a board, and whether that fits.

Bytes of our own code and data are measured (the linker's map of an image built from the same
sources for the same core); what the board's own software takes, cycles and energy are estimates
and named so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from pipeline.bundle.bundle import Bundle, load_bundle
from pipeline.bundle.emit import emit
from pipeline.core.errors import InputError
from pipeline.head import HeadShape
from pipeline.head.memory import LearningMemory, learning_memory
from pipeline.head.records import PAGE_BYTES
from pipeline.sim.bench import bench
from pipeline.sim.boards import NANO33BLE, Board
from pipeline.sim.build import UNBOUNDED, build_image
from pipeline.sim.network_cost import network_cost

ENGINES = ("compiled", "tflm")
LEARNING_RAM_LIMIT_BYTES = 48 * 1024
"""What learning may take of a board's RAM by default. A larger head is no less correct: it is
printed, and the board's own limits judge."""

# TFLite-Micro's interpreter with the kernels of a dscnn, measured on a Cortex-M4F (reference
# kernels and CMSIS-NN differ by less than a fifth).
TFLM_RUNTIME_FLASH_BYTES = 54_152
# TFLite-Micro with CMSIS-NN, recorded: 2,204,748 instructions for the network of 532,208 MACs that
# was the default; at the 1.22 model cycles an instruction of CMSIS-NN alone on it (docs/ENGINE.md).
TFLM_CYCLES_PER_MAC = 2_204_748 * 1.22 / 532_208

Engine = Literal["compiled", "tflm"]


@dataclass(frozen=True)
class Use:
    """Bytes used of a limit."""

    used: int
    limit: int


@dataclass(frozen=True)
class Application:
    """Bytes of everything of ours but the network, the stack's reserve included, and the pages of
    flash that keep learned heads."""

    flash_bytes: int
    ram_bytes: int
    store_pages: int


@dataclass(frozen=True)
class Footprint:
    """What is on the board in all, with the network in ``engine``. ``flash_bytes``: of what the
    pages that keep learned heads leave."""

    board: str
    engine: str
    flash_bytes: Use
    ram_bytes: Use

    @property
    def fits(self) -> bool:
        """Both."""
        return not self.excess

    @property
    def excess(self) -> dict[str, Use]:
        """What does not fit: "flash" and "RAM"."""
        both = {"flash": self.flash_bytes, "RAM": self.ram_bytes}
        return {name: use for name, use in both.items() if use.used > use.limit}


def footprint(
    application: Application,
    engine: str,
    network_flash_bytes: int,
    network_ram_bytes: int,
    board: Board = NANO33BLE,
) -> Footprint:
    """Add up board, application and network.

    The network is its C and arena in engine ``compiled``; in ``tflm``, whose runtime is added, the
    .tflite file and TFLite-Micro's arena.
    """
    runtime = TFLM_RUNTIME_FLASH_BYTES if engine == "tflm" else 0
    flash = board.core_flash_bytes + application.flash_bytes + network_flash_bytes + runtime
    ram = board.core_ram_bytes + application.ram_bytes + network_ram_bytes
    return Footprint(
        board=board.name,
        engine=engine,
        flash_bytes=Use(flash, board.flash_limit_bytes(application.store_pages)),
        ram_bytes=Use(ram, board.ram_limit_bytes),
    )


@dataclass(frozen=True)
class OtherEngine:
    """What the same bundle takes in the engine that was not asked for."""

    engine: str
    flash_bytes: int
    ram_bytes: int
    latency_ms: float
    energy_uj: float


@dataclass(frozen=True)
class Fit(Footprint):
    """The footprint of a bundle, and what else is known of it before anything is flashed.

    ``stored_head_bytes``: of one of the two slots that keep learned heads. ``learning_ram_bytes``,
    in ``ram_bytes`` already, is not judged. ``estimates`` names the fields that are not measured
    alone. ``remedy``: what to do where it does not fit. ``other``: None where only one can run it.
    """

    model_id: str
    learning_ram_bytes: Use
    replay_ram_bytes: int
    exemplar_flash_bytes: int
    stored_head_bytes: Use
    stack_bytes: int
    latency_ms: float
    energy_uj: float
    estimates: tuple[str, ...]
    remedy: str = ""
    other: OtherEngine | None = None

    def document(self) -> dict[str, object]:
        """For --json."""
        return {"fits": self.fits, **asdict(self)}


def check_fit(
    *,
    model_id: str,
    engine: str,
    image_flash_bytes: int,
    image_ram_bytes: int,
    stack_bytes: int,
    engine_cycles: int,
    head_cycles: int,
    macs: int,
    tflite_bytes: int,
    net_flash_bytes: int,
    net_arena_bytes: int,
    tflm_arena_bytes: int,
    memory: LearningMemory,
    board: Board = NANO33BLE,
) -> Fit:
    """Judge an image that was built with the compiled engine.

    ``engine_cycles`` and ``head_cycles``: of one prediction up to the cut and after it, by the
    model of `pipeline.sim.cycles`. For the engine ``tflm`` the compiled network's weights and arena
    are exchanged for the .tflite file, TFLM's runtime and its arena, and its cycles are estimated
    from ``macs``.
    """
    application = Application(
        image_flash_bytes - net_flash_bytes, image_ram_bytes - net_arena_bytes, memory.store_pages
    )
    estimates = ["flash_bytes", "ram_bytes", "latency_ms", "energy_uj"]
    network = net_flash_bytes, net_arena_bytes
    if engine == "tflm":
        estimates.append("stack_bytes")
        network = tflite_bytes, tflm_arena_bytes
        engine_cycles = round(macs * TFLM_CYCLES_PER_MAC)
    seconds = board.seconds(engine_cycles + head_cycles)
    return Fit(
        **vars(footprint(application, engine, *network, board)),
        model_id=model_id,
        learning_ram_bytes=Use(memory.ram_bytes, LEARNING_RAM_LIMIT_BYTES),
        replay_ram_bytes=memory.replay_ram_bytes,
        exemplar_flash_bytes=memory.exemplar_flash_bytes,
        stored_head_bytes=Use(memory.record_bytes, memory.store_pages // 2 * PAGE_BYTES),
        stack_bytes=stack_bytes,
        latency_ms=round(seconds * 1e3, 3),
        energy_uj=round(seconds * board.active_watts * 1e6, 3),
        estimates=tuple(estimates),
    )


def least_footprint(bundle: Bundle) -> Footprint:
    """What is known of a bundle without building anything, in engine ``tflm`` where that can run
    it: the board's own software, TFLite-Micro, the network, and what learning takes; our code comes
    on top."""
    memory = bundle.learning_memory
    known = Application(memory.flash_bytes, memory.ram_bytes, memory.store_pages)
    if bundle.streams:
        net = bundle.engine
        return footprint(known, "compiled", net.weights_bytes, net.arena_bytes)
    return footprint(known, "tflm", len(bundle.extractor), bundle.tflm_arena_bytes)


@dataclass(frozen=True)
class LearningOptions:
    """Options of `har quantize` that decide what learning takes: ``memory``."""

    spare: int
    replay: int
    exemplars: int
    memory: LearningMemory

    def __str__(self) -> str:
        return f"--replay {self.replay} --spare {self.spare} --exemplars {self.exemplars}"


_FEWER_WINDOWS = (24, 12, 6, 3)


def smaller_options(
    shape: HeadShape, shipped: int, capacity: int, each: int
) -> Iterator[LearningOptions]:
    """Less and less than ``capacity`` windows to keep, the head's spare rows and ``each`` exemplars
    of an activity: fewer windows, then no spare rows, then no exemplars."""
    for exemplars in dict.fromkeys((each, 0)):
        for spare in dict.fromkeys((shape.rows - shipped, 0)):
            for replay in (capacity, *(fewer for fewer in _FEWER_WINDOWS if fewer < capacity)):
                smaller = replace(shape, rows=shipped + spare)
                memory = learning_memory(smaller, shipped, replay, exemplars * shipped)
                yield LearningOptions(spare, replay, exemplars, memory)


def remedy(fitting: LearningOptions | None, engine: str) -> str:
    """What to do about a bundle that does not fit, of which ``fitting`` would."""
    if fitting:
        return f"less room to learn fits: har quantize {fitting}"
    other = ", or the compiled engine" if engine == "tflm" else ""
    return f"no room to learn is small enough: take a smaller network{other}"


def fit_bundle(directory: Path, engine: str, build_directory: Path) -> Fit:
    """Build the bundle in ``directory``, count on the emulated core, and judge it.

    Raises:
        InputError: an unknown engine or a damaged bundle.
        ExternalError: a missing tool.
    """
    if engine not in ENGINES:
        raise InputError(f"unknown engine {engine!r}; choose {' or '.join(ENGINES)}")
    bundle = load_bundle(directory)
    if bundle.streams and engine == "tflm":
        raise InputError(
            f"{directory} answers every {bundle.answer_samples} samples, which only the compiled "
            "engine does: add --engine compiled"
        )
    generated = build_directory / "generated"
    emit(bundle, generated)
    image = build_image(UNBOUNDED, "mps2", build_directory / "firmware-unbounded", generated)
    counts = bench("mps2", image)
    cost = network_cost(bundle.model_id, bundle.engine)
    judge = partial(
        check_fit,
        model_id=bundle.model_id,
        stack_bytes=counts.stack_used_bytes,
        engine_cycles=cost.cycles_model,
        # Few next to the engine's: at as many cycles an instruction as those take.
        head_cycles=round(counts.head * cost.cycles_model / cost.instructions),
        macs=bundle.macs,
        tflite_bytes=len(bundle.extractor),
        net_flash_bytes=image.sizes.weights_bytes,
        net_arena_bytes=bundle.engine.arena_bytes,
        tflm_arena_bytes=bundle.tflm_arena_bytes,
    )
    own = bundle.learning_memory

    def with_memory(memory: LearningMemory, engine: str = engine) -> Fit:
        return judge(
            engine=engine,
            image_flash_bytes=image.sizes.flash_bytes - own.flash_bytes + memory.flash_bytes,
            image_ram_bytes=image.sizes.ram_bytes - own.ram_bytes + memory.ram_bytes,
            memory=memory,
        )

    fit = with_memory(own)
    if not bundle.streams:
        (second,) = (each for each in ENGINES if each != engine)
        unasked = with_memory(own, second)
        other = OtherEngine(
            engine=second,
            flash_bytes=unasked.flash_bytes.used,
            ram_bytes=unasked.ram_bytes.used,
            latency_ms=unasked.latency_ms,
            energy_uj=unasked.energy_uj,
        )
        fit = replace(fit, other=other)
    if fit.fits:
        return fit
    activities, sizes = len(bundle.activities), bundle.replay
    each = -(-sizes.exemplars // activities)
    less = smaller_options(bundle.shape, activities, sizes.capacity, each)
    fits = (options for options in less if with_memory(options.memory).fits)
    return replace(fit, remedy=remedy(next(fits, None), engine))

"""Emit, build, boot, count: what a bundle takes of a board, measured on the emulated core."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.bundle.bundle import Bundle, load_bundle
from pipeline.bundle.emit import emit
from pipeline.bundle.fit import Fit, LearningMemory, check_fit, learning_memory_of, remedy, rooms
from pipeline.core.errors import InputError
from pipeline.head import HeadShape
from pipeline.models import shape_of
from pipeline.sim.bench import Bench, bench
from pipeline.sim.boards import NANO33BLE, Board
from pipeline.sim.build import UNBOUNDED, FirmwareImage, build_firmware, build_image
from pipeline.sim.emulator import Target
from pipeline.sim.head_bench import bench_heads

ENGINES = ("compiled", "tflm")


def bench_bundle(directory: Path, target: Target, build_directory: Path) -> Bench:
    """Counts one prediction and one update of the bundle in ``directory`` on ``target``; where that
    counts instructions, also learning with the head of each cut of the bundle's backbone.

    Raises InputError for a damaged bundle, ExternalError for a missing tool.
    """
    generated, build = build_directory / "generated", build_directory / f"firmware-{target}"
    bundle = load_bundle(directory)
    emit(bundle, generated)
    counts = _bench(target, build_firmware(target, generated, build))
    if target != "mps2":
        return counts
    cost = bench_heads(
        build_image("har_learner_bench", target, build, generated),
        head_shapes(bundle),
        bundle.cut,
        len(bundle.activities),
        bundle.new_learner().learning,
        bundle.replay.capacity,
        bundle.replay.exemplars,
    )
    return replace(counts, learning=cost)


def head_shapes(bundle: Bundle) -> dict[str, HeadShape]:
    """The head of each cut of the bundle's backbone: the bundle's own, and what the others would
    be. Image networks have cut fc only."""
    if bundle.spectrogram:
        return {bundle.cut: bundle.shape}
    backbone, rows, lengths = shape_of(bundle.provenance.backbone), bundle.rows, []
    length = bundle.window_samples
    for _, stride in backbone.stages:  # valid padding
        length = (length - backbone.kernel) // stride + 1
        lengths.append(length)
    *frozen, channels, filters = (width for width, _ in backbone.stages)
    kept, stride = sum(frozen) + channels, backbone.stages[-1][1]
    features = kept + filters
    shapes = {
        "fc": HeadShape(features, rows, features),
        "fxc1": HeadShape(features, rows, kept, lengths[-1], channels, filters),
        "fxc2": HeadShape(
            features, rows, kept, lengths[-2], channels, filters, backbone.kernel, stride
        ),
    }
    return {**shapes, bundle.cut: bundle.shape}


def fit_bundle(
    directory: Path, engine: str, build_directory: Path, *, board: Board = NANO33BLE
) -> Fit:
    """Judges the bundle in ``directory`` against ``board``.

    Raises as `bench_bundle`, and InputError for an unknown engine.
    """
    if engine not in ENGINES:
        raise InputError(f"unknown engine {engine!r}; choose {' or '.join(ENGINES)}")
    bundle = load_bundle(directory)
    generated = build_directory / "generated"
    emit(bundle, generated)
    image = build_image(UNBOUNDED, "mps2", build_directory / "firmware-unbounded", generated)
    counts = _bench("mps2", image)
    judge = partial(
        check_fit,
        model_id=bundle.model_id,
        engine=engine,
        stack_bytes=counts.stack_used_bytes,
        instructions=counts.inference,
        head_instructions=counts.head,
        macs=bundle.macs,
        tflite_bytes=len(bundle.extractor),
        net_flash_bytes=image.sizes.weights_bytes,
        net_arena_bytes=bundle.compiled.arena_bytes,
        tflm_arena_bytes=bundle.tflm_arena_bytes,
        board=board,
    )
    own = learning_memory_of(bundle)
    own_flash = own.exemplar_flash_bytes + 4 * bundle.shape.parameters

    def with_room(memory: LearningMemory, flash_bytes: int) -> Fit:
        return judge(
            image_flash_bytes=image.sizes.flash_bytes - own_flash + flash_bytes,
            image_ram_bytes=image.sizes.ram_bytes - own.ram_bytes + memory.ram_bytes,
            memory=memory,
        )

    fit = with_room(own, own_flash)
    if fit.fits:
        return fit
    activities, sizes = len(bundle.activities), bundle.replay
    less = rooms(bundle.shape, activities, sizes.capacity, -(-sizes.exemplars // activities))
    fits = (room for room in less if with_room(room.memory, room.flash_bytes).fits)
    return replace(fit, remedy=remedy(next(fits, None), engine))


def _bench(target: Target, image: FirmwareImage) -> Bench:
    with tempfile.TemporaryDirectory() as scratch:
        return bench(target, image.path, Path(scratch) / "flash.img")

"""Emit, build, boot, count: what a bundle takes of a board, measured on the emulated core."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pipeline.device.bench import Bench, bench
from pipeline.device.boards import NANO33BLE, Board
from pipeline.device.emulator import Target
from pipeline.device.firmware import UNBOUNDED, FirmwareImage, build_firmware, build_image
from pipeline.errors import InputError
from pipeline.export.bundle import EXTRACTOR, load_bundle
from pipeline.export.emit import emit
from pipeline.export.fit import Fit, check_fit
from pipeline.learn import payload_bytes

ENGINES = ("compiled", "tflm")


def bench_bundle(directory: Path, target: Target, build_directory: Path) -> Bench:
    """Counts one prediction and one update of the bundle in ``directory`` on ``target``.

    Raises InputError for a damaged bundle, WorldError for a missing tool.
    """
    generated = build_directory / "generated"
    emit(directory, generated)
    return _bench(target, build_firmware(target, generated, build_directory / f"firmware-{target}"))


def fit_bundle(
    directory: Path, engine: str, build_directory: Path, *, board: Board = NANO33BLE
) -> Fit:
    """Judges the bundle in ``directory`` against ``board``.

    Raises as `bench_bundle`, and InputError for an unknown engine.
    """
    from pipeline.compiler import compile_model

    if engine not in ENGINES:
        raise InputError(f"unknown engine {engine!r}; choose {' or '.join(ENGINES)}")
    bundle = load_bundle(directory)
    generated = build_directory / "generated"
    emit(directory, generated)
    image = build_image(UNBOUNDED, "mps2", build_directory / "firmware-unbounded", generated)
    counts = _bench("mps2", image)
    model = (directory / EXTRACTOR).read_bytes()
    return check_fit(
        model_id=bundle.model_id,
        engine=engine,
        image_flash_bytes=image.sizes.flash_bytes,
        image_ram_bytes=image.sizes.ram_bytes,
        stack_bytes=counts.stack_used_bytes,
        instructions=counts.inference,
        tail_instructions=counts.tail,
        macs=bundle.macs,
        tflite_bytes=len(model),
        net_flash_bytes=image.sizes.weights_bytes,
        net_arena_bytes=compile_model(model).arena_bytes,
        tflm_arena_bytes=bundle.tflm_arena_bytes,
        head_bytes=payload_bytes(bundle.features, len(bundle.activities)),
        board=board,
    )


def _bench(target: Target, image: FirmwareImage) -> Bench:
    with tempfile.TemporaryDirectory() as scratch:
        return bench(target, image.path, Path(scratch) / "flash.img")

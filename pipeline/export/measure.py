"""Emit, build, boot, count: what a bundle takes of a board, measured on the emulated core."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pipeline.device.bench import Bench, bench
from pipeline.device.emulator import Target
from pipeline.device.firmware import FirmwareImage, build_firmware
from pipeline.errors import InputError
from pipeline.export.bundle import EXTRACTOR, Bundle, load_bundle
from pipeline.export.emit import emit
from pipeline.export.fit import Fit, check_fit

ENGINES = ("compiled", "tflm")


def bench_bundle(directory: Path, target: Target, build_directory: Path) -> Bench:
    """Counts one prediction and one update of the bundle in ``directory`` on ``target``.

    Raises InputError for a damaged bundle, WorldError for a missing tool.
    """
    _, image = _build(directory, target, build_directory)
    return _bench(target, image)


def fit_bundle(directory: Path, engine: str, build_directory: Path) -> Fit:
    """Judges the bundle in ``directory`` against the Nano 33 BLE Sense.

    Raises as `bench_bundle`, and InputError for an unknown engine.
    """
    from pipeline.compiler import compile_model

    if engine not in ENGINES:
        raise InputError(f"unknown engine {engine!r}; choose {' or '.join(ENGINES)}")
    bundle, image = _build(directory, "mps2", build_directory)
    counts = _bench("mps2", image)
    model = (directory / EXTRACTOR).read_bytes()
    compiled = compile_model(model)
    return check_fit(
        model_id=bundle.model_id,
        engine=engine,
        image_flash_bytes=image.sizes.flash_bytes,
        image_ram_bytes=image.sizes.ram_bytes,
        stack_bytes=counts.stack_used_bytes,
        instructions=counts.inference,
        tflite_bytes=len(model),
        net_flash_bytes=image.sizes.weights_bytes,
        net_arena_bytes=compiled.arena_bytes,
        tflm_arena_bytes=bundle.tflm_arena_bytes,
    )


def _build(directory: Path, target: Target, build_directory: Path) -> tuple[Bundle, FirmwareImage]:
    bundle = load_bundle(directory)
    generated = build_directory / "generated"
    emit(directory, generated)
    return bundle, build_firmware(target, generated, build_directory / f"firmware-{target}")


def _bench(target: Target, image: FirmwareImage) -> Bench:
    with tempfile.TemporaryDirectory() as scratch:
        return bench(target, image.path, Path(scratch) / "flash.img")

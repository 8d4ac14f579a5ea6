"""A variant's file in the engines that a board can have: TFLite-Micro, and the compiled one."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.compiler import UnsupportedModel, compile_model, run_tflm
from pipeline.compiler.oracle import tflm_arena_bytes
from pipeline.core.errors import CheckFailed, ExternalError
from pipeline.core.types import Array
from pipeline.experiments.variants.files import predict_litert
from pipeline.experiments.variants.settings import CHECKED_WINDOWS
from pipeline.sim.parity import run_compiled, run_parity

_PARITY_INPUTS = 4
_TIMEOUT_S = 3600.0  # of all test windows in TFLite-Micro
_OPERATOR = re.compile(r"Node (\w+) \(number")


@dataclass(frozen=True)
class EngineFigures:
    """``tflm_arena_bytes``: None where TFLite-Micro refuses the file. ``flash_bytes``,
    ``ram_bytes`` and ``instructions`` of the compiled engine on a Cortex-M4F: None where it does
    not take the file, or the tools to build it are missing, which is ``unmeasured``. ``limits``:
    why, one sentence each."""

    tflm_arena_bytes: int | None
    flash_bytes: int | None
    ram_bytes: int | None
    instructions: int | None
    limits: tuple[str, ...]
    unmeasured: bool = False


def engine_figures(model: bytes, *, quantized: bool, seed: int) -> EngineFigures:
    """Runs the file in TFLite-Micro and, int8, builds it for the emulated Cortex-M4F. Raises
    ExternalError where both engines are there and their answers differ."""
    limits = []
    arena = None
    try:
        arena = tflm_arena_bytes(model)
    except CheckFailed as error:
        operator = _OPERATOR.search(str(error))
        why = f"operator {operator[1]}." if operator else _sentence(error)
        limits.append(f"TFLite-Micro does not run it: {why}")
    if not quantized:
        limits.append("The compiled engine takes int8 networks only.")
        return EngineFigures(arena, None, None, None, tuple(limits))
    try:
        compile_model(model)
    except CheckFailed as error:
        limits.append(f"The compiled engine does not take it: {_sentence(error)}")
        return EngineFigures(arena, None, None, None, tuple(limits))
    with tempfile.TemporaryDirectory(prefix="har-variant-") as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(model)
        try:
            report = run_parity(path, _PARITY_INPUTS, seed, "mps2")
        except (ExternalError, CheckFailed) as error:
            limits.append(f"The compiled engine was not measured: {_sentence(error)}")
            missing = isinstance(error, ExternalError)
            return EngineFigures(arena, None, None, None, tuple(limits), unmeasured=missing)
    if report.mismatches:
        raise ExternalError(
            f"the compiled engine differs from TFLite-Micro on {report.mismatches} of "
            f"{report.compared} inputs; run `har parity` on the file"
        )
    return EngineFigures(
        arena, report.flash_bytes, report.arena_bytes, report.instructions, tuple(limits)
    )


@dataclass(frozen=True, eq=False)
class Answers:
    """``classes`` (N,) by ``engine``; on ``checked`` windows the other engine gave the same
    bytes."""

    classes: Array
    engine: str
    checked: int


def predict_int8(model: bytes, inputs: Array) -> Answers:
    """Engine inputs int8 (N, ...) -> classes, by the compiled engine on this machine where it takes
    the file, which is quicker, else by TFLite-Micro, else by LiteRT. Raises ExternalError where
    both
    engines of a board run and differ."""
    few = inputs[np.linspace(0, len(inputs) - 1, min(CHECKED_WINDOWS, len(inputs))).astype(int)]
    try:
        ours = run_compiled(compile_model(model), np.concatenate([few, inputs]))
    except (UnsupportedModel, ExternalError):
        try:
            outputs = run_tflm(model, inputs, timeout_s=_TIMEOUT_S).outputs[0]
        except CheckFailed:
            return Answers(predict_litert(model, inputs), "litert", 0)
        return Answers(outputs.reshape(len(inputs), -1).argmax(axis=1), "tflm", 0)
    theirs = run_tflm(model, few).outputs[0].reshape(len(few), -1)
    different = int((ours[: len(few)] != theirs).any(axis=1).sum())
    if different:
        raise ExternalError(
            f"the compiled engine differs from TFLite-Micro on {different} of {len(few)} test "
            "windows; run `har parity` on the file"
        )
    return Answers(ours[len(few) :].argmax(axis=1), "compiled", len(few))


def _sentence(error: Exception) -> str:
    """One line that ends with a full stop."""
    line = " ".join(str(error).split())[:220].rstrip(".")
    return line + "."

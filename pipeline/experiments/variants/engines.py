"""What a variant's file holds, and what it answers in LiteRT and in the engines that a board can
have: TFLite-Micro, and the compiled one; and whether a board takes it with the firmware around it,
of which an image is linked and what belongs to the network taken off."""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path

import numpy as np

from pipeline.bundle.emit import emit
from pipeline.bundle.footprint import Application, Footprint, footprint
from pipeline.bundle.quantize import quantize
from pipeline.compiler import UnsupportedModel, compile_model, run_tflm
from pipeline.compiler.oracle import tflm_arena_bytes
from pipeline.compiler.reader import read_model
from pipeline.core.errors import CheckFailed, ExternalError
from pipeline.core.files import build_cached
from pipeline.core.types import Array
from pipeline.experiments.variants.networks import Base, VariantTask
from pipeline.experiments.variants.request import CHECKED_WINDOWS
from pipeline.head.memory import STORE_PAGES_LEAST
from pipeline.sim.build import UNBOUNDED, build_image
from pipeline.sim.parity import run_compiled, run_parity
from pipeline.training import Pretrained
from pipeline.training.train import TrainCard, TrainedModel

_KINDS = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
}
_GZIP_LEVEL = 9
_PARITY_INPUTS = 4
_TIMEOUT_S = 3600.0  # of all test windows in TFLite-Micro
_OPERATOR = re.compile(r"Node (\w+) \(number")


@dataclass(frozen=True)
class FileFigures:
    """Bytes of the file, of it after gzip -9, and of all constants in it, ``bias_bytes`` of which
    are int32 biases. ``parameters``: weights and biases; ``nonzero`` of them are not 0."""

    bytes: int
    compressed_bytes: int
    weight_bytes: int
    bias_bytes: int
    parameters: int
    nonzero: int


def file_figures(model: bytes) -> FileFigures:
    """Of a .tflite. Raises InputError for an invalid file."""
    weight_bytes = bias_bytes = parameters = nonzero = 0
    for tensor in read_model(model).tensors:
        if tensor.data is None:
            continue
        weight_bytes += tensor.data.nbytes
        # Shapes, axes and the like are constants, too: int32 without a scale.
        if tensor.type in ("FLOAT32", "FLOAT16") or len(tensor.scales):
            values = np.frombuffer(tensor.data.tobytes(), _KINDS[tensor.type])
            parameters += prod(tensor.shape)
            nonzero += int(np.count_nonzero(values))
            bias_bytes += tensor.data.nbytes * (tensor.type == "INT32")
    return FileFigures(
        bytes=len(model),
        compressed_bytes=len(gzip.compress(model, _GZIP_LEVEL, mtime=0)),
        weight_bytes=weight_bytes,
        bias_bytes=bias_bytes,
        parameters=parameters,
        nonzero=nonzero,
    )


def predict_litert(model: bytes, inputs: Array) -> Array:
    """Inputs (N, ...) of the type that the .tflite takes -> the classes (N,) that LiteRT answers
    with."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    classes = np.empty(len(inputs), np.int64)
    for number, window in enumerate(inputs):
        interpreter.set_tensor(source, window[None])
        interpreter.invoke()
        classes[number] = interpreter.get_tensor(answer)[0].argmax()
    return classes


@dataclass(frozen=True)
class EngineFigures:
    """``arena_bytes``: None where TFLite-Micro refuses the file. ``engine_flash_bytes``,
    ``engine_ram_bytes`` and ``instructions`` of the compiled engine on a Cortex-M4F: None where it
    does not take the file, or the tools to build it are missing, which is ``unmeasured``.
    ``limits``: why, one sentence each."""

    limits: tuple[str, ...]
    arena_bytes: int | None
    engine_flash_bytes: int | None = None
    engine_ram_bytes: int | None = None
    instructions: int | None = None
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
        return EngineFigures((*limits,), arena)
    try:
        compile_model(model)
    except CheckFailed as error:
        limits.append(f"The compiled engine does not take it: {_sentence(error)}")
        return EngineFigures((*limits,), arena)
    with tempfile.TemporaryDirectory(prefix="har-variant-") as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(model)
        try:
            report = run_parity(path, _PARITY_INPUTS, seed, "mps2")
        except (ExternalError, CheckFailed) as error:
            limits.append(f"The compiled engine was not measured: {_sentence(error)}")
            missing = isinstance(error, ExternalError)
            return EngineFigures((*limits,), arena, unmeasured=missing)
    if report.mismatches:
        raise ExternalError(
            f"the compiled engine differs from TFLite-Micro on {report.mismatches} of "
            f"{report.compared} inputs; run `har parity` on the file"
        )
    return EngineFigures(
        (*limits,), arena, report.flash_bytes, report.arena_bytes, report.instructions
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
    both engines of a board run and differ."""
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


# ---- with the firmware around it -----------------------------------------------------------------

REPLAY_WINDOWS = 12
"""Labelled windows that the learner keeps in the image; a large network leaves room for few."""
EXEMPLARS = 1
"""Training subjects' windows of each activity in the image."""
NOTHING = Application(flash_bytes=0, ram_bytes=0, store_pages=STORE_PAGES_LEAST)
"""What does not fit even so fits in no case."""

_NET = r"har_net\.c\.o|har_kernels"
# Only sizes are asked for; training subjects must show every activity.
_TRAINING_WINDOWS, _OTHER_WINDOWS = 240, 24


def surroundings(base: Base, task: VariantTask, keep: Path) -> tuple[Application | None, str]:
    """What the application takes around this network on a board, and, where it cannot be measured,
    why not. Only a reason that holds on any machine is kept: a tool that is missing may be there
    next time."""

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        try:
            content = asdict(measure_around(base.network, task))
        except CheckFailed as error:
            content = {"reason": _line(error)}
        (folder / "around.json").write_text(json.dumps(content))

    # Neither weights nor seed change what is linked around them.
    plain = replace(base.origin, seed=0, weights="none", source="", source_sha256="")
    try:
        path = build_cached(plain.folder(keep, kind="around"), make) / "around.json"
    except ExternalError as error:
        return None, _line(error)
    content = json.loads(path.read_text())
    return (None, content["reason"]) if "reason" in content else (Application(**content), "")


def measure_around(pretrained: Pretrained, task: VariantTask) -> Application:
    """Links the application with this network's extractor, learning at cut ``fc``. Raises
    CheckFailed for a network that the engine does not take, ExternalError where the Arm tools are
    missing."""
    few = task.thinned(_TRAINING_WINDOWS, _OTHER_WINDOWS, _OTHER_WINDOWS)
    card = TrainCard.of(pretrained.card, few, pretrained.card.seed)
    with tempfile.TemporaryDirectory(prefix="har-around-") as scratch:
        folder = Path(scratch)
        bundle = quantize(
            TrainedModel(card, pretrained.model()),
            few,
            folder / "bundle",
            replay=REPLAY_WINDOWS,
            exemplars=EXEMPLARS,
        )
        emit(bundle, folder / "generated")
        image = build_image(UNBOUNDED, "mps2", folder / "build", folder / "generated")
        return Application(
            flash_bytes=image.sizes.flash_bytes - image.map.flash_bytes_from(_NET),
            ram_bytes=image.sizes.ram_bytes - bundle.compiled.arena_bytes,
            store_pages=bundle.learning_memory.store_pages,
        )


def fit_on_board(
    application: Application, engines: EngineFigures, file_bytes: int
) -> Footprint | None:
    """By the compiled engine where it takes the file, else by TFLite-Micro, else by none."""
    flash, ram = engines.engine_flash_bytes, engines.engine_ram_bytes
    if flash is not None and ram is not None:
        return footprint(application, "compiled", flash, ram)
    if engines.arena_bytes is not None:
        return footprint(application, "tflm", file_bytes, engines.arena_bytes)
    return None


def fits_board(fit: Footprint | None, *, alone: bool, unmeasured: bool) -> bool | None:
    """None: not measured. ``fit``: by an engine that runs the file, None without any; ``alone``:
    with nothing of ours around it, as that was not measured; ``unmeasured``: the compiled engine
    may need less."""
    if fit and fit.fits:
        return None if alone else True
    return None if unmeasured else False


def too_large(fit: Footprint, *, alone: bool = False) -> list[str]:
    """What does not fit, a sentence each. ``alone``: nothing of ours is around the network."""
    around = "the board's own software" if alone else "the firmware around it"
    return [
        f"Does not fit {fit.board} by engine {fit.engine}: with {around}, it takes "
        f"{use.used:,} of {use.limit:,} bytes of {what}."
        for what, use in fit.excess.items()
    ]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

"""Our int8 engine against TFLite-Micro, byte by byte, for any model the compiler takes.

Inputs and outputs travel through the exchange memory that firmware/tools/parity.h describes: a
file that the emulated core sees as RAM and the host program maps.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import ExternalError, InputError
from pipeline.core.types import Array
from pipeline.sim.build import FirmwareImage, build_image
from pipeline.sim.emulator import FLASH_FILE_BYTES, FLASH_REGION_BYTES, Target, exchange

if TYPE_CHECKING:
    from pipeline.compiler import CompiledModel

_HEADER = struct.Struct("<4s11I")
_INSTRUCTIONS = 1  # enum har_counter
_TIMEOUT_S = 60.0
_TIMEOUT_S_PER_MAC = 2e-7  # the emulated core does some 50 M instructions a second


@dataclass(frozen=True)
class ParityReport:
    """``compared`` inputs, of which ``mismatches`` gave other bytes than TFLite-Micro.

    ``distinct_outputs`` says how much that proves: a net with three answers agrees easily.
    flash_bytes: the net's constants and code with the kernels it calls; arena_bytes: its
    activations; instructions: of one inference, the largest, None where they are not counted.
    """

    model: str
    target: str
    compared: int
    distinct_outputs: int
    mismatches: int
    macs: int
    flash_bytes: int
    arena_bytes: int
    instructions: int | None


def run_parity(model: Path, inputs: int, seed: int, target: Target) -> ParityReport:
    """Compiles, builds and runs ``model`` on ``inputs`` seeded inputs, and TFLite-Micro on the
    same.

    Raises InputError for a file that is no .tflite or inputs beyond the exchange memory,
    CheckFailed naming the operators that are not supported, ExternalError for a missing tool.
    """
    from pipeline.compiler import compile_model
    from pipeline.compiler.oracle import run_tflm

    content = read_tflite(model)
    compiled = compile_model(content)
    source = compiled.inputs[0]
    x = parity_inputs(inputs, tuple(source.shape[1:]), source.zero_point, seed)
    with tempfile.TemporaryDirectory(prefix="har-parity-") as scratch:
        folder = Path(scratch)
        image = build_net("har_parity", compiled, target, folder)
        run = run_net(compiled, image, x)
        flash_bytes = image.map.flash_bytes_from(r"har_net\.c\.o|har_kernels")
    oracle = run_tflm(content, x)
    theirs = np.concatenate([np.reshape(out, (inputs, -1)) for out in oracle.outputs], axis=1)
    return ParityReport(
        model=str(model),
        target=target,
        compared=inputs,
        distinct_outputs=len(np.unique(run.outputs, axis=0)),
        mismatches=int((run.outputs != theirs).any(axis=1).sum()),
        macs=compiled.macs,
        flash_bytes=flash_bytes,
        arena_bytes=compiled.arena_bytes,
        instructions=int(run.counts.max()) if run.counts is not None else None,
    )


@dataclass(frozen=True)
class StreamingReport:
    """``compared`` windows that ended with a hop of ``hop`` samples, of which ``mismatches`` gave
    other bytes than TFLite-Micro of the whole window; ``restarts``: starts and gaps in between.
    instructions: of one hop, the largest, None where they are not counted."""

    model: str
    target: str
    hop: int
    compared: int
    distinct_outputs: int
    mismatches: int
    restarts: int
    macs: int
    arena_bytes: int
    instructions: int | None


def run_streaming_parity(
    model: Path, hop: int | None, windows: int, seed: int, target: Target
) -> StreamingReport:
    """Streams seeded samples, with restarts at random, through a network that answers every ``hop``
    samples (an eighth of a window if None), and compares ``windows`` answers with TFLite-Micro's.

    Raises as `run_parity`, and UnsupportedModel for a network or a hop that cannot stream.
    """
    from pipeline.compiler import compile_model
    from pipeline.compiler.oracle import run_tflm

    content = read_tflite(model)
    source = compile_model(content).inputs[0]
    length, channels = max(source.shape), source.shape[-1]
    hop = length // 8 if hop is None else hop
    compiled = compile_model(content, hop=hop)
    needed = -(-length // hop)
    rng = np.random.default_rng(seed)
    hops: list[Array] = []
    marks: list[bool] = []
    compared: list[tuple[int, Array]] = []  # (hop that ends the window, its samples)
    while len(compared) < windows:
        runs = needed + int(rng.integers(-2, max(windows // 3, 4)))  # some never fill a window
        runs = min(max(runs, 1), needed + windows - len(compared) - 1)
        samples = parity_inputs(
            1, (runs * hop, channels), source.zero_point, int(rng.integers(1 << 30))
        )[0]
        for run in range(runs):
            hops.append(samples[run * hop : (run + 1) * hop])
            marks.append(run == 0)
            if run + 1 >= needed:
                end = (run + 1) * hop
                compared.append((len(hops) - 1, samples[end - length : end]))
    with tempfile.TemporaryDirectory(prefix="har-parity-") as scratch:
        image = build_net("har_parity", compiled, target, Path(scratch))
        run_of = run_net(compiled, image, np.stack(hops), restarts=np.array(marks))
    whole = np.stack([samples for _, samples in compared]).reshape(-1, *source.shape[1:])
    oracle = run_tflm(content, whole)
    theirs = np.concatenate([np.reshape(out, (windows, -1)) for out in oracle.outputs], axis=1)
    ours = run_of.outputs[[at for at, _ in compared]]
    return StreamingReport(
        model=str(model),
        target=target,
        hop=hop,
        compared=windows,
        distinct_outputs=len(np.unique(ours, axis=0)),
        mismatches=int((ours != theirs).any(axis=1).sum()),
        restarts=sum(marks),
        macs=compiled.macs,
        arena_bytes=compiled.arena_bytes,
        instructions=int(run_of.counts.max()) if run_of.counts is not None else None,
    )


def read_tflite(path: Path) -> bytes:
    """The content of a model's file. Raises InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def run_compiled(compiled: CompiledModel, x: Array, target: Target = "host") -> Array:
    """Builds a compiled net for ``target`` and runs it on int8 inputs (N, ...).

    Returns int8 (N, bytes of all outputs, one after another). Any number of inputs; raises
    ExternalError for a missing tool or a net that stops.
    """
    most = _most_inputs(x[0].size, _output_bytes(compiled))
    with tempfile.TemporaryDirectory(prefix="har-engine-") as scratch:
        folder = Path(scratch)
        image = build_net("har_parity", compiled, target, folder)
        parts = [
            run_net(compiled, image, x[start : start + most]).outputs
            for start in range(0, len(x), most)
        ]
    return np.concatenate(parts)


def build_net(name: str, compiled: CompiledModel, target: Target, folder: Path) -> FirmwareImage:
    """Builds a compiled net for ``target`` into ``folder``: ``name`` is har_parity or har_profile.
    Raises as `build_image`."""
    generated = folder / "generated"
    generated.mkdir(exist_ok=True)
    for file, text in compiled.sources.items():
        (generated / file).write_text(text)
    return build_image(name, target, folder / "build", generated)


def _output_bytes(compiled: CompiledModel) -> int:
    return sum(int(np.prod(tensor.shape)) for tensor in compiled.outputs)


def _most_inputs(input_bytes: int, output_bytes: int, steps: int = 0) -> int:
    """How many inputs fit the exchange memory with their counts and outputs."""
    room = FLASH_FILE_BYTES - FLASH_REGION_BYTES - _HEADER.size - 4 * steps
    return room // (4 + input_bytes + output_bytes)


@dataclass(frozen=True, eq=False)
class NetRun:
    """``outputs`` int8 (N, bytes of all outputs). Where instructions are counted: ``counts`` (N,)
    of each inference and ``stack_bytes`` that the net needs; else None. ``step_counts``: of a
    har_profile, of each step, the largest of all inputs."""

    outputs: Array
    counts: Array | None
    stack_bytes: int | None
    step_counts: tuple[int, ...]


def run_net(
    compiled: CompiledModel,
    image: FirmwareImage,
    x: Array,
    options: tuple[str, ...] = (),
    restarts: Array | None = None,
) -> NetRun:
    """Runs an image that `build_net` made of ``compiled`` on int8 inputs (N, ...). ``options``:
    more of QEMU's; ``restarts``, of a net that streams: whether one comes before each input, else
    before the first. Raises InputError for inputs beyond the exchange memory, ExternalError for a
    net that stops."""
    target, output_bytes, steps = image.target, _output_bytes(compiled), len(compiled.layers)
    inputs, input_bytes = len(x), x[0].size
    timeout_s = _TIMEOUT_S + _TIMEOUT_S_PER_MAC * compiled.macs * inputs
    steps_at = _HEADER.size
    counts_at = steps_at + 4 * steps
    inputs_at = counts_at + 4 * inputs
    outputs_at = inputs_at + inputs * input_bytes
    if inputs > (most := _most_inputs(input_bytes, output_bytes, steps)):
        raise InputError(f"{inputs} inputs do not fit the exchange memory; give at most {most}")
    header = _HEADER.pack(
        *(b"HARP", inputs, input_bytes, output_bytes, counts_at, inputs_at, outputs_at),
        *(0, 0, 0, steps_at, steps),
    )
    marks = np.arange(inputs) == 0 if restarts is None else restarts
    memory = exchange(
        target,
        image.path,
        header.ljust(counts_at, b"\0") + marks.astype("<u4").tobytes() + x.tobytes(),
        outputs_at + inputs * output_bytes,
        timeout_s,
        "the net",
        "give fewer inputs",
        options,
    )
    done, unit, stack_bytes = _HEADER.unpack_from(memory)[7:10]
    if done != inputs:
        raise ExternalError(f"only {done} of {inputs} inputs ran; run it again")
    counted = unit == _INSTRUCTIONS
    outputs = np.frombuffer(memory, np.int8, inputs * output_bytes, outputs_at)
    return NetRun(
        outputs=outputs.reshape(inputs, output_bytes),
        counts=np.frombuffer(memory, "<u4", inputs, counts_at) if counted else None,
        stack_bytes=stack_bytes if counted else None,
        step_counts=tuple(np.frombuffer(memory, "<u4", steps, steps_at).tolist()),
    )


Int8Array = npt.NDArray[np.int8]


def parity_inputs(count: int, shape: tuple[int, ...], zero_point: int, seed: int) -> Int8Array:
    """(count, *shape) int8: the extremes first, then noise and smooth signals in turn.

    Fewer than all extremes are used when `count` is small, so that every count sees the rest.
    """
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape))
    makers: list[Callable[[], npt.NDArray[np.float64]]] = [
        lambda: rng.integers(-128, 128, size).astype(float),
        lambda: zero_point + rng.normal(0.0, rng.uniform(1.0, 60.0), size),
        lambda: zero_point + _waves(rng, shape),
        lambda: zero_point + _walk(rng, shape),
    ]
    extremes = _extremes(size, zero_point)[: count // 2]
    rows = extremes + [makers[i % len(makers)]() for i in range(count - len(extremes))]
    rounded = np.clip(np.rint(np.stack(rows)), -128, 127).astype(np.int8)
    return rounded.reshape(count, *shape)


def _extremes(size: int, zero_point: int) -> list[npt.NDArray[np.float64]]:
    ramp = np.linspace(-128.0, 127.0, size)
    alternating = np.where(np.arange(size) % 2 == 0, -128.0, 127.0)
    flat = [np.full(size, float(value)) for value in (-128, 127, zero_point)]
    return [*flat, ramp, ramp[::-1], alternating, -1.0 - alternating]


def _time_and_lanes(shape: tuple[int, ...]) -> tuple[int, int]:
    """Signals run along all axes but the last, which holds channels."""
    lanes = shape[-1] if len(shape) > 1 else 1
    return int(np.prod(shape)) // lanes, lanes


def _waves(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    steps, lanes = _time_and_lanes(shape)
    turns = rng.uniform(0.5, 8.0, lanes) * np.arange(steps)[:, None] / steps
    phase = rng.uniform(0.0, 1.0, lanes)
    height = rng.uniform(5.0, 140.0, lanes)
    waves: npt.NDArray[np.float64] = height * np.sin(2 * np.pi * (turns + phase))
    return (waves + rng.normal(0, 2, (steps, lanes))).ravel()


def _walk(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    steps, lanes = _time_and_lanes(shape)
    stride = rng.uniform(0.5, 12.0, lanes)
    walk: npt.NDArray[np.float64] = np.cumsum(rng.normal(size=(steps, lanes)) * stride, axis=0)
    return walk.ravel()

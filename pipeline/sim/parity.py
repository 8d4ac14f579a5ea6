"""Our engine against TFLite-Micro, byte by byte, for any model the compiler takes.

Inputs and outputs travel through the exchange memory that firmware/tools/parity.h describes: a
file that the emulated core sees as RAM and the host program maps.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import ExternalError, InputError
from pipeline.core.types import Array
from pipeline.sim.build import FirmwareImage, build_image
from pipeline.sim.emulator import EXCHANGE_BYTES, FLASH_REGION_BYTES, Target, exchange

if TYPE_CHECKING:
    from pipeline.compiler import CompiledModel, TensorInfo

Int8Array = npt.NDArray[np.int8]

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
    x = network_inputs(compiled, inputs, seed)
    with tempfile.TemporaryDirectory(prefix="har-parity-") as scratch:
        folder = Path(scratch)
        image = build_net("har_parity", compiled, target, folder)
        run = run_net(compiled, image, *x)
        flash_bytes = image.map.flash_bytes_from(r"har_net\.c\.o|har_kernels")
    theirs = _rows(run_tflm(content, *x).outputs)
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
    (source, *_) = compile_model(content).inputs
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
        shape, seed_of_them = (runs * hop, channels), int(rng.integers(1 << 30))
        (samples,) = _as_model_has(source, parity_inputs(1, shape, source.zero_point, seed_of_them))
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
    theirs = _rows(run_tflm(content, whole).outputs)
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


def run_compiled(compiled: CompiledModel, *inputs: Array, target: Target = "host") -> Array:
    """Builds a compiled net for ``target`` and runs it on N inputs, however many. ``inputs``: of
    each input of the net (N, ...), int8 or float32.

    Returns int8 (N, bytes of all outputs, one after another). Raises ExternalError for a missing
    tool or a net that stops.
    """
    most = _most_inputs(_padded_bytes(compiled.inputs), _padded_bytes(compiled.outputs))
    with tempfile.TemporaryDirectory(prefix="har-engine-") as scratch:
        folder = Path(scratch)
        image = build_net("har_parity", compiled, target, folder)
        parts = [
            run_net(compiled, image, *(x[start : start + most] for x in inputs)).outputs
            for start in range(0, len(inputs[0]), most)
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


def _padded_bytes(tensors: tuple[TensorInfo, ...]) -> int:
    """Of a row in the exchange memory, where each input and output begins at a multiple of 4."""
    return sum(-(-tensor.model_bytes // 4) * 4 for tensor in tensors)


def _rows(arrays: Sequence[Array], alignment: int = 1) -> Int8Array:
    """(N, ...) each, int8 or float32 -> the bytes of each in a row (N, bytes)."""
    parts = []
    for array in arrays:
        part = np.ascontiguousarray(array).reshape(len(array), -1).view(np.int8)
        parts.append(np.pad(part, ((0, 0), (0, -part.shape[1] % alignment))))
    return np.concatenate(parts, axis=1)


def _without_padding(rows: Int8Array, tensors: tuple[TensorInfo, ...]) -> Int8Array:
    parts, start = [], 0
    for tensor in tensors:
        parts.append(rows[:, start : start + tensor.model_bytes])
        start += _padded_bytes((tensor,))
    return np.concatenate(parts, axis=1)


def _most_inputs(input_bytes: int, output_bytes: int, steps: int = 0) -> int:
    """How many inputs fit the exchange memory with their counts and outputs."""
    room = EXCHANGE_BYTES - FLASH_REGION_BYTES - _HEADER.size - 4 * steps
    return room // (4 + input_bytes + output_bytes)


@dataclass(frozen=True, eq=False)
class NetRun:
    """``outputs`` (N, bytes of all outputs), of float32 ones four a value. Where instructions are
    counted: ``counts`` (N,) of each inference and ``stack_bytes`` that the net needs; else None.
    ``step_counts``: of a har_profile, of each step, the largest of all inputs."""

    outputs: Array
    counts: Array | None
    stack_bytes: int | None
    step_counts: tuple[int, ...]


def run_net(
    compiled: CompiledModel,
    image: FirmwareImage,
    *inputs: Array,
    options: tuple[str, ...] = (),
    restarts: Array | None = None,
) -> NetRun:
    """Runs an image that `build_net` made of ``compiled`` on N inputs: of each input of the net (N,
    ...), int8 or float32. ``options``: more of QEMU's; ``restarts``, of a net that streams: whether
    one comes before each input, else before the first. Raises InputError for inputs beyond the
    exchange memory, ExternalError for a net that stops."""
    target, steps = image.target, len(compiled.layers)
    rows, output_bytes = _rows(inputs, alignment=4), _padded_bytes(compiled.outputs)
    count, input_bytes = rows.shape
    timeout_s = _TIMEOUT_S + _TIMEOUT_S_PER_MAC * compiled.macs * count
    steps_at = _HEADER.size
    counts_at = steps_at + 4 * steps
    inputs_at = counts_at + 4 * count
    outputs_at = inputs_at + count * input_bytes
    if count > (most := _most_inputs(input_bytes, output_bytes, steps)):
        raise InputError(f"{count} inputs do not fit the exchange memory; give at most {most}")
    header = _HEADER.pack(
        *(b"HARP", count, input_bytes, output_bytes, counts_at, inputs_at, outputs_at),
        *(0, 0, 0, steps_at, steps),
    )
    marks = np.arange(count) == 0 if restarts is None else restarts
    memory = exchange(
        target,
        image.path,
        header.ljust(counts_at, b"\0") + marks.astype("<u4").tobytes() + rows.tobytes(),
        outputs_at + count * output_bytes,
        timeout_s,
        "the net",
        "give fewer inputs",
        options,
    )
    done, unit, stack_bytes = _HEADER.unpack_from(memory)[7:10]
    if done != count:
        raise ExternalError(f"only {done} of {count} inputs ran; run it again")
    counted = unit == _INSTRUCTIONS
    outputs = np.frombuffer(memory, np.int8, count * output_bytes, outputs_at)
    return NetRun(
        outputs=_without_padding(outputs.reshape(count, output_bytes), compiled.outputs),
        counts=np.frombuffer(memory, "<u4", count, counts_at) if counted else None,
        stack_bytes=stack_bytes if counted else None,
        step_counts=tuple(np.frombuffer(memory, "<u4", steps, steps_at).tolist()),
    )


def network_inputs(compiled: CompiledModel, count: int, seed: int) -> list[Array]:
    """Of each input of a net (count, ...), int8 or float32, all from one random stream."""
    rng = np.random.default_rng(seed)
    return [
        _as_model_has(info, parity_inputs(count, info.shape[1:], info.zero_point, rng))
        for info in compiled.inputs
    ]


def _as_model_has(info: TensorInfo, q: Int8Array) -> Array:
    """int8 or, of a float32 input, values that lie on, between and half between its steps, and
    far beyond its range."""
    if not info.is_float:
        return q
    rng = np.random.default_rng(q.size)
    steps = q - np.float64(info.zero_point) + rng.choice([0.0, 0.5, -0.5, 0.2], q.shape)
    steps += rng.uniform(-0.2, 0.2, q.shape) * rng.choice([0, 1], q.shape)
    beyond = np.isin(q, (-128, 127))
    steps[beyond] *= 10.0 ** rng.uniform(0, 5, int(beyond.sum()))  # TFLite-Micro needs int32
    values: Array = np.float32(info.scale) * steps.astype(np.float32)
    return values


def parity_inputs(
    count: int, shape: tuple[int, ...], zero_point: int, seed: int | np.random.Generator
) -> Int8Array:
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

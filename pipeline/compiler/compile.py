"""The compiler's one verb: an int8 .tflite in, C out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.compiler.emit import Hop, constant_bytes, emit_c
from pipeline.compiler.graph import KernelCall, TensorInfo
from pipeline.compiler.lower import lower
from pipeline.compiler.plan import plan_memory
from pipeline.compiler.reader import read_model
from pipeline.compiler.schedule import schedule
from pipeline.compiler.stream import stream, stream_hops
from pipeline.core.errors import InputError


@dataclass(frozen=True)
class CompiledLayer:
    """A step of the generated C: an operator, or a group of them as "A + B", and its output's
    shape. Conversions of float32 inputs come first, those of outputs last."""

    operator: str
    shape: tuple[int, ...]
    macs: int


@dataclass(frozen=True)
class CompiledModel:
    """The generated C and what it costs.

    ``sources``: file name -> text. ``macs``: multiply-accumulates per inference, taps on padding
    included. ``operators``: the file's, in its order; ``layers``: what the generated C runs, in its
    order. ``arena_bytes``: RAM; ``weights_bytes``: const arrays in flash (weights, biases, what
    requantizes). ``has_state``: runs depend on those before (LSTM, SVDF).
    """

    sources: dict[str, str]
    macs: int
    arena_bytes: int
    weights_bytes: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[str, ...]
    layers: tuple[CompiledLayer, ...]
    has_state: bool


def possible_hops(model: bytes) -> tuple[int, ...]:
    """The hops up to half a window that `compile_model` takes for an int8 .tflite's bytes. Raises
    as that, and UnsupportedModel for a network that cannot stream."""
    return stream_hops(lower(read_model(model)))


def compile_model(model: bytes, *, name: str = "har_net", hop: int | None = None) -> CompiledModel:
    """Compiles a .tflite's bytes to C that calls firmware/lib/nn: int8, with float32 inputs and
    outputs or without.

    ``name`` prefixes files and symbols. With ``hop``, the C streams: each run takes so many new
    samples; ``inputs`` and costs are then those of a hop. Raises InputError for bytes that are no
    valid .tflite or a name that is no C identifier, UnsupportedModel for a model outside what the
    engine takes.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"{name!r} is not a lower-case C identifier; choose another name")
    raw = read_model(model)
    given = lower(raw)
    graph = schedule(given) if hop is None else stream(given, hop)
    plan = plan_memory(graph)
    window = max(given.tensors[given.inputs[0]].shape)
    runs = None if hop is None else Hop(hop, -(-window // hop))
    inputs, outputs = graph.input_infos, graph.output_infos
    layers = (
        *(CompiledLayer("QUANTIZE", info.shape, 0) for info in inputs if info.is_float),
        *(
            CompiledLayer(step.operator, graph.tensors[step.output].shape, step.macs)
            for step in graph.steps
            if isinstance(step, KernelCall)
        ),
        *(CompiledLayer("DEQUANTIZE", info.shape, 0) for info in outputs if info.is_float),
    )
    return CompiledModel(
        sources=emit_c(graph, plan, name, runs),
        macs=sum(layer.macs for layer in layers),
        arena_bytes=plan.arena_bytes,
        weights_bytes=constant_bytes(graph),
        inputs=inputs,
        outputs=outputs,
        operators=tuple(operator.name for operator in raw.operators),
        layers=layers,
        has_state=hop is None and bool(plan.states),
    )

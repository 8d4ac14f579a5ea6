"""What one inference of a network costs on the compiled engine, layer by layer."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.compiler import CompiledModel, compile_model, possible_hops
from pipeline.sim.build import FirmwareImage
from pipeline.sim.cycles import Code, block_counter, model_cycles
from pipeline.sim.parity import build_net, network_inputs, run_net

INPUTS = 8  # the largest count of these; seeded
_OURS = r"har_net\.c\.o|har_kernels"


@dataclass(frozen=True)
class LayerCost:
    """A step of the generated C; ``shape`` is its output's."""

    operator: str
    shape: tuple[int, ...]
    macs: int
    instructions: int


@dataclass(frozen=True)
class NetworkCost:
    """Of one inference, the largest of `INPUTS` inputs, on the emulated Cortex-M4F.

    cycles_model: `pipeline.sim.cycles`, of that input, not yet times a chip's factor;
    code_bytes: the generated function and the kernels that it calls; constant_bytes: weights,
    biases, parameters and tables; arena_bytes: activations; stack_bytes: what the net's own
    function takes. Instructions of ``layers`` are counted one by one in a build of its own, so that
    their sum differs a little from ``instructions``.
    """

    model: str
    macs: int
    instructions: int
    cycles_model: int
    instructions_per_mac: float
    code_bytes: int
    constant_bytes: int
    arena_bytes: int
    stack_bytes: int
    layers: tuple[LayerCost, ...]


@dataclass(frozen=True)
class HopCost:
    """What an answer every ``hop`` samples costs: instructions and model cycles of one hop, as a
    share of a whole window's instructions, and RAM: what is kept, activations and stack."""

    hop: int
    instructions: int
    cycles_model: int
    share_of_window: float
    ram_bytes: int


@dataclass(frozen=True)
class _Counted:
    """Of one inference: the image that ran, and the figures of `NetworkCost`."""

    image: FirmwareImage
    instructions: int
    cycles_model: int
    stack_bytes: int


def streaming_costs(content: bytes) -> tuple[HopCost, ...]:
    """Of each hop that the strides of a .tflite allow, up to half a window.

    Raises UnsupportedModel for a network that cannot stream, ExternalError for a missing tool.
    """
    whole = _count(compile_model(content))
    costs = []
    for hop in possible_hops(content):
        compiled = compile_model(content, hop=hop)
        counted = _count(compiled)
        costs.append(
            HopCost(
                hop=hop,
                instructions=counted.instructions,
                cycles_model=counted.cycles_model,
                share_of_window=round(counted.instructions / whole.instructions, 4),
                ram_bytes=compiled.arena_bytes + counted.stack_bytes,
            )
        )
    return tuple(costs)


def network_cost(model: str, compiled: CompiledModel) -> NetworkCost:
    """Builds and counts a compiled network. Raises ExternalError for a missing tool."""
    counted = _count(compiled)
    with tempfile.TemporaryDirectory(prefix="har-cost-") as scratch:
        image = build_net("har_profile", compiled, "mps2", Path(scratch))
        profile = run_net(compiled, image, *network_inputs(compiled, INPUTS, 0))
    return NetworkCost(
        model=model,
        macs=compiled.macs,
        instructions=counted.instructions,
        cycles_model=counted.cycles_model,
        instructions_per_mac=round(counted.instructions / max(compiled.macs, 1), 4),
        code_bytes=counted.image.map.flash_bytes_from(_OURS, ".text"),
        constant_bytes=counted.image.map.flash_bytes_from(_OURS, ".rodata"),
        arena_bytes=compiled.arena_bytes,
        stack_bytes=counted.stack_bytes,
        layers=tuple(
            LayerCost(layer.operator, layer.shape, layer.macs, count)
            for layer, count in zip(compiled.layers, profile.step_counts, strict=True)
        ),
    )


def _count(compiled: CompiledModel) -> _Counted:
    """Without the layers, which take a build of their own."""
    inputs = network_inputs(compiled, INPUTS, 0)
    with tempfile.TemporaryDirectory(prefix="har-cost-") as scratch:
        folder = Path(scratch)
        image = build_net("har_parity", compiled, "mps2", folder)
        run = run_net(compiled, image, *inputs)
        if run.counts is None or run.stack_bytes is None:
            raise AssertionError("the emulated core counts instructions")
        from_float = any(info.is_float for info in compiled.inputs)
        first = "har_net_quantize_input" if from_float else "har_net_run"
        counter = block_counter(image.path, first, "har_board_count_end", folder)
        most = int(run.counts.argmax())
        run_net(compiled, image, *(x[most : most + 1] for x in inputs), options=counter.options)
        cycles = model_cycles(counter.read(), Code(image.path.read_bytes())).cycles
    return _Counted(image, int(run.counts.max()), cycles, run.stack_bytes)

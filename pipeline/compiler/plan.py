"""The arena: where each tensor lives, fixed at compile time.

Tensors that are views of each other (RESHAPE) share one buffer. A buffer lives from the step that
writes it to the last that reads it: the network's inputs from before the first step, its outputs
beyond the last, a step's scratch memory during the step; what a streaming network keeps, always.
Buffers are placed one by one, each at the lowest gap between those placed before it that are alive
at the same time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from pipeline.compiler.graph import Graph, KernelCall, View

ALIGNMENT = 16
_ORDERS = 400  # tried; most networks need few
_MOST_WEIGHT = 8.0
SLACK_BYTES = 8  # HAR_MATRIX_SLACK_BYTES: packed kernels may read so far beyond the last buffer


@dataclass(frozen=True)
class Buffer:
    """``size`` bytes that are needed during the steps ``first``..``last``, both included."""

    size: int
    first: int
    last: int

    def lives_with(self, other: Buffer) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Plan:
    """Byte offsets in the arena, multiples of ALIGNMENT: ``offsets`` of tensors, ``scratch`` and
    ``states`` of the memory of steps that have such, by their place in the order."""

    offsets: dict[int, int]
    scratch: dict[int, int]
    arena_bytes: int
    states: dict[int, int] = field(default_factory=dict)


def plan_memory(graph: Graph) -> Plan:
    """Places every tensor of the graph; the result has passed ``check_plan``."""
    owners = view_owners(graph)
    scratch = scratch_memory(graph)
    states = state_memory(graph)
    # Keys of tensors are not negative.
    buffers = lifetimes(graph, owners)
    buffers |= {-1 - 2 * now: buffer for now, buffer in scratch.items()}
    buffers |= {-2 - 2 * now: buffer for now, buffer in states.items()}
    placed = place(buffers)
    plan = Plan(
        offsets={tensor: placed[owner] for tensor, owner in owners.items()},
        scratch={now: placed[-1 - 2 * now] for now in scratch},
        states={now: placed[-2 - 2 * now] for now in states},
        arena_bytes=arena_size(buffers, placed, SLACK_BYTES if scratch else 0),
    )
    check_plan(graph, plan)
    return plan


def view_owners(graph: Graph) -> dict[int, int]:
    """Tensor -> the tensor whose buffer it uses (itself, unless it is a view)."""
    owners = {tensor: tensor for tensor in graph.inputs}
    for step in graph.steps:
        owners[step.output] = owners[step.input] if isinstance(step, View) else step.output
    return owners


def lifetimes(graph: Graph, owners: dict[int, int]) -> dict[int, Buffer]:
    """Owner -> its buffer. Steps count from 0; the inputs are written at -1."""
    first = dict.fromkeys(graph.inputs, -1)
    last = dict.fromkeys(graph.inputs, -1)
    for now, step in enumerate(graph.steps):
        for tensor in (*step.inputs, step.output):
            first.setdefault(owners[tensor], now)
            last[owners[tensor]] = now
    for tensor in graph.outputs:
        last[owners[tensor]] = len(graph.steps)
    for tensor in graph.kept:
        first[owners[tensor]], last[owners[tensor]] = -1, len(graph.steps)
    return {owner: Buffer(graph.size_bytes(owner), first[owner], last[owner]) for owner in first}


def scratch_memory(graph: Graph) -> dict[int, Buffer]:
    """Place of a step in the order -> its scratch memory, for steps that have such."""
    return {
        now: Buffer(step.scratch_bytes, now, now)
        for now, step in enumerate(graph.steps)
        if isinstance(step, KernelCall) and step.scratch_bytes
    }


def state_memory(graph: Graph) -> dict[int, Buffer]:
    """Place of a step in the order -> the memory that it keeps from run to run."""
    return {
        now: Buffer(step.state_bytes, -1, len(graph.steps))
        for now, step in enumerate(graph.steps)
        if isinstance(step, KernelCall) and step.state_bytes
    }


def place(buffers: dict[int, Buffer]) -> dict[int, int]:
    """Key -> offset: the best of many orders, that by size first. Seeded: equal buffers give equal
    places."""
    rng = random.Random(0)
    order = sorted(buffers, key=lambda key: (-buffers[key].size, key))
    best = _place_in(buffers, order)
    least = _most_alive(buffers)
    for _ in range(_ORDERS):
        if _end(buffers, best) <= least:
            break
        weight = {key: buffers[key].size * rng.uniform(1.0, _MOST_WEIGHT) for key in order}
        found = _place_in(buffers, sorted(order, key=lambda key: -weight[key]))
        if _end(buffers, found) < _end(buffers, best):
            best = found
    return best


def _most_alive(buffers: dict[int, Buffer]) -> int:
    """Bytes alive at the fullest time: no placement needs less."""
    return max(
        sum(_align(other.size) for other in buffers.values() if other.first <= now <= other.last)
        for now in (buffer.first for buffer in buffers.values())
    )


def _place_in(buffers: dict[int, Buffer], order: list[int]) -> dict[int, int]:
    """Each at the lowest gap that fits, one after the other."""
    offsets: dict[int, int] = {}
    for key in order:
        buffer = buffers[key]
        neighbours = sorted(
            (offsets[other], offsets[other] + buffers[other].size)
            for other in offsets
            if buffer.lives_with(buffers[other])
        )
        offset = 0
        for start, end in neighbours:
            if offset + buffer.size <= start:
                break
            offset = max(offset, _align(end))
        offsets[key] = offset
    return offsets


def arena_size(buffers: dict[int, Buffer], offsets: dict[int, int], slack: int = 0) -> int:
    """Bytes up to the end of the last buffer, with what may be read beyond it, aligned."""
    return _align(_end(buffers, offsets) + slack)


def _end(buffers: dict[int, Buffer], offsets: dict[int, int]) -> int:
    return max(offsets[key] + buffer.size for key, buffer in buffers.items())


def check_plan(graph: Graph, plan: Plan) -> None:
    """Runs the steps over the arena with a marker per byte instead of a value, and raises
    AssertionError where a step or the caller would read a byte that another tensor has
    overwritten. Shares no code with the planner, on purpose."""
    holder: dict[int, int] = {}  # tensor -> the tensor whose marker its bytes carry
    arena: list[tuple[int, int, int]] = []  # (start, end, holder), never overlapping

    def span(tensor: int) -> tuple[int, int]:
        return plan.offsets[tensor], plan.offsets[tensor] + graph.size_bytes(tensor)

    def write(start: int, end: int, tensor: int, apart: list[tuple[int, int]]) -> None:
        if start % ALIGNMENT or start < 0 or end > plan.arena_bytes:
            raise AssertionError(f"tensor {tensor} at [{start}, {end}) is misplaced")
        if any(start < other_end and other < end for other, other_end in apart):
            raise AssertionError(f"tensor {tensor} overlaps what it is computed from")
        arena[:] = [(a, b, owner) for a, b, owner in arena if b <= start or end <= a]
        arena.append((start, end, tensor))
        holder[tensor] = tensor

    def read(tensor: int) -> None:
        if (*span(tensor), holder.get(tensor, -1)) not in arena:
            raise AssertionError(f"tensor {tensor} is overwritten before it is read")

    for now, tensor in enumerate(graph.inputs):
        write(*span(tensor), tensor, [span(other) for other in graph.inputs[:now]])
    for tensor in graph.kept:
        write(*span(tensor), tensor, [])
    for now, start in plan.states.items():
        step = graph.steps[now]
        if isinstance(step, KernelCall):
            write(start, start + step.state_bytes, -2 - 2 * now, [])
    for now, step in enumerate(graph.steps):
        for tensor in step.inputs:
            read(tensor)
        if isinstance(step, View):
            if plan.offsets[step.output] != plan.offsets[step.input]:
                raise AssertionError(f"tensor {step.output} is not a view of {step.input}")
            holder[step.output] = holder[step.input]
            continue
        apart = [span(tensor) for tensor in step.inputs]
        if step.scratch_bytes:
            start = plan.scratch[now]
            write(start, start + step.scratch_bytes, -1 - 2 * now, apart)
            apart.append((start, start + step.scratch_bytes))
        if step.output in graph.kept:
            read(step.output)  # what it kept is still there
        write(*span(step.output), step.output, apart)
    for tensor in (*graph.outputs, *graph.kept):
        read(tensor)
    for now, start in plan.states.items():
        if not any(begin == start and owner == -2 - 2 * now for begin, _, owner in arena):
            raise AssertionError(f"the state of step {now} is overwritten")


def _align(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT

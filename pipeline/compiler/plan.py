"""The arena: where each tensor lives, fixed at compile time.

Tensors that are views of each other (RESHAPE) share one buffer. A buffer lives from the step that
writes it to the last that reads it: the network's input from before the first step, its outputs
beyond the last. Larger buffers are placed first, each at the lowest gap between those placed
before it that are alive at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.compiler.graph import Graph, View

ALIGNMENT = 16


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
    """``offsets``: tensor -> byte offset in the arena, a multiple of ALIGNMENT."""

    offsets: dict[int, int]
    arena_bytes: int


def plan_memory(graph: Graph) -> Plan:
    """Places every tensor of the graph; the result has passed ``check_plan``."""
    owners = view_owners(graph)
    buffers = lifetimes(graph, owners)
    placed = place(buffers)
    plan = Plan(
        offsets={tensor: placed[owner] for tensor, owner in owners.items()},
        arena_bytes=arena_size(buffers, placed),
    )
    check_plan(graph, plan)
    return plan


def view_owners(graph: Graph) -> dict[int, int]:
    """Tensor -> the tensor whose buffer it uses (itself, unless it is a view)."""
    owners = {graph.input: graph.input}
    for step in graph.steps:
        owners[step.output] = owners[step.input] if isinstance(step, View) else step.output
    return owners


def lifetimes(graph: Graph, owners: dict[int, int]) -> dict[int, Buffer]:
    """Owner -> its buffer. Steps count from 0; the input is written at -1."""
    first = {graph.input: -1}
    last = {graph.input: -1}
    for now, step in enumerate(graph.steps):
        for tensor in (*step.inputs, step.output):
            first.setdefault(owners[tensor], now)
            last[owners[tensor]] = now
    for tensor in graph.outputs:
        last[owners[tensor]] = len(graph.steps)
    return {
        owner: Buffer(graph.tensors[owner].size_bytes, first[owner], last[owner]) for owner in first
    }


def place(buffers: dict[int, Buffer]) -> dict[int, int]:
    """Key -> offset: greedy by size, lowest gap that fits."""
    offsets: dict[int, int] = {}
    for key, buffer in sorted(buffers.items(), key=lambda item: (-item[1].size, item[0])):
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


def arena_size(buffers: dict[int, Buffer], offsets: dict[int, int]) -> int:
    """Bytes up to the end of the last buffer, aligned."""
    return _align(max(offsets[key] + buffer.size for key, buffer in buffers.items()))


def check_plan(graph: Graph, plan: Plan) -> None:
    """Runs the steps over the arena with a marker per byte instead of a value, and raises
    AssertionError where a step or the caller would read a byte that another tensor has
    overwritten. Shares no code with the planner, on purpose."""
    holder: dict[int, int] = {}  # tensor -> the tensor whose marker its bytes carry
    arena: list[tuple[int, int, int]] = []  # (start, end, holder), never overlapping

    def write(tensor: int, reading: tuple[int, ...]) -> None:
        start = plan.offsets[tensor]
        end = start + graph.tensors[tensor].size_bytes
        if start % ALIGNMENT or start < 0 or end > plan.arena_bytes:
            raise AssertionError(f"tensor {tensor} at [{start}, {end}) is misplaced")
        for other in reading:
            other_start = plan.offsets[other]
            if start < other_start + graph.tensors[other].size_bytes and other_start < end:
                raise AssertionError(f"tensor {tensor} overlaps {other}, from which it is computed")
        arena[:] = [(a, b, owner) for a, b, owner in arena if b <= start or end <= a]
        arena.append((start, end, tensor))
        holder[tensor] = tensor

    def read(tensor: int) -> None:
        start = plan.offsets[tensor]
        wanted = (start, start + graph.tensors[tensor].size_bytes, holder.get(tensor, -1))
        if wanted not in arena:
            raise AssertionError(f"tensor {tensor} is overwritten before it is read")

    write(graph.input, ())
    for step in graph.steps:
        for tensor in step.inputs:
            read(tensor)
        if isinstance(step, View):
            if plan.offsets[step.output] != plan.offsets[step.input]:
                raise AssertionError(f"tensor {step.output} is not a view of {step.input}")
            holder[step.output] = holder[step.input]
        else:
            write(step.output, step.inputs)
    for tensor in graph.outputs:
        read(tensor)


def _align(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT

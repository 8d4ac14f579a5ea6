"""The memory plan: no two tensors that are alive together overlap, on any graph."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.compiler.graph import Graph, KernelCall, Step, TensorInfo, View
from pipeline.compiler.plan import ALIGNMENT, Plan, check_plan, plan_memory


def _tensor(size: int) -> TensorInfo:
    return TensorInfo("t", (1, size), 1.0, 0)


def _call(index: int, inputs: tuple[int, ...], output: int, scratch: int = 0) -> KernelCall:
    return KernelCall(index, "TEST", "kernel", "params", {}, inputs, output, scratch_bytes=scratch)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any order of calls, some with scratch memory, and views over tensors of any size, any of them
    outputs."""
    given = draw(st.integers(1, 3))
    tensors = {index: _tensor(draw(st.integers(1, 300))) for index in range(given)}
    steps: list[Step] = []
    for index in range(draw(st.integers(1, 14))):
        new = given + index
        known = st.integers(0, new - 1)
        if draw(st.integers(0, 3)) == 0:
            source = draw(known)
            tensors[new] = tensors[source]
            steps.append(View(index, "RESHAPE", source, new))
        else:
            inputs = tuple(draw(st.lists(known, min_size=1, max_size=3)))
            tensors[new] = _tensor(draw(st.integers(1, 300)))
            scratch = draw(st.sampled_from([0, 0, 1, 40, 200]))
            steps.append(_call(index, inputs, new, scratch))
    made = st.integers(given, given + len(steps) - 1)
    outputs = draw(st.lists(made, min_size=1, max_size=3, unique=True))
    return Graph(tensors, tuple(steps), tuple(range(given)), tuple(outputs))


@given(graphs())
def test_any_graph_gets_a_plan_that_the_verifier_accepts(graph: Graph) -> None:
    plan = plan_memory(graph)
    check_plan(graph, plan)
    scratch = [step.scratch_bytes for step in graph.steps if isinstance(step, KernelCall)]
    sizes = [graph.tensors[tensor].size_bytes for tensor in graph.tensors] + scratch
    most = sum(-(-size // ALIGNMENT) * ALIGNMENT for size in sizes)
    assert plan.arena_bytes <= most + (ALIGNMENT if any(scratch) else 0)


@given(graphs(), st.data())
def test_the_verifier_finds_scratch_memory_that_is_moved_onto_what_a_step_reads(
    graph: Graph, data: st.DataObject
) -> None:
    plan = plan_memory(graph)
    if not plan.scratch:
        return
    now = data.draw(st.sampled_from(sorted(plan.scratch)))
    moved = {**plan.scratch, now: plan.offsets[graph.steps[now].inputs[0]]}
    with pytest.raises(AssertionError):
        check_plan(graph, Plan(plan.offsets, moved, plan.arena_bytes))


@given(graphs(), st.data())
def test_the_verifier_finds_a_live_tensor_that_another_is_moved_onto(
    graph: Graph, data: st.DataObject
) -> None:
    plan = plan_memory(graph)
    calls = [step for step in graph.steps if isinstance(step, KernelCall)]
    if not calls:
        return
    step = data.draw(st.sampled_from(calls))
    moved = {**plan.offsets, step.output: plan.offsets[step.inputs[0]]}
    with pytest.raises(AssertionError):
        check_plan(graph, Plan(moved, plan.scratch, plan.arena_bytes))


def test_the_verifier_refuses_a_tensor_beyond_the_arena_or_off_the_grid() -> None:
    graph = Graph({0: _tensor(8), 1: _tensor(8)}, (_call(0, (0,), 1),), (0,), (1,))
    for offset in (ALIGNMENT * 100, 4, -ALIGNMENT):
        with pytest.raises(AssertionError):
            check_plan(graph, Plan({0: 0, 1: offset}, {}, 2 * ALIGNMENT))


def test_the_verifier_finds_inputs_that_overlap_even_if_nothing_reads_them() -> None:
    graph = Graph({i: _tensor(8) for i in range(3)}, (_call(0, (0,), 2),), (0, 1), (2,))
    plan = plan_memory(graph)
    check_plan(graph, plan)
    with pytest.raises(AssertionError, match="overlaps"):
        check_plan(graph, Plan({**plan.offsets, 1: plan.offsets[0]}, {}, plan.arena_bytes))


def test_a_chain_needs_only_its_two_largest_neighbours() -> None:
    sizes = [64, 256, 128, 32]
    graph = Graph(
        {i: _tensor(size) for i, size in enumerate(sizes)},
        tuple(_call(i, (i,), i + 1) for i in range(3)),
        (0,),
        (3,),
    )
    assert plan_memory(graph).arena_bytes == 256 + 128


def test_a_shortcut_keeps_its_tensor_alive() -> None:
    graph = Graph(
        {i: _tensor(64) for i in range(4)},
        (_call(0, (0,), 1), _call(1, (1,), 2), _call(2, (0, 2), 3)),
        (0,),
        (3,),
    )
    assert plan_memory(graph).arena_bytes == 3 * 64


def test_a_view_of_an_output_stays_until_the_caller_has_read_it() -> None:
    graph = Graph(
        {0: _tensor(64), 1: _tensor(64), 2: _tensor(64), 3: _tensor(64)},
        (_call(0, (0,), 1), View(1, "RESHAPE", 1, 2), _call(2, (1,), 3)),
        (0,),
        (2, 3),
    )
    plan = plan_memory(graph)
    assert plan.offsets[1] == plan.offsets[2] != plan.offsets[3]

"""Costs are counted from the shape; here they are held to what is really built and compiled."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.experiments.search.space import Candidate, Cost, Limits, Space, count_cost
from pipeline.models import backbone
from pipeline.models.dscnn import parse

SHAPES = [
    ("dscnn:k3:8s1-16s2-8s1", 64, 3),
    ("dscnn:k9:16s2-40s1-8s2-24s1", 128, 6),
    ("dscnn:k5:24s2-24s1-24s1", 192, 4),
]


@pytest.mark.parametrize(("name", "length", "activities"), SHAPES[1:])
def test_macs_and_ram_are_what_the_compiler_says_of_the_quantized_network(
    name: str, length: int, activities: int
) -> None:
    from pipeline.bundle.convert import to_int8
    from pipeline.compiler import compile_model

    network = backbone(name)
    model = network.build(length, 6, activities, 0.0)
    inputs = np.random.default_rng(0).normal(size=(10, length, 1, 6)).astype(np.float32)
    compiled = compile_model(to_int8(network.extractor(model, "fc"), inputs))
    cost = count_cost(Candidate(parse(name), length), 6, activities)
    assert cost is not None
    assert cost.ram_bytes == compiled.arena_bytes
    features = sum(filters for filters, _ in parse(name).stages)
    assert cost.macs == compiled.macs + features * activities


@pytest.mark.parametrize(("name", "length", "activities"), SHAPES)
def test_parameters_are_those_of_the_network_with_its_batch_norm_folded(
    name: str, length: int, activities: int
) -> None:
    model = backbone(name).build(length, 6, activities, 0.0)
    norms = [layer for layer in model.layers if layer.name.endswith("_norm")]
    # Gain, mean and variance go into the weights; the offset becomes the bias.
    folded = model.count_params() - 3 * sum(int(layer.gamma.shape[0]) for layer in norms)
    cost = count_cost(Candidate(parse(name), length), 6, activities)
    assert cost is not None
    assert cost.parameters == folded


def test_a_window_too_short_for_the_strides_costs_nothing_and_fits_nowhere() -> None:
    too_deep = Candidate(parse("dscnn:k9:8s2-8s2-8s2-8s2"), 64)
    assert count_cost(too_deep, 6, 3) is None
    assert not Limits().fit(None)
    with pytest.raises(InputError, match="too deep"):
        backbone(too_deep.shape.name).build(64, 6, 3, 0.0)


@pytest.mark.parametrize("over", ["parameters", "macs", "ram_bytes"])
def test_each_limit_is_held_to_the_unit(over: str) -> None:
    cost = Cost(parameters=100, macs=2000, ram_bytes=300)
    exact = {"parameters": 100, "macs": 2000, "ram_bytes": 300}
    assert Limits(**exact).fit(cost)
    tight = Limits(**{**exact, over: exact[over] - 1})
    assert not tight.fit(cost)
    assert [key for key, excess in tight.excess(cost).items() if excess > 0] == [over]


def test_every_candidate_can_be_written_as_parameters_and_drawn_again() -> None:
    from optuna.trial import FixedTrial

    space = Space.named("any")
    candidate = Candidate(parse("dscnn:k7:8s2-128s1-64s2-16s1"), 192)
    assert space.suggest(FixedTrial(space.parameters(candidate))) == candidate


@pytest.mark.parametrize(
    "name", ["dscnn:k5:8s2-12s1-8s1", "dscnn:k4:8s2-8s1-8s1", "dscnn:k5:8s3-8s1-8s1"]
)
def test_a_shape_outside_the_space_has_no_parameters(name: str) -> None:
    candidate = Candidate(parse(name), 128)
    assert Space().parameters(candidate) == {}


@pytest.mark.parametrize("window", ["100", "0", "-1", "all", ""])
def test_a_window_that_is_none_is_refused(window: str) -> None:
    with pytest.raises(InputError, match="128"):
        Space.named(window)


def test_the_shipped_sizes_are_among_the_references() -> None:
    from pipeline.models import backbone_names

    references = Space().references()
    assert {*backbone_names(), "S", "M", "L"} == set(references)
    assert all(candidate.window == 128 for candidate in references.values())

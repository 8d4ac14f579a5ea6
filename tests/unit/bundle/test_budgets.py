"""What `har bench` counts, and the budgets that it compares with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.bundle.budgets import (
    budget_line,
    check_budgets,
    figures_of,
    head_shapes,
    read_budgets,
    write_budget,
)
from pipeline.bundle.bundle import Bundle, HeadSizes, Provenance
from pipeline.core.errors import InputError
from pipeline.head import HeadShape
from pipeline.head.memory import RamParts
from pipeline.models import backbone
from pipeline.sim.bench import Bench, HeadCost, LearningCost
from pipeline.sim.network_cost import NetworkCost

DEFAULT = {
    "fc": HeadShape(416, 8, 416),
    "fxc1": HeadShape(416, 8, 304, 7, 96, 112),
    "fxc2": HeadShape(416, 8, 304, 11, 96, 112, 5, 1),
}


def bundle(name: str, cut: str, shape: HeadShape, window: int) -> Bundle:
    """Of all that a bundle has, what a head's shape depends on."""
    return Bundle.model_construct(
        provenance=Provenance.model_construct(backbone=name),
        window_samples=window,
        rows=shape.rows,
        features=shape.features,
        cut=cut,
        head=HeadSizes(
            frozen=shape.frozen,
            map_length=shape.map_length,
            channels=shape.channels,
            filters=shape.filters,
            kernel=shape.kernel,
            stride=shape.stride,
        ),
    )


@pytest.mark.parametrize("cut", DEFAULT)
def test_shapes_are_those_of_the_default_backbone_whatever_the_bundle_s_cut(cut: str) -> None:
    assert head_shapes(bundle("dscnn", cut, DEFAULT[cut], 128)) == DEFAULT


def test_shapes_are_those_of_the_network() -> None:
    name, window = "dscnn:k3:4s2-6s1-8s2", 64
    net = backbone(name)
    model = net.build(window, 6, 5, 0.0)
    behind = {cut: net.float_head(model, cut) for cut in ("fc", "fxc1", "fxc2")}
    found = head_shapes(bundle(name, "fc", HeadShape(18, 7, 18), window))
    for cut, head in behind.items():
        sizes = head.frozen, head.map_length, head.channels, head.filters, head.kernel, head.stride
        assert found[cut] == HeadShape(18, 7, *sizes)


COST = HeadCost(90, 9, 3, 10, RamParts(1, 2, 3, 4), 50, 30, 0.5, 0.1)
LEARNING = LearningCost(dict.fromkeys(("fc", "fxc1", "fxc2"), COST), 10, 5_000)
FIGURES = {"inference_instructions": 100_000, "flash_bytes": 50_000}


def test_a_figure_two_percent_above_its_budget_passes_and_one_more_fails(tmp_path: Path) -> None:
    path = tmp_path / "budgets.json"
    write_budget("hapt/dscnn/fc", FIGURES, path)
    at_most = {"inference_instructions": 102_000, "flash_bytes": 50_000}
    assert check_budgets("hapt/dscnn/fc", at_most, path).worse == []
    found = check_budgets("hapt/dscnn/fc", {**at_most, "flash_bytes": 51_001}, path)
    assert found.worse == ["hapt/dscnn/fc: flash_bytes 51,001, budget 50,000 (+2.00 %)"]
    assert found.better == []


def test_a_better_figure_gives_the_line_that_write_budget_writes(tmp_path: Path) -> None:
    path = tmp_path / "budgets.json"
    write_budget("hapt/dscnn/fc", FIGURES, path)
    write_budget("hapt/dscnn/fxc2", FIGURES, path)
    less = {**FIGURES, "flash_bytes": 49_999}
    found = check_budgets("hapt/dscnn/fc", less, path)
    assert found.worse == [] and len(found.better) == 1
    write_budget("hapt/dscnn/fc", less, path)
    lines = path.read_text().splitlines()
    assert budget_line("hapt/dscnn/fc", less) + "," == lines[1]
    assert lines[2] == budget_line("hapt/dscnn/fxc2", FIGURES)
    assert check_budgets("hapt/dscnn/fc", less, path).better == []


@pytest.mark.parametrize("content", ["", "[]", '{"hapt/dscnn/fc": {"flash_bytes": "a"}}'])
def test_a_damaged_file_of_budgets_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "budgets.json"
    path.write_text(content)
    with pytest.raises(InputError, match="restore it"):
        check_budgets("hapt/dscnn/fc", FIGURES, path)


def test_a_network_or_figure_without_a_budget_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "budgets.json"
    with pytest.raises(InputError, match="--write-budgets"):
        check_budgets("hapt/dscnn/fc", FIGURES, path)
    write_budget("hapt/dscnn/fc", FIGURES, path)
    with pytest.raises(InputError, match="no budget of these figures for watch"):
        check_budgets("watch/dscnn/fc", FIGURES, path)
    with pytest.raises(InputError, match="no budget of these figures"):
        check_budgets("hapt/dscnn/fc", {**FIGURES, "ram_bytes": 1}, path)


def test_the_committed_budgets_are_readable_and_of_what_bench_counts() -> None:
    budgets = read_budgets()
    assert "hapt/dscnn/fc" in budgets
    inference = NetworkCost("0" * 16, 1, 1, 1, 1.0, 1, 1, 1, 1, ())
    counts = 1, 1, 1, 2, 1, 1, 1, 1, 1
    result = Bench("mps2", "instructions", "0" * 16, *counts, inference, LEARNING)
    assert all(set(budget) == set(figures_of(result)) for budget in budgets.values())
    with pytest.raises(InputError, match="host counts none"):
        figures_of(replace(result, target="host", inference=None, learning=None))

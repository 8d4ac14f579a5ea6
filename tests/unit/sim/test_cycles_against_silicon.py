"""The model of cycles against published silicon: recorded counts of CMSIS-NN, today's timings.

tests/golden/cmsis_nn_counts.json says what made the counts, and where the silicon's figures are
from. CMSIS-NN was built outside of this repository.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.sim.cycles import _CYCLES, CHIPS, REFILL
from pipeline.sim.thumb import Kind

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "golden" / "cmsis_nn_counts.json").read_text()
)
SILICON = RECORDED["silicon"]


def model(network: dict[str, Any], refill: int = REFILL) -> int:
    """Cycles of the counts, with the same sums as `pipeline.sim.cycles.model_cycles`."""
    counts = {Kind(name): count for name, count in network["instructions"].items()}
    straight = sum(count * _CYCLES.get(kind, 1) for kind, count in counts.items())
    loads = counts[Kind.LOAD] - network["loads_pipelined"]
    return straight + loads + network["words_moved"] + refill * network["jumps_taken"]


def silicon(network: dict[str, Any]) -> float:
    return float(SILICON["clock_hz"] / network["silicon_inferences_per_s"])


@pytest.mark.parametrize("name", RECORDED["networks"])
def test_the_model_times_the_chip_s_factor_is_near_the_silicon(name: str) -> None:
    network = RECORDED["networks"][name]
    assert model(network) * CHIPS[SILICON["chip"]] == pytest.approx(silicon(network), rel=0.15)


def test_one_factor_fits_the_three_networks() -> None:
    factors = [silicon(each) / model(each) for each in RECORDED["networks"].values()]
    assert len(factors) == 3
    assert sum(factors) / 3 == pytest.approx(CHIPS[SILICON["chip"]], rel=0.03)
    assert max(factors) / min(factors) < 1.08

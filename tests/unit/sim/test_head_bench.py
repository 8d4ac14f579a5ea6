"""What learning costs, as far as it is reckoned and not counted: multiply-accumulates, bytes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pipeline.head import HeadShape, Learning
from pipeline.head.memory import learning_memory
from pipeline.head.payload import head_bytes
from pipeline.sim.bench import (
    LABELS,
    Bench,
    HeadCost,
    LearningCost,
    RamParts,
    random_workload,
    training_macs,
)
from pipeline.sim.network_cost import LayerCost, NetworkCost

SHAPES = {
    "fc": HeadShape(7, 5, 7),
    "fxc1": HeadShape(3 + 4, 5, 3, 6, 2, 4),
    "fxc2": HeadShape(3 + 4, 5, 3, 9, 2, 4, 3, 2),
}
LEARNING = Learning(
    rate=0.1,
    rate_convolution=0.1,
    keep=0.9,
    steps=3,
    replay_every=2,
    hold_every=5,
    evidence=1,
)


def counted_macs(shape: HeadShape, activities: int) -> int:
    """Of one step, one multiply-accumulate after the other."""
    done: Counter[str] = Counter()
    for t in range(shape.positions):
        for c in range(shape.channels):
            for _tap in range(shape.kernel):
                done["depthwise, forward"] += 1
                done["depthwise, its weights"] += 1
            for _m in range(shape.filters):
                done["pointwise, forward"] += 1
                done["pointwise, its weights"] += 1
                if shape.kernel:
                    done[f"to the depthwise output {t}, {c}"] += 1
    for _k in range(activities):
        for f in range(shape.features):
            done["dense, forward"] += 1
            done["dense, its weights"] += 1
            if f >= shape.frozen:
                done["to the learned features"] += 1
    return done.total()


@pytest.mark.parametrize("steps", [1, 64])
@pytest.mark.parametrize("name", SHAPES)
def test_training_macs_are_all_that_a_step_does(name: str, steps: int) -> None:
    shape = SHAPES[name]
    assert training_macs(shape, 4, steps) == steps * counted_macs(shape, 4)


def test_ram_is_record_undo_scratch_and_the_windows_of_ten_seconds() -> None:
    shape = SHAPES["fxc2"]
    parts = learning_memory(shape, 4, 10, 0).ram_parts
    window = 3 + 9 * 2
    replay = 4 * 5 + 10 * (2 + window)
    parameters = (3 + 1) * 2 + (2 + 1) * 4 + 5 * (7 + 1)
    head = 48 + 8 * 5 + 32 * 1 + 4 * parameters
    assert head_bytes(shape, 4) == head
    assert parts.record == (head + replay + 3) // 4 * 4
    assert parts.undo == head + window
    recent = 13 + 21 + 2  # what names it, the window, padding
    assert parts.window == window + 8 * recent
    assert parts.scratch == 4 * (7 + 5 + 9 * 2 + 4 * 4 + 2 * 4 * 2)
    assert parts.total == parts.record + parts.undo + parts.scratch + parts.window


def test_learning_with_the_default_bundle_stays_below_48_kb() -> None:
    assert learning_memory(HeadShape(416, 8, 416), 6, 36, 0).ram_bytes < 48 * 1024


def test_what_ships_is_parameters_scales_and_exemplars() -> None:
    memory = learning_memory(SHAPES["fc"], 4, 10, 3)
    assert memory.flash_bytes + memory.scale_flash_bytes == 4 * (5 * 8 + 2 * 7) + 3 * (7 + 1)


@pytest.mark.parametrize("name", SHAPES)
def test_the_workload_is_seeded_and_of_unit_variance(name: str) -> None:
    shape = SHAPES[name]
    one, two = (random_workload(shape, 4, LEARNING, 200, 8, seed=5) for _ in "12")
    assert one.windows.tobytes() == two.windows.tobytes()
    assert one.head.crc() == two.head.crc()
    assert one.head.crc() != random_workload(shape, 4, LEARNING, 200, 8, seed=6).head.crc()
    assert one.windows.shape == (200 + LABELS + 8, shape.window_bytes)
    frozen = one.head.features(one.windows)[:, : shape.frozen]
    assert np.var(frozen) == pytest.approx(1, abs=0.1)


LAYER = LayerCost("CONV_2D", (1, 4, 1, 2), 40, 90)
INFERENCE = NetworkCost("0" * 16, 40, 100, 130, 2.5, 700, 300, 64, 32, (LAYER,))


def bench(inference: NetworkCost | None, learning: LearningCost | None) -> Bench:
    counts = 10, 5, 1, 6, 9, 100, 8192, 900, 90
    return Bench("mps2", "instructions", "0" * 16, *counts, inference, learning)


def test_document_has_the_heads_beside_the_counts() -> None:
    cost = HeadCost(90, 9, 3, 10, RamParts(1, 2, 3, 4), 50, 30, 0.5, 0.1)
    document = bench(INFERENCE, LearningCost({"fc": cost}, 10, 5_000)).document()
    assert document["prediction"] == 6
    assert document["inference"] == {
        "model": "0" * 16,
        "macs": 40,
        "instructions": 100,
        "cycles_model": 130,
        "instructions_per_mac": 2.5,
        "code_bytes": 700,
        "constant_bytes": 300,
        "arena_bytes": 64,
        "stack_bytes": 32,
        "layers": ({"operator": "CONV_2D", "shape": (1, 4, 1, 2), "macs": 40, "instructions": 90},),
    }
    assert document["learning_ram_bytes"] == 10
    assert document["fc_64x6_step_instructions"] == 5_000
    assert document["heads"] == {
        "fc": {
            "update_instructions": 90,
            "step_instructions": 9,
            "predict_instructions": 3,
            "ram_bytes": 10,
            "ram_parts": {"record": 1, "undo": 2, "scratch": 3, "window": 4},
            "flash_bytes": 50,
            "training_macs": 30,
            "energy_uj": 0.5,
            "energy_mac_nj": 0.1,
            "estimates": ("energy_uj", "energy_mac_nj"),
        }
    }
    assert "learning" not in document


def test_document_of_a_board_that_counts_no_instructions_has_no_heads() -> None:
    document = bench(None, None).document()
    assert document["inference"] is None
    assert document["heads"] is None and document["learning_ram_bytes"] is None

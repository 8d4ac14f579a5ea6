"""Learning is counted on the Cortex-M4F: the counts repeat, belong to what NumPy computes, and are
as small as promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.errors import ExternalError
from pipeline.head import HeadShape, Learner, Learning, Replay
from pipeline.sim.bench import (
    LABELS,
    HeadWorkload,
    bench_heads,
    count_learning,
    random_workload,
    training_macs,
)
from pipeline.sim.build import FirmwareImage, build_image

pytestmark = pytest.mark.emulated

LEARNING = Learning(
    rate=1.0,
    rate_convolution=1.0,
    keep=0.995,
    steps=64,
    replay_every=4,
    hold_every=5,
    evidence=2,
)
# Every block of the kernels and every remainder: positions 1 to 7, outputs 1 to 6 of a block.
SHAPES = {
    "one feature": HeadShape(1, 2, 1),
    "dense 64 x 6": HeadShape(64, 6, 64),
    "dense 67 x 3": HeadShape(67, 4, 67),
    **{
        f"{positions} positions": HeadShape(5 + 3 + positions, 8, 5, positions, 5, 3 + positions)
        for positions in range(1, 9)
    },
    **{
        f"{channels} channels behind a depthwise convolution": HeadShape(
            9 + channels, 7, 2, 9, channels, 7 + channels, 3, stride
        )
        for channels, stride in zip(range(1, 8), (1, 2, 3, 4, 6, 1, 2), strict=True)
    },
}
DEFAULT = {
    "fc": HeadShape(416, 8, 416),
    "fxc1": HeadShape(416, 8, 304, 7, 96, 112),
    "fxc2": HeadShape(416, 8, 304, 11, 96, 112, 5, 1),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> FirmwareImage:
    return build_image("har_learner_bench", "mps2", tmp_path_factory.mktemp("build"))


def twin_of(workload: HeadWorkload) -> Learner:
    """The NumPy learner as the program begins with: a full store, a share of it held back."""
    head, hold_every = workload.head, workload.learning.hold_every
    replay = Replay(
        head.shape.window_bytes,
        workload.capacity,
        head.shape.rows,
        workload.windows[workload.capacity + LABELS :],
        np.arange(workload.exemplars) % head.factory_activities,
    )
    learner = Learner(head, replay, workload.learning)
    for i in range(workload.capacity):
        held = hold_every > 0 and i % hold_every == hold_every - 1
        replay.put(i, workload.windows[i], i % head.factory_activities, 255, held)
        replay.seen[i % head.factory_activities] += not held
    return learner


@pytest.mark.parametrize("hold_every", [0, 5])
@pytest.mark.parametrize("name", SHAPES)
def test_what_is_counted_is_what_numpy_computes(
    name: str, hold_every: int, image: FirmwareImage
) -> None:
    shape = SHAPES[name]
    learning = replace(LEARNING, steps=12, hold_every=hold_every)
    workload = random_workload(shape, min(shape.rows, 6), learning, 11, 5, seed=3)
    shipped = workload.head.crc()
    counts = count_learning(image, workload)
    learner = twin_of(workload)
    assert counts.held == len(learner.replay.holdout) == (2 if hold_every else 0)
    for i in range(LABELS):
        learner.label(workload.windows[workload.capacity + i], i % workload.head.factory_activities)
    assert counts.crc == learner.head.crc()
    assert counts.crc != shipped or learner.guard.undone == LABELS


def test_counts_repeat_and_an_update_is_all_of_its_steps(image: FirmwareImage) -> None:
    workload = random_workload(DEFAULT["fc"], 6, LEARNING, 36, 24)
    counts = count_learning(image, workload)
    assert count_learning(image, workload) == counts
    assert 0 < counts.predict < counts.step
    fewer = count_learning(image, replace(workload, learning=replace(LEARNING, steps=32)))
    assert counts.update - fewer.update == pytest.approx(32 * counts.step, rel=0.15)


def test_no_window_learned_is_an_error(image: FirmwareImage) -> None:
    workload = random_workload(SHAPES["dense 64 x 6"], 6, replace(LEARNING, hold_every=1), 6, 6)
    with pytest.raises(ExternalError, match="holdout"):
        count_learning(image, workload)


def test_learning_costs_no_more_than_promised(image: FirmwareImage) -> None:
    cost = bench_heads(image, DEFAULT, "fc", 6, LEARNING, 36, 24)
    assert cost.fc_64x6_step_instructions <= 5_500
    fxc1 = cost.heads["fxc1"]
    assert fxc1.training_macs == training_macs(DEFAULT["fxc1"], 6, 64)
    assert fxc1.update_instructions <= 3.5 * fxc1.training_macs
    assert cost.learning_ram_bytes == cost.heads["fc"].ram_bytes < 48 * 1024

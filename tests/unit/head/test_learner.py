"""What a label does: it is learned, held back or undone; it is weighed, judged, and taken back
whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.head import Guard, Head, HeadShape, Learner, Learning, Outcome, Replay
from pipeline.head.learner import FULL_WEIGHT
from tests.unit.head.samples import (
    LEARNING,
    SHAPES,
    SHIPPED,
    random_head,
    random_learner,
    random_windows,
    state_of,
)


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> HeadShape:
    return SHAPES[request.param]


@pytest.fixture
def learner(shape: HeadShape) -> Learner:
    return random_learner(shape)


def test_a_label_is_learned_and_remembered(learner: Learner, shape: HeadShape) -> None:
    window = random_windows(shape)
    before = learner.head.predict(window)[2]
    assert learner.label(window, 2) is Outcome.LEARNED
    assert learner.head.predict(window)[2] > before
    assert learner.updates == 1 and learner.labels == [0, 0, 1, 0, 0, 0]
    assert learner.replay.labels[0] == 2 and (learner.replay.windows[0] == window).all()
    assert learner.exemplars == 2  # steps 3 and 6 of 8


def test_every_fourth_window_of_an_activity_is_held_back(
    learner: Learner, shape: HeadShape
) -> None:
    windows = random_windows(shape, 9)
    outcomes = [learner.label(window, 1) for window in windows[:3]]
    before = learner.head.crc(), learner.updates
    assert Outcome.HELD_BACK not in outcomes
    assert learner.label(windows[3], 1) is Outcome.HELD_BACK
    assert (learner.head.crc(), learner.updates) == before
    assert learner.label(windows[4], 0) is not Outcome.HELD_BACK
    assert learner.holdout()[0] == 1 and learner.guard.judged <= 5


def test_the_learned_serve_once_the_shipped_were_wrong_and_they_were_as_often_right() -> None:
    learner = random_learner(SHAPES["fc"])
    for guard, updates, serves in (
        (Guard(judged=2, shipped_right=0, learned_right=0), 1, True),
        (Guard(judged=2, shipped_right=0, learned_right=0), 0, False),
        (Guard(judged=5, shipped_right=4, learned_right=5), 1, False),
        (Guard(judged=6, shipped_right=4, learned_right=4), 1, True),
        (Guard(judged=6, shipped_right=4, learned_right=3), 1, False),
        (Guard(judged=6, shipped_right=3, learned_right=4), 1, True),
    ):
        learner.guard, learner.updates = guard, updates
        assert learner.learned_active is serves, guard
    window = random_windows(SHAPES["fc"])
    learner.head.step(window, 0, 0.5, 0.0, 1.0)
    assert learner.predict(window).tobytes() == learner.head.predict(window).tobytes()
    learner.guard = Guard()
    assert learner.predict(window).tobytes() == learner.head.predict(window, True).tobytes()


def surprised(probability: float) -> tuple[Learner, np.ndarray]:
    """A learner that gives activity 0 this probability, whatever the window."""
    shape = SHAPES["fc"]
    anchor = np.zeros(shape.parameters, np.float32)
    biases = np.log([probability] + [(1 - probability) / (SHIPPED - 1)] * (SHIPPED - 1))
    anchor[-shape.rows : -shape.rows + SHIPPED] = biases
    replay = Replay(shape.window_bytes, 4, shape.rows, np.zeros((0, 13)), np.zeros(0))
    head = Head(shape, random_head(shape).scales, anchor, SHIPPED)
    return Learner(head, replay, replace(LEARNING, hold_every=0)), random_windows(shape)


@pytest.mark.parametrize("probability", [0.9, 0.5, 0.1, 0.01])
def test_sample_weight_is_the_probability_to_the_three_quarters(probability: float) -> None:
    learner, window = surprised(probability)
    learner.label(window, 0)
    assert learner.replay.sample_weight[0] == pytest.approx(255 * probability**0.75, abs=0.6)
    assert learner.guard.judged == 1


def test_implausible_label_weighs_little_and_is_not_judged() -> None:
    learner, window = surprised(1e-5)
    assert learner.label(window, 0) is Outcome.LEARNED
    assert learner.replay.sample_weight[0] == 5
    assert learner.guard == Guard() and learner.updates == 1 and learner.labels[0] == 1


def test_added_activity_has_full_weight_and_is_always_judged() -> None:
    learner, window = surprised(0.999)
    learner.add()
    learner.head.parameters[-2] = -30.0  # the bias of the row that was added
    assert learner.label(window, SHIPPED) is Outcome.LEARNED
    assert learner.replay.sample_weight[0] == FULL_WEIGHT
    assert learner.guard == Guard(judged=1)


def test_an_update_that_makes_held_back_windows_worse_is_undone() -> None:
    shape = SHAPES["fc"]
    learner = random_learner(shape, replace(LEARNING, rate=3.0, hold_every=2))
    window = random_windows(shape)
    right = int(learner.head.predict(window).argmax())
    learner.labels[right] = 1
    assert learner.label(window, right) is Outcome.HELD_BACK
    before = learner.head.crc(), list(learner.replay.seen), learner.replay.count
    wrong = (right + 1) % SHIPPED
    assert learner.label(window, wrong) is Outcome.UNDONE
    assert (learner.head.crc(), learner.replay.seen, learner.replay.count) == before
    assert learner.guard.undone == 1 and learner.updates == 0 and learner.labels[wrong] == 1
    assert learner.holdout() == (1, 1)


def test_undo_takes_each_kind_of_label_back_whole(learner: Learner, shape: HeadShape) -> None:
    rng = np.random.default_rng(4)
    seen = set()
    for i, window in enumerate(random_windows(shape, 150)):
        if i == 60:
            learner.add()
        activity = int(rng.integers(learner.head.activities))
        before, shipped = state_of(learner), learner.head.crc()
        outcome = learner.label(window, activity)
        seen.add(outcome)
        assert (learner.head.crc() == shipped) == (outcome is not Outcome.LEARNED)
        after = state_of(learner)
        assert after != before and learner.can_undo
        learner.undo()
        assert state_of(learner) == before and not learner.can_undo
        with pytest.raises(InputError, match="no label to take back"):
            learner.undo()
        assert learner.label(window, activity) is outcome
        assert state_of(learner) == after
    assert {Outcome.LEARNED, Outcome.HELD_BACK} <= seen
    assert learner.replay.count == learner.replay.capacity


def test_undo_is_gone_after_an_activity_was_added_or_a_head_taken(
    learner: Learner, shape: HeadShape
) -> None:
    for forget in (learner.add, learner.taken, learner.reset):
        learner.label(random_windows(shape), 0)
        forget()
        with pytest.raises(InputError):
            learner.undo()


def test_what_is_refused_changes_nothing(learner: Learner, shape: HeadShape) -> None:
    window = random_windows(shape)
    learner.label(window, 0)
    before = state_of(learner)
    for activity in (-1, SHIPPED, 200):
        with pytest.raises(InputError, match="activity"):
            learner.label(window, activity)
        assert state_of(learner) == before and learner.can_undo
    learner.learning = replace(LEARNING, rate=1e30)
    with pytest.raises(InputError, match="not finite"):
        learner.label(window, 1)
    assert state_of(learner) == before and not learner.can_undo


def test_a_row_too_many_is_refused(learner: Learner, shape: HeadShape) -> None:
    for used in range(SHIPPED + 1, shape.rows + 1):
        learner.add()
        assert learner.head.activities == used
        assert learner.predict(random_windows(shape)).shape == (used,)
    before = state_of(learner)
    with pytest.raises(InputError, match="all 6 rows are taken"):
        learner.add()
    assert state_of(learner) == before


def test_a_taught_activity_is_found_and_exemplars_keep_the_others(shape: HeadShape) -> None:
    rng = np.random.default_rng(5)
    center = rng.integers(-100, 100, shape.window_bytes)
    shown = random_windows(shape, 16, seed=9)
    activities = random_head(shape).predict(shown).argmax(axis=-1)

    def new(count: int) -> np.ndarray:
        near = center + rng.normal(0, 15, (count, shape.window_bytes))
        return np.clip(np.round(near), -128, 127).astype(np.int8)

    kept = {}
    for replay_every in (0, 2):
        replay = Replay(shape.window_bytes, 20, shape.rows, shown, activities)
        learning = replace(LEARNING, steps=32, replay_every=replay_every)
        learner = Learner(random_head(shape), replay, learning)
        learner.add()
        for window in new(12):
            learner.label(window, SHIPPED)
        assert learner.learned_active
        assert (learner.predict(new(50)).argmax(axis=-1) == SHIPPED).mean() > 0.9
        kept[replay_every] = (learner.predict(shown).argmax(axis=-1) == activities).mean()
    assert kept[2] > kept[0] + 0.2


def test_reset_gives_a_fresh_learner(learner: Learner, shape: HeadShape) -> None:
    fresh = state_of(learner)
    learner.add()
    for i, window in enumerate(random_windows(shape, 30)):
        learner.label(window, i % (SHIPPED + 1))
    assert state_of(learner) != fresh
    learner.reset()
    assert state_of(learner) == fresh and not learner.learned_active and learner.holdout() == (0, 0)


def test_the_same_labels_give_the_same_state(shape: HeadShape) -> None:
    states = set()
    for _ in range(2):
        learner = random_learner(shape)
        for i, window in enumerate(random_windows(shape, 25)):
            learner.label(window, i % SHIPPED)
        states.add(state_of(learner))
    assert len(states) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 0.0},
        {"rate": -0.1},
        {"rate": float("nan")},
        {"rate": 1e-60},
        {"rate_convolution": -1e-9},
        {"keep": -0.1},
        {"keep": 1.001},
        {"keep": float("nan")},
        {"steps": 0},
        {"steps": 65536},
        {"replay_every": -1},
        {"hold_every": 65536},
    ],
)
def test_constants_out_of_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InputError, match="out of range"):
        replace(LEARNING, **changes)  # type: ignore[arg-type]
    assert Learning(1e-6, 0.0, 0.0, 1, 0, 0, 0)


def test_a_head_and_a_replay_of_different_sizes_are_refused(shape: HeadShape) -> None:
    for size, rows in ((shape.window_bytes + 1, shape.rows), (shape.window_bytes, shape.rows + 1)):
        replay = Replay(size, 4, rows, np.zeros((0, size)), np.zeros(0))
        with pytest.raises(InputError, match="learner"):
            Learner(random_head(shape), replay, LEARNING)

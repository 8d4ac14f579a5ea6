"""The protocol, with a learner that knows what it was told: the nearest labelled window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.core.types import Array
from pipeline.data import Windows
from pipeline.experiments.labelling import users_of
from pipeline.experiments.personalize.measure import (
    UserWindows,
    new_activities,
    same_activities,
)
from pipeline.head import Guard
from pipeline.sim.learner_program import LearnerState

ACTIVITIES = 3
EACH = 30  # windows of an activity in a session


class ByHeart:
    """Ships with every answer 0; has learned what the labelled windows are."""

    shipped = 3

    def __init__(self, serves: bool = True) -> None:
        self.would_serve = serves
        self.resets: list[int] = []
        self.lessons: list[tuple[Array, Array]] = []
        self.blinded: list[int] = []
        self.reset()

    def reset(self) -> None:
        self.activities = self.shipped
        self.known: tuple[Array, Array] | None = None

    def blind(self, features: int) -> None:
        self.blinded.append(features)
        self.reset()

    def add(self) -> None:
        self.activities += 1

    def label(self, windows: Array, activities: Array | Sequence[int]) -> list[int]:
        assert self.known is None, "every user begins with the shipped cut"
        assert max(activities) < self.activities
        self.known = windows.copy(), np.asarray(activities)
        self.lessons.append(self.known)
        return [0] * len(windows)

    def state(self) -> LearnerState:
        counts = dict.fromkeys(("updates", "held", "held_right", "crc"), 0)
        serves = self.would_serve and self.known is not None
        return LearnerState(self.activities, serves, guard=Guard(undone=2), **counts)

    def predict(self, windows: Array, by: str = "serving") -> Array:
        if by == "shipped" or self.known is None:
            return np.zeros(len(windows), np.int64)
        near = np.abs(windows[:, None, :].astype(int) - self.known[0].astype(int)).sum(axis=2)
        return self.known[1][near.argmin(axis=1)]


@pytest.fixture
def data() -> UserWindows:
    """Persons a (two sessions) and b; a window's bytes tell activity and person."""
    sessions = [("a", "a/1"), ("a", "a/2"), ("b", "b/1")]
    count = ACTIVITIES * EACH
    y = np.tile(np.repeat(np.arange(ACTIVITIES), EACH), len(sessions))
    person = np.repeat([0, 0, 60], count)
    windows = Windows(
        x=np.zeros((len(y), 128, 6), np.float32),
        y=y,
        activities=("walk", "run", "rest"),
        subjects=np.repeat([subject for subject, _ in sessions], count),
        sessions=np.repeat([session for _, session in sessions], count),
        recording=np.repeat(np.arange(len(sessions) * ACTIVITIES), EACH),
        start=np.tile(64 * np.arange(EACH), len(sessions) * ACTIVITIES),
    )
    cut = np.column_stack([20 * y, np.where(person, -100 - y, 0)]).astype(np.int8)
    return UserWindows(windows, cut, users_of(windows, ["a", "b"]), "made up/0/0")


def test_each_user_labels_and_is_tested_on_the_rest_of_the_session(data: UserWindows) -> None:
    learner = ByHeart()
    found = same_activities(learner, data, (1, 4))  # type: ignore[arg-type]
    assert [(each.user, each.k, each.scene) for each in found] == [
        (user, k, "same") for user in ("a/1", "a/2", "b/1") for k in (1, 4)
    ]
    first = found[0]
    # The labelled window and the one that begins inside it are not tested.
    assert first.windows == ACTIVITIES * (EACH - 2)
    assert (first.before, first.after) == (pytest.approx(1 / 3), 1.0)
    assert (first.undone, first.serves, first.left_out) == (2, True, False)


def test_forgetting_is_of_other_people_only(data: UserWindows) -> None:
    class Forgets(ByHeart):
        def predict(self, windows: Array, by: str = "serving") -> Array:
            said = super().predict(windows, by)
            own = windows[:, 1] == 0
            return said if by == "shipped" else np.where(own, said, 2)

    found = same_activities(Forgets(), data, (1,))  # type: ignore[arg-type]
    # Of b, a third was right before (all said to be 0), and a third (said to be 2) is now.
    assert found[0].forgotten == pytest.approx(0.0)
    assert found[0].after == 1.0

    class ForgetsAll(ByHeart):
        def predict(self, windows: Array, by: str = "serving") -> Array:
            own = windows[:, 1] == 0
            said = super().predict(windows, by)
            return said if by == "shipped" else np.where(own, said, 1 + 0 * said + 5)

    found = same_activities(ForgetsAll(), data, (1,))  # type: ignore[arg-type]
    assert found[0].forgotten == pytest.approx(1 / 3)


def test_across_is_tested_on_the_persons_other_sessions(data: UserWindows) -> None:
    found = same_activities(ByHeart(), data, (2,), across=True)  # type: ignore[arg-type]
    across = [each for each in found if each.scene == "across"]
    assert [(each.user, each.windows, each.left_out) for each in across] == [
        ("a/1", ACTIVITIES * EACH, False),
        ("a/2", ACTIVITIES * EACH, False),
        ("b/1", 0, True),
    ]
    assert across[0].after == 1.0


def test_while_the_shipped_parameters_serve_nothing_changes(data: UserWindows) -> None:
    for each in same_activities(ByHeart(serves=False), data, (1,)):  # type: ignore[arg-type]
        assert each.after == each.before == each.after_wrong_labels
        assert each.forgotten == 0.0
        assert not each.serves


def test_wrong_labels_cost_what_they_teach(data: UserWindows) -> None:
    learner = ByHeart()
    found = same_activities(learner, data, (10,))  # type: ignore[arg-type]
    labels = [lesson[1] for lesson in learner.lessons]
    right = [given for given in labels if (given == np.repeat([0, 1, 2], 10)).all()]
    assert len(right) == 3, "each user learns once from right labels"
    assert len(labels) > 9, "and from wrong ones where any was drawn"
    for each in found:
        assert each.after == 1.0
        assert each.after_wrong_labels is not None
        assert each.after_wrong_labels <= 1.0


def test_users_with_few_windows_left_are_left_out(data: UserWindows) -> None:
    found = same_activities(ByHeart(), data, (28,))  # type: ignore[arg-type]
    assert [(each.windows, each.left_out) for each in found] == [(3, True)] * 3


def test_taught_activities_are_right_only_as_what_they_were_taught_as(data: UserWindows) -> None:
    learner = ByHeart()
    found = new_activities(learner, data, (2, 28), blind=4)  # type: ignore[arg-type]
    assert learner.blinded == [4]
    assert [(each.scene, each.k, each.left_out) for each in found] == [
        ("teach", 2, False),
        ("teach", 28, True),
    ] * 3
    assert {(each.before, each.after) for each in found if not each.left_out} == {(0.0, 1.0)}
    assert found[0].forgotten is None
    assert found[0].after_wrong_labels is None
    for _, labels in learner.lessons:
        assert sorted(set(labels.tolist())) == [3, 4, 5]
    assert learner.activities == 6

from __future__ import annotations

import numpy as np
import pytest

from pipeline.data import Windows
from pipeline.experiments.labelling import User, choose, elsewhere, users_of
from pipeline.experiments.personalize.measure import others, wrong_labels

# (subject, session, recording, start, activity), deliberately not in the order of time.
ROWS = [
    ("b", "b/1", 2, 0, 0),
    ("a", "a/1", 1, 0, 1),
    ("a", "a/1", 0, 192, 0),
    ("a", "a/1", 0, 0, 0),
    ("a", "a/1", 0, 64, 0),
    ("a", "a/1", 0, 128, 0),
    ("a", "a/1", 1, 64, 1),
    ("a", "a/1", 1, 128, 1),
    ("a", "a/2", 3, 0, 1),
]


@pytest.fixture
def windows() -> Windows:
    subject, session, recording, start, y = zip(*ROWS, strict=True)
    return Windows(
        x=np.zeros((len(ROWS), 128, 6), np.float32),
        y=np.array(y),
        activities=("walk", "rest"),
        subjects=np.array(subject),
        sessions=np.array(session),
        recording=np.array(recording),
        start=np.array(start),
    )


def _named(users: list[User], name: str) -> User:
    return next(user for user in users if user.name == name)


def test_a_user_is_a_session_with_its_windows_in_the_order_of_time(windows: Windows) -> None:
    users = users_of(windows, ["a", "b"])
    assert [(user.name, user.subject) for user in users] == [
        ("a/1", "a"),
        ("a/2", "a"),
        ("b/1", "b"),
    ]
    assert users[0].windows.tolist() == [3, 4, 5, 2, 1, 6, 7]
    assert [user.name for user in users_of(windows, ["b"])] == ["b/1"]


def test_the_first_k_of_each_activity_are_labelled_and_no_sample_of_them_tested(
    windows: Windows,
) -> None:
    user = _named(users_of(windows, ["a"]), "a/1")
    chosen, rest = choose(windows, user, 1)
    assert chosen.tolist() == [3, 1]
    assert rest.tolist() == [5, 2, 7]  # 4 and 6 begin inside a labelled window
    chosen, rest = choose(windows, user, 2)
    assert chosen.tolist() == [3, 4, 1, 6]
    assert rest.tolist() == [2]
    for place in chosen:
        same = rest[windows.recording[rest] == windows.recording[place]]
        assert (np.abs(windows.start[same] - windows.start[place]) >= 128).all()
    chosen, rest = choose(windows, user, 50)
    assert sorted(chosen.tolist()) == [1, 2, 3, 4, 5, 6, 7]
    assert rest.size == 0


def test_other_sessions_are_of_the_same_person_and_others_are_not(windows: Windows) -> None:
    users = users_of(windows, ["a", "b"])
    assert elsewhere(users, _named(users, "a/2")).tolist() == [3, 4, 5, 2, 1, 6, 7]
    assert elsewhere(users, _named(users, "b/1")).size == 0
    assert others(users, _named(users, "a/2")).tolist() == [0]
    assert sorted(others(users, _named(users, "b/1")).tolist()) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_tenth_of_the_labels_is_wrong_and_drawn_for_its_name() -> None:
    labels = np.arange(20_000) % 5
    drawn = wrong_labels(labels, 5, "watch", "a/1", 2, 0)
    wrong = drawn != labels
    assert 0.09 < wrong.mean() < 0.11
    assert set(((drawn - labels)[wrong] % 5).tolist()) == {1, 2, 3, 4}
    np.testing.assert_array_equal(drawn, wrong_labels(labels, 5, "watch", "a/1", 2, 0))
    assert (drawn != wrong_labels(labels, 5, "watch", "a/1", 2, 1)).any()
    assert labels.tolist() == (np.arange(20_000) % 5).tolist()

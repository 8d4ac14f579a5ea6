import numpy as np
import pytest

from pipeline.training.metrics import majority_of_errors, reliability, score


def test_scores_by_hand() -> None:
    truth = np.array([0, 0, 1, 1, 2])
    predicted = np.array([0, 1, 1, 1, 0])
    subjects = np.array(["a", "a", "a", "b", "b"])
    sessions = np.array(["a/1", "a/1", "a/2", "b/1", "b/2"])
    scores = score(truth, predicted, subjects, 3, sessions)
    assert scores.accuracy == pytest.approx(3 / 5)
    # F1: activity 0 2/(2+1+1), activity 1 4/(4+1+0), activity 2 0
    assert scores.macro_f1 == pytest.approx((0.5 + 0.8 + 0.0) / 3)
    assert scores.subject_accuracy == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 2)}
    assert scores.worst_subject == "b"
    assert scores.worst_subject_accuracy == pytest.approx(1 / 2)
    assert scores.session_accuracy == {"a/1": 0.5, "a/2": 1.0, "b/1": 1.0, "b/2": 0.0}
    assert scores.session_windows == {"a/1": 2, "a/2": 1, "b/1": 1, "b/2": 1}
    assert scores.confusion.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


@pytest.mark.parametrize(("people", "counted"), [(1, 1), (4, 1), (5, 2), (9, 3)])
def test_the_worst_quarter_is_rounded_up_and_counts_people_not_windows(
    people: int, counted: int
) -> None:
    # Person p has 10 + p windows, of which the first p are right: the lower p, the worse.
    subjects = np.repeat([f"p{p}" for p in range(people)], [10 + p for p in range(people)])
    right = np.concatenate([np.arange(10 + p) < p for p in range(people)])
    scores = score(np.zeros(len(right), int), 1 - right, subjects, 2)
    expected = np.mean([p / (10 + p) for p in range(counted)])
    assert scores.worst_quarter_accuracy == pytest.approx(expected)


def test_macro_f1_leaves_out_activities_that_nobody_did() -> None:
    truth, people = np.array([0, 1, 1]), np.array(["a", "a", "a"])
    assert score(truth, truth, people, 5).macro_f1 == 1.0
    # A window taken for activity 4, which nobody did: activity 1 loses it, 2/(2+0+1), and no more.
    scores = score(truth, np.array([0, 1, 4]), people, 5)
    assert scores.macro_f1 == pytest.approx((1.0 + 2 / 3) / 2)


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(ValueError):
        score(np.array([], int), np.array([], int), np.array([], str), 2)
    with pytest.raises(ValueError):
        reliability(np.empty((0, 2)), np.array([], int))


def test_the_majority_of_errors_counts_a_pair_both_ways() -> None:
    confusion = np.array([[9, 3, 4], [0, 9, 0], [2, 1, 9]])
    assert majority_of_errors(confusion, ["a", "b", "c"]) == ("a/c", pytest.approx(0.6))
    assert majority_of_errors(np.diag([3, 4]), ["a", "b"]) is None


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.3, 0.7], [0.3, 0.7]])
    found = reliability(probabilities, np.array([0, 1, 1, 1]))
    assert sum(found.windows) == 4
    # Two windows at 0.95 of which half are right, two at 0.7 that are all right.
    assert found.calibration_error == pytest.approx((2 * 0.45 + 2 * 0.3) / 4)


def test_who_is_as_right_as_sure_has_no_calibration_error() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1.0, 200_000)
    truth = (rng.uniform(size=len(sure)) > sure).astype(int)
    found = reliability(np.stack([sure, 1 - sure], axis=1), truth)
    assert found.calibration_error < 0.005
    assert found.windows[0] == 0 and found.accuracy[0] == 0.0


def test_full_confidence_falls_into_the_last_bin() -> None:
    found = reliability(np.array([[1.0, 0.0]]), np.array([0]), bins=10)
    assert found.windows == [0] * 9 + [1]

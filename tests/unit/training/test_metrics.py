import numpy as np
import pytest

from pipeline.training.metrics import score


def test_scores_by_hand() -> None:
    truth = np.array([0, 0, 1, 1, 2])
    predicted = np.array([0, 1, 1, 1, 0])
    subjects = np.array(["a", "a", "a", "b", "b"])
    scores = score(truth, predicted, subjects, 3)
    assert scores.accuracy == pytest.approx(3 / 5)
    # F1: activity 0 2/(2+1+1), activity 1 4/(4+1+0), activity 2 0
    assert scores.macro_f1 == pytest.approx((0.5 + 0.8 + 0.0) / 3)
    assert scores.subject_accuracy == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 2)}
    assert scores.worst_subject == "b"
    assert scores.confusion.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


def test_macro_f1_leaves_out_activities_that_never_occur() -> None:
    truth = np.array([0, 1])
    assert score(truth, truth, np.array(["a", "a"]), 5).macro_f1 == 1.0


def test_nothing_to_score_is_refused() -> None:
    with pytest.raises(ValueError):
        score(np.array([], int), np.array([], int), np.array([], str), 2)

from __future__ import annotations

import json

import pytest

from pipeline.experiments.personalize.measure import Measured, Outcome
from pipeline.experiments.personalize.report import PersonalizeRow, rows_of
from pipeline.training.metrics import worst_quarter


def _outcome(user: str, before: float, after: float, **changes: object) -> Outcome:
    figures: dict[str, object] = {
        "scene": "same",
        "k": 2,
        "user": user,
        "windows": 50,
        "before": before,
        "after": after,
        "after_wrong_labels": after,
        "forgotten": 0.01,
        "undone": 1,
        "serves": True,
    }
    return Outcome(**{**figures, **changes})  # type: ignore[arg-type]


def _only(rows: list[PersonalizeRow], cut: str) -> PersonalizeRow:
    (row,) = [row for row in rows if row.cut == cut]
    return row


def test_the_worst_quarter_is_rounded_up_and_sorted_anew() -> None:
    assert worst_quarter([0.9, 0.1, 0.5, 0.8]) == pytest.approx(0.1)
    assert worst_quarter([0.9, 0.1, 0.5, 0.8, 0.7]) == pytest.approx(0.3)
    assert worst_quarter([0.4]) == pytest.approx(0.4)
    before = [0.2, 0.6, 0.7, 0.8]
    after = [0.9, 0.6, 0.7, 0.8]
    rows, _ = rows_of(
        [
            Measured(
                "watch",
                "fc",
                0,
                [
                    _outcome(str(n), b, a)
                    for n, (b, a) in enumerate(zip(before, after, strict=True))
                ],
            )
        ]
    )
    row = _only(rows, "fc")
    assert (row.worst_quarter_before, row.worst_quarter_after) == (0.2, 0.6)


def test_folds_are_one_set_of_users_and_seeds_are_averaged() -> None:
    rows, details = rows_of(
        [
            Measured("watch", "fc", 0, [_outcome("a", 0.5, 0.6)]),
            Measured("watch", "fc", 0, [_outcome("b", 0.7, 0.8), _outcome("c", 0.9, 0.7)]),
            Measured("watch", "fc", 1, [_outcome("b", 0.7, 0.7, serves=False)]),
            Measured("watch", "fc", 1, [_outcome("a", 0.3, 0.3), _outcome("c", 0.5, 0.5)]),
        ]
    )
    row = _only(rows, "fc")
    assert (row.users, row.seeds, row.users_left_out) == (3, 2, 0)
    assert row.before == pytest.approx((0.7 + 0.5) / 2)
    assert row.after == pytest.approx((0.7 + 0.5) / 2)
    assert row.serving_share == pytest.approx((1 + 2 / 3) / 2, abs=1e-6)
    assert row.hurt_share == pytest.approx(1 / 6, abs=1e-6)
    assert row.lose_over_one_point == 1
    assert row.worst_change == pytest.approx(-0.2)
    assert row.undone == 1
    assert row.forgetting == 0.01
    (detail,) = details
    assert detail.users["c"] == [(0.9, 0.7, 0.7), (0.5, 0.5, 0.5)]


def test_half_a_point_and_one_point_are_bounds_that_do_not_hurt() -> None:
    rows, _ = rows_of(
        [Measured("watch", "fc", 0, [_outcome("a", 0.9, 0.895), _outcome("b", 0.9, 0.89)])]
    )
    row = _only(rows, "fc")
    assert (row.hurt_share, row.lose_over_one_point) == (0.5, 0)


def test_not_learning_stands_beside_and_says_what_there_was() -> None:
    rows, _ = rows_of(
        [
            Measured("watch", "fc", 0, [_outcome("a", 0.5, 0.6)]),
            Measured("watch", "fxc1", 0, [_outcome("a", 0.4, 0.6)]),
            Measured("watch", "fc", 0, [_outcome("t", 0.0, 0.6, scene="teach", forgotten=None)]),
        ]
    )
    assert [(row.scene, row.cut) for row in rows] == [
        ("same", "none"),
        ("same", "fc"),
        ("same", "fxc1"),
        ("teach", "fc"),
    ]
    none = rows[0]
    assert none.before == none.after == none.after_wrong_labels == 0.5
    assert (none.hurt_share, none.forgetting, none.serving_share, none.undone) == (0, 0, 0, 0)
    assert rows[-1].forgetting is None


def test_users_left_out_are_counted_and_count_for_nothing() -> None:
    few = _outcome("few", 0.0, 0.0, left_out=True)
    rows, details = rows_of([Measured("watch", "fc", 0, [_outcome("a", 0.5, 0.6), few])])
    assert (rows[1].users, rows[1].users_left_out, rows[1].before) == (1, 1, 0.5)
    assert set(details[0].users) == {"a"}
    assert rows_of([Measured("watch", "fc", 0, [few])]) == ([], [])


def test_rows_are_ordered_by_scene_data_set_labels_and_cut() -> None:
    measured = [
        Measured(dataset, cut, 0, [_outcome("a", 0.5, 0.6, k=k, scene=scene)])
        for cut in ("fxc2", "fc", "fxc1")
        for k in (10, 1)
        for scene in ("across", "same")
        for dataset in ("watch", "hapt")
    ]
    rows, _ = rows_of(measured)
    keys = [(row.scene, row.dataset, row.k, row.cut) for row in rows]
    cuts = ("none", "fc", "fxc1", "fxc2")
    assert keys == [
        (scene, dataset, k, cut)
        for scene in ("same", "across")
        for dataset in ("hapt", "watch")
        for k in (1, 10)
        for cut in cuts
    ]
    json.dumps([row.model_dump() for row in rows], allow_nan=False)

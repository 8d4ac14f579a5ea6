"""From what single users reach to the rows of `har personalize`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.experiments.personalize.measure import TEACH, Outcome
from pipeline.experiments.personalize.networks import Measured
from pipeline.experiments.personalize.report import SCENES, PersonalizeRow, UsersDetail
from pipeline.training.metrics import worst_quarter

NONE = "none"
_CUTS = (NONE, "fc_last", "fc", "fxc1", "fxc2")
_HALF_A_POINT, _ONE_POINT = 0.005, 0.01
_ROUNDING = 1e-9  # of differences of shares


def rows_of(measured: Iterable[Measured]) -> tuple[list[PersonalizeRow], list[UsersDetail]]:
    """All rows by scene, data set, k and cut, and the figures of single users. A row of cut
    ``none`` is shown with cut fc wherever learning is compared with not learning."""
    found: dict[tuple[str, str, int, str], dict[int, list[Outcome]]] = {}
    for each in measured:
        for outcome in each.outcomes:
            key = (outcome.scene, each.dataset, outcome.k, each.cut)
            found.setdefault(key, {}).setdefault(each.seed, []).append(outcome)
            if each.cut == "fc" and outcome.scene != TEACH:
                none = (outcome.scene, each.dataset, outcome.k, NONE)
                found.setdefault(none, {}).setdefault(each.seed, []).append(_unlearned(outcome))
    scenes = list(SCENES)
    keys = sorted(
        found, key=lambda key: (scenes.index(key[0]), key[1], key[2], _CUTS.index(key[3]))
    )
    rows, details = [], []
    for key in keys:
        kept = {
            seed: [outcome for outcome in outcomes if not outcome.left_out]
            for seed, outcomes in sorted(found[key].items())
        }
        if any(kept.values()):
            rows.append(_row(key, kept, len(next(iter(found[key].values())))))
            if key[3] != NONE:
                details.append(_detail(key, kept))
    return rows, details


def _unlearned(outcome: Outcome) -> Outcome:
    """Without learning everything stays as it was."""
    before = outcome.before
    kept = replace(outcome, after=before, after_wrong_labels=before, forgotten=0.0)
    return replace(kept, undone=0, serves=False)


def _row(
    key: tuple[str, str, int, str], by_seed: dict[int, list[Outcome]], asked: int
) -> PersonalizeRow:
    scene, dataset, k, cut = key
    everything = [outcome for outcomes in by_seed.values() for outcome in outcomes]
    changes = np.array([outcome.after - outcome.before for outcome in everything])
    users = {len(outcomes) for outcomes in by_seed.values()}

    def mean(name: str) -> float | None:
        means = []
        for outcomes in by_seed.values():
            values = [value for each in outcomes if (value := getattr(each, name)) is not None]
            if values:
                means.append(float(np.mean(values)))
        return _rounded(np.mean(means)) if means else None

    def quarter(name: str) -> float:
        return _rounded(
            np.mean([worst_quarter([getattr(o, name) for o in each]) for each in by_seed.values()])
        )

    return PersonalizeRow.model_validate(
        {
            "scene": scene,
            "dataset": dataset,
            "k": k,
            "cut": cut,
            "users": max(users),
            "users_left_out": asked - max(users),
            "seeds": len(by_seed),
            "before": mean("before"),
            "after": mean("after"),
            "worst_quarter_before": quarter("before"),
            "worst_quarter_after": quarter("after"),
            "hurt_share": _rounded((changes < -_HALF_A_POINT - _ROUNDING).mean()),
            "worst_change": _rounded(changes.min()),
            "lose_over_one_point": int((changes < -_ONE_POINT - _ROUNDING).sum()),
            "forgetting": mean("forgotten"),
            "after_wrong_labels": mean("after_wrong_labels"),
            "undone": mean("undone"),
            "serving_share": mean("serves"),
        }
    )


def _detail(key: tuple[str, str, int, str], by_seed: dict[int, list[Outcome]]) -> UsersDetail:
    scene, dataset, k, cut = key
    users: dict[str, list[tuple[float, float, float | None]]] = {}
    for outcomes in by_seed.values():
        for each in outcomes:
            wrong = each.after_wrong_labels
            figures = (
                _rounded(each.before, 4),
                _rounded(each.after, 4),
                None if wrong is None else _rounded(wrong, 4),
            )
            users.setdefault(each.user, []).append(figures)
    return UsersDetail.model_validate(
        {
            "scene": scene,
            "dataset": dataset,
            "k": k,
            "cut": cut,
            "users": dict(sorted(users.items())),
        }
    )


def _rounded(value: Any, digits: int = 6) -> float:
    return round(float(value), digits)

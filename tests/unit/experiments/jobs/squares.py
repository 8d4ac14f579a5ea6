"""What a sweep over numbers gives, and what its study holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.experiments.jobs import Sweep, run_sweep

Make = Callable[..., Sweep]
Runs = Callable[[], list[tuple[int, int]]]


def squares(count: int) -> list[dict[str, Any]]:
    return [{"square": x * x, "of": [x]} for x in range(count)]


def results_of(sweep: Sweep, workers: int = 1) -> list[dict[str, Any]]:
    """What its jobs gave, in their order."""
    return [each.result for each in run_sweep(sweep, workers=workers)]


def trials_of(sweep: Sweep, state: str) -> list[Any]:
    import optuna

    study = optuna.load_study(study_name=sweep.study, storage=sweep.storage)
    return [trial for trial in study.trials if trial.state.name == state]

"""`har search`: workers that take candidates from one study until it holds enough of them."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import CheckFailed, InputError
from pipeline.data import CHANNELS
from pipeline.experiments.jobs.crew import POLL_S, work_together
from pipeline.experiments.jobs.storage import fail_stale, open_study, storage_errors, stored_form
from pipeline.experiments.search.cost import Limits, count_cost
from pipeline.experiments.search.space import Candidate, Space
from pipeline.experiments.search.study import (
    candidate_of,
    enqueue,
    key_of,
    name_trial,
    put_back,
    seeded_sampler,
)
from pipeline.experiments.search.task import Material, train_and_score

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

CHANNEL_COUNT = len(CHANNELS)
_MAX_MISSES = 2000  # draws in a row that bring nothing to train

Score = Callable[[Material, Candidate, int, int, int], float]


@dataclass(frozen=True)
class SearchJob:
    """All that a worker needs; goes to other processes by pickle.

    ``trials``: how many trained candidates the study shall hold, those of earlier runs included.
    ``score``: (material, candidate, draw, epochs, seed) -> accuracy.
    """

    material: Material
    storage: str
    study: str
    trials: int
    epochs: int = 8
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    space: Space = field(default_factory=Space)
    score: Score = train_and_score
    heartbeat_s: int = 30

    def definition(self) -> dict[str, Any]:
        """What must be equal for two results to stand in one picture."""
        from pipeline.training.shipped import recipe

        settings = asdict(recipe(self.material.dataset, "dscnn"))
        del settings["backbone"], settings["epochs"]
        definition = {
            "dataset": self.material.dataset,
            "dataset_sha256": self.material.sha256,
            "split": self.material.split,
            "seed": self.seed,
            "draws": len(self.material.draws),
            "epochs": self.epochs,
            "limits": asdict(self.limits),
            "space": self.space.document(),
            "recipe": settings,
        }
        return stored_form(definition)

    def open(self) -> Study:
        """The job's study; raises as `open_study`."""
        definition = self.definition()
        study, _ = open_study(
            self.storage,
            self.study,
            definition,
            command="har search",
            directions=("maximize", "minimize"),
            sampler=seeded_sampler(self.seed),
            heartbeat_s=self.heartbeat_s,
            on_stale=lambda study, _: put_back(study, definition),
        )
        return study


def search(
    job: SearchJob, *, workers: int = 1, on_trials: Callable[[Study], None] = lambda _: None
) -> Study:
    """Runs until the study holds ``job.trials`` trained candidates and returns it.

    One worker is this process; several are processes of their own, each with an equal share of the
    cores. ``on_trials`` is called whenever the study may have grown. Ctrl-C loses the running
    trials only; the next run begins with them. Raises InputError for counts below 1 or limits that
    nothing meets, CheckFailed when nothing new is found within them, ExternalError when the
    storage or
    the workers fail.
    """
    for count, what in ((job.trials, "trials"), (workers, "workers"), (job.epochs, "epochs")):
        if count < 1:
            raise InputError(f"{count} {what}: at least 1 is needed")
    activities = len(job.material.activities)
    _refuse_impossible(job, activities)
    with storage_errors(job.storage):
        study = job.open()
        put_back(study, job.definition())
        wanted = job.space.references().values()
        enqueue(
            study,
            job.space,
            [
                each
                for each in wanted
                if job.limits.fit(count_cost(each, CHANNEL_COUNT, activities))
            ],
        )
        on_trials(study)
        if workers == 1:
            work(job, on_trials)
        else:
            work_together(
                partial(_join, job),
                workers=workers,
                finished=lambda: len(trained(study)) >= job.trials,
                on_poll=lambda: on_trials(study),
            )
        on_trials(study)
    return study


def trained(study: Study) -> list[FrozenTrial]:
    """Finished trials that trained something, each candidate once, in order."""
    from optuna.trial import TrialState

    first: dict[str, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        if "accuracies" in trial.user_attrs:
            first.setdefault(key_of(trial) or "", trial)
    return list(first.values())


def work(job: SearchJob, on_trials: Callable[[Study], None] = lambda _: None) -> None:
    """One worker: trains candidates until the study holds enough, then returns."""
    import optuna
    from optuna.trial import TrialState

    study = job.open()
    boss = multiprocessing.parent_process()
    misses = 0
    while (have := len(trained(study))) < job.trials:
        if boss is not None and not boss.is_alive():
            return
        busy = [
            trial
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if trial.user_attrs.get("training")
        ]
        if have + len(busy) >= job.trials:
            # The others may yet fail: stay until what they train is there or is put back.
            time.sleep(POLL_S)
            fail_stale(study)
            continue
        try:
            study.optimize(lambda trial: _objective(job, study, trial), n_trials=1)
        except optuna.exceptions.UpdateFinishedTrialError:
            continue  # slept so long that another worker has put the trial back
        on_trials(study)
        misses = 0 if len(trained(study)) > have else misses + 1
        if misses >= _MAX_MISSES:
            raise CheckFailed(
                f"no new shape within the limits in {misses} draws; the study holds {have}. "
                "Ask for fewer --trials or widen the limits"
            )


def _objective(job: SearchJob, study: Study, trial: Trial) -> tuple[float, float]:
    """Accuracy on validation people, and MACs. What does not fit is pruned before any training;
    what was trained before has the values that it had."""
    import optuna

    # What was queued from outside the space (a shipped width that is no multiple of 8) has no
    # parameters that the sampler could learn from.
    candidate = candidate_of(trial)
    if candidate is None or job.space.holds(candidate):
        candidate = job.space.suggest(trial)
        name_trial(trial, candidate)
    cost = count_cost(candidate, CHANNEL_COUNT, len(job.material.activities))
    for key, excess in job.limits.excess(cost).items():
        trial.set_constraint(key, excess)
    if cost is None or not job.limits.fit(cost):
        raise optuna.TrialPruned
    for earlier in trained(study):
        if key_of(earlier) == candidate.key:
            accuracy, macs = earlier.values
            return accuracy, macs
    trial.set_user_attr("training", True)
    start = time.monotonic()
    accuracies = [
        job.score(job.material, candidate, draw, job.epochs, job.seed + draw)
        for draw in range(len(job.material.draws))
    ]
    trial.set_user_attr("accuracies", accuracies)
    trial.set_user_attr("seconds", round(time.monotonic() - start, 3))
    for key, value in asdict(cost).items():
        trial.set_user_attr(key, value)
    return sum(accuracies) / len(accuracies), float(cost.macs)


def _refuse_impossible(job: SearchJob, activities: int) -> None:
    counted = (count_cost(each, CHANNEL_COUNT, activities) for each in job.space.narrowest())
    costs = [cost for cost in counted if cost is not None]
    if not any(job.limits.fit(cost) for cost in costs):
        raise InputError(
            "no shape stays within the limits: the least that one takes is "
            f"{min(cost.parameters for cost in costs)} parameters, "
            f"{min(cost.macs for cost in costs)} MACs, "
            f"{min(cost.ram_bytes for cost in costs)} bytes of RAM (not all at once)"
        )


def _join(job: SearchJob) -> None:
    """One of several workers."""
    with storage_errors(job.storage):
        work(job)

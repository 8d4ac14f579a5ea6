"""`har search`: workers that take candidates from one study until it holds enough of them."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any

from pipeline.data import CHANNELS
from pipeline.errors import HarError, HonestNo, InputError, WorldError
from pipeline.search.cost import Limits, count_cost
from pipeline.search.material import Material, train_and_score
from pipeline.search.space import Candidate, Space
from pipeline.search.study import (
    candidate_of,
    enqueue,
    key_of,
    name_trial,
    open_study,
    put_back,
    storage_errors,
)

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

CHANNEL_COUNT = len(CHANNELS)
_MAX_MISSES = 2000  # draws in a row that bring nothing to train
_POLL_S = 1.0

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
        # As the storage gives it back, where a tuple has become a list.
        stored: dict[str, Any] = json.loads(json.dumps(definition))
        return stored

    def open(self) -> Study:
        """The job's study; raises as `open_study`."""
        return open_study(
            self.storage,
            self.study,
            self.definition(),
            seed=self.seed,
            heartbeat_s=self.heartbeat_s,
        )


def search(
    job: SearchJob, *, workers: int = 1, on_trials: Callable[[Study], None] = lambda _: None
) -> Study:
    """Runs until the study holds ``job.trials`` trained candidates and returns it.

    One worker is this process; several are processes of their own, each with an equal share of the
    cores. ``on_trials`` is called whenever the study may have grown. Ctrl-C loses the running
    trials only; the next run begins with them. Raises InputError for counts below 1 or limits that
    nothing meets, HonestNo when nothing new is found within them, WorldError when the storage or
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
            _work_together(job, workers, study, on_trials)
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
            time.sleep(_POLL_S)
            _fail_stale(study)
            continue
        try:
            study.optimize(lambda trial: _objective(job, study, trial), n_trials=1)
        except optuna.exceptions.UpdateFinishedTrialError:
            continue  # slept so long that another worker has put the trial back
        on_trials(study)
        misses = 0 if len(trained(study)) > have else misses + 1
        if misses >= _MAX_MISSES:
            raise HonestNo(
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


def _fail_stale(study: Study) -> None:
    import warnings

    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


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


def _work_together(
    job: SearchJob, workers: int, study: Study, on_trials: Callable[[Study], None]
) -> None:
    context = multiprocessing.get_context("spawn")
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    threads = max(1, cores // workers)
    crew: list[SpawnProcess] = []
    answers: list[Connection] = []
    try:
        for _ in range(workers):
            answer, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_worker, args=(job, threads, theirs), daemon=True)
            process.start()
            theirs.close()
            crew.append(process)
            answers.append(answer)
        while any(process.is_alive() for process in crew):
            multiprocessing.connection.wait([process.sentinel for process in crew], _POLL_S)
            on_trials(study)
    finally:
        _dismiss(crew)
    errors = [_received(answer) for answer in answers]
    if len(trained(study)) < job.trials:
        for error in errors:
            if error is not None:
                raise error
        codes = ", ".join(str(process.exitcode) for process in crew)
        raise WorldError(f"all {workers} workers ended early ({codes}); run again to go on")


def _worker(job: SearchJob, threads: int, answer: Connection) -> None:
    """A worker process: ``threads`` cores for TensorFlow; its error, if any, goes to the parent."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(threads)
    try:
        with storage_errors(job.storage):
            work(job)
    except HarError as error:
        answer.send(error)
    except KeyboardInterrupt:
        return


def _received(answer: Connection) -> HarError | None:
    try:
        error = answer.recv() if answer.poll() else None
    except EOFError:
        return None
    return error if isinstance(error, HarError) else None


def _dismiss(crew: list[SpawnProcess]) -> None:
    """Ends workers that still run. Ctrl-C at a terminal has reached them already; what does not
    end by itself is told as Ctrl-C does, so that it marks its trial."""
    for patience_s, blow in ((5.0, signal.SIGINT), (20.0, signal.SIGKILL), (5.0, None)):
        deadline = time.monotonic() + patience_s
        for process in crew:
            process.join(max(0.0, deadline - time.monotonic()))
        for process in crew:
            if blow is not None and process.pid and process.is_alive():
                os.kill(process.pid, blow)

"""A sweep: many jobs, each done once, by however many workers on however many machines."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ExternalError, HarError, InputError
from pipeline.experiments.jobs.crew import POLL_S, work_together
from pipeline.experiments.jobs.interrupts import held_back
from pipeline.experiments.jobs.progress import Finished, Progress, Tracker
from pipeline.experiments.jobs.queue import ERROR, JOB, RESULT, SECONDS, Queue, key_of
from pipeline.experiments.jobs.storage import storage_errors, stored_form

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

Job = dict[str, Any]


def equal_cost(_: Job) -> float:
    """Every job takes as long as any other."""
    return 1.0


@dataclass(frozen=True)
class Sweep:
    """``jobs`` of the study ``study`` in the database ``storage`` (URL), each given to ``run``.

    ``definition``: what must be equal for results to stand together; others' results in the study
    were made with the same. ``jobs``, ``definition`` and results are JSON; no job is there twice.
    ``run``: job -> result, a function at the top of a module or a `functools.partial` of one, so
    that other processes can be given it. ``cost``: of a job, in any unit; weighs the time left.
    ``threads_per_worker``: cores of each of several workers; an equal share if not given.
    ``command``: as messages call what the study is of.
    """

    storage: str
    study: str
    definition: dict[str, Any]
    jobs: tuple[Job, ...]
    run: Callable[[Job], Job]
    cost: Callable[[Job], float] = equal_cost
    heartbeat_s: int = 30
    threads_per_worker: int | None = None
    command: str = "har"


def check_workers(workers: int) -> None:
    """InputError for less than one."""
    if workers < 1:
        raise InputError(f"{workers} workers: at least 1 is needed")


def run_sweep(
    sweep: Sweep, *, workers: int = 1, on_progress: Callable[[Progress], None] = lambda _: None
) -> list[Finished]:
    """Runs the jobs that have no result yet and returns all of them in their order, each with the
    seconds that it took when it was run.

    One worker is this process; several are processes of their own, each with its share of the
    cores. Other machines that run the same jobs in the same study take their part of them. A job
    that is interrupted or whose worker dies (no sign of life for 4 heartbeats) is run anew.

    Raises InputError for less than one worker, a job that is there twice and as `open_study`. A
    HarError of a job ends the sweep and is raised. Any other exception fails its job: the others
    go on, and ExternalError names it at the end; the next call tries it again. ExternalError, too,
    when
    the storage or all workers fail.
    """
    check_workers(workers)
    jobs = [stored_form(job) for job in sweep.jobs]
    seen: set[str] = set()
    for job in jobs:
        if key_of(job) in seen:
            raise InputError(f"{_words(job)}: asked for twice; name it once")
        seen.add(key_of(job))
    with storage_errors(sweep.storage):
        queue = _open(sweep)
        queue.fill()
        tracker = Tracker(jobs, sweep.cost, workers, on_progress)

        def look() -> None:
            tracker.look(queue.standing())

        look()
        if _pending(queue) and workers == 1:
            _work(queue, sweep.run, look)
        elif _pending(queue):
            work_together(
                # Workers count no costs, and need not be able to.
                partial(_join, replace(sweep, cost=equal_cost)),
                workers=min(workers, len(_pending(queue))),
                threads=sweep.threads_per_worker,
                finished=lambda: not _pending(queue),
                on_poll=look,
            )
        look()
        standing = queue.standing()
    _refuse_failed(standing, jobs)
    told = [standing[key_of(job)].user_attrs for job in jobs]
    return [Finished(each[JOB], each[RESULT], each[SECONDS]) for each in told]


def _open(sweep: Sweep) -> Queue:
    return Queue(
        sweep.storage,
        sweep.study,
        sweep.definition,
        [stored_form(job) for job in sweep.jobs],
        command=sweep.command,
        heartbeat_s=sweep.heartbeat_s,
    )


def _join(sweep: Sweep) -> None:
    """One of several workers."""
    with storage_errors(sweep.storage):
        _work(_open(sweep), sweep.run, lambda: None)


def _work(queue: Queue, run: Callable[[Job], Job], look: Callable[[], None]) -> None:
    """Runs jobs until none is left that waits or runs anywhere."""
    boss = multiprocessing.parent_process()
    while _pending(queue) and (boss is None or boss.is_alive()):
        # Interrupted between claim and work, a job would run nowhere until it is missed.
        with held_back() as release:
            trial = queue.claim()
            if trial is not None:
                look()
                _run(queue, trial, run, release)
        if trial is None:
            # The others may yet fail: stay until what they run is done or is put back.
            time.sleep(POLL_S)
        look()


def _run(
    queue: Queue, trial: FrozenTrial, run: Callable[[Job], Job], begin: Callable[[], None]
) -> None:
    start = time.monotonic()
    with queue.alive(trial):
        try:
            begin()
            result = stored_form(run(queue.job(trial)))
        except (HarError, KeyboardInterrupt) as error:
            queue.fail(trial, error)
            raise
        except Exception as error:
            queue.fail(trial, error)
        else:
            queue.finish(trial, result, round(time.monotonic() - start, 3))


def _pending(queue: Queue) -> list[str]:
    return [key for key, trial in queue.standing().items() if not trial.state.is_finished()]


def _refuse_failed(standing: dict[str, FrozenTrial], jobs: list[Job]) -> None:
    failed = [
        f"{_words(job)}: {trial.user_attrs.get(ERROR, 'its worker died')}"
        for job in jobs
        if (trial := standing[key_of(job)]).state.name == "FAIL"
    ]
    if failed:
        more = f" (and {len(failed) - 3} more)" if len(failed) > 3 else ""
        raise ExternalError(
            f"{len(failed)} of {len(jobs)} jobs failed: {'; '.join(failed[:3])}{more}; "
            "run again to try them again"
        )


def _words(job: Job) -> str:
    return ", ".join(f"{key} {value}" for key, value in job.items())

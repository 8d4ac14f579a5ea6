"""The whole of `har personalize`: which runs, side by side, and the report of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import date
from multiprocessing.queues import Queue
from pathlib import Path

from pipeline.core.errors import ExternalError
from pipeline.core.versions import versions
from pipeline.data import folds, load_dataset
from pipeline.experiments.networks import Folders
from pipeline.experiments.personalize.measure import WRONG_DRAWS
from pipeline.experiments.personalize.networks import CUTS, Job, Measured, measure_job
from pipeline.experiments.personalize.report import PersonalizeReport
from pipeline.experiments.personalize.rows import rows_of
from pipeline.experiments.personalize.users import FEWEST_TEST_WINDOWS, WRONG_SHARE
from pipeline.sim.build import require_tools
from pipeline.training.shipped import ExtractorName

Show = Callable[[str, float], None]
Update = tuple[int, str, float]  # number of the job, what is being done, share of it done

DATASETS = ("watch", "hapt")
SCHEME = "5-fold"
LABELS = (1, 2, 5, 10)
TEACHER, TAUGHT = "hapt", "watch"
TAUGHT_LABELS = (2, 5, 8)
BACKBONE = "dscnn"
_POLL_S = 0.2

NOTES = (
    "user: in watch one arm of one subject, in hapt one session of one subject; extractor, "
    "head and exemplars are from other subjects",
    "labels: the first k windows of each activity in the order of time; windows that share a "
    f"sample with one of them are not in the test; users with fewer than {FEWEST_TEST_WINDOWS} "
    "test windows are left out",
    f"wrong labels: each label is another activity's with probability {WRONG_SHARE:g}, mean over "
    f"{WRONG_DRAWS} draws",
)
TEACH_NOTES = (
    f"teach: the extractor was pretrained on {TEACHER} (official split); a window of {TAUGHT} is "
    "right when predicted as the exercise that was added, among all activities of the cut; "
    "before is 0 by construction, for the factory head has no such activity",
    "fc_last is an ablation: the cut of cut fc sees the last stage's features only, with the rate "
    "that as many features ask for",
)


@dataclass(frozen=True)
class PersonalizeRequest:
    """``datasets``: of `DATASETS`; ``teach``: also teach new activities; ``quick``: one fold, seed
    0, k = 1 and 5, cut fc, and one user who teaches. ``output``: folder of runs and report."""

    folders: Folders
    output: Path
    datasets: tuple[str, ...] = DATASETS
    teach: bool = False
    quick: bool = False
    seeds: int = 3
    workers: int | None = None
    command: str = "har personalize"


def personalize(request: PersonalizeRequest, show: Show = lambda *_: None) -> PersonalizeReport:
    """Measures on the firmware's own learner, built for this machine. What is finished is kept.

    ``show(what is being done, share of everything done)``. Raises as `prepare`, and ExternalError
    where a compiler is missing.
    """
    began = time.monotonic()
    require_tools("host")  # for the learner, which is built when the networks are made
    jobs = jobs_of(request)
    notes = [*NOTES, *(TEACH_NOTES if any(job.taught for job in jobs) else ())]
    for name in sorted({job.run.dataset for job in jobs} | {job.taught or "" for job in jobs}):
        if name:
            notes += [f"{name}: {remark}" for remark in load_dataset(name).notes]
    workers = min(request.workers or _cores(), len(jobs))
    if workers > 1:
        measured = _together(jobs, workers, request.output, show)
    else:
        measured = []
        for number, job in enumerate(jobs):

            def tell(text: str, share: float, number: int = number, job: Job = job) -> None:
                show(f"{job.title}: {text}", (number + share) / len(jobs))

            measured += measure_job(job, request.output / "worker0", tell)
    rows, details = rows_of(measured)
    show("done", 1.0)
    return PersonalizeReport(
        command=request.command,
        date=date.today().isoformat(),
        seconds=round(time.monotonic() - began, 1),
        seeds=sorted({job.run.seed for job in jobs}),
        notes=notes,
        versions=versions(),
        rows=rows,
        users_detail=details,
    )


def jobs_of(request: PersonalizeRequest) -> list[Job]:
    """The networks to make, and who is to personalize each."""
    cuts = CUTS[:1] if request.quick else CUTS
    seeds = range(1 if request.quick else request.seeds)
    jobs = [
        Job(
            ExtractorName(dataset, BACKBONE, SCHEME, fold, seed),
            cuts,
            (1, 5) if request.quick else LABELS,
            request.folders,
        )
        for dataset in request.datasets
        for seed in seeds
        for fold in range(1 if request.quick else folds(load_dataset(dataset), SCHEME))
    ]
    if request.teach or request.quick:
        jobs += [
            Job(
                ExtractorName(TEACHER, BACKBONE, "official", 0, seed),
                cuts,
                (5,) if request.quick else TAUGHT_LABELS,
                request.folders,
                taught=TAUGHT,
                users=1 if request.quick else None,
            )
            for seed in seeds
        ]
    return jobs


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _together(jobs: list[Job], workers: int, output: Path, show: Show) -> list[Measured]:
    """Every job in one of several processes, each with a place of its own to build in."""
    context = multiprocessing.get_context("spawn")
    updates: Queue[Update] = context.Queue()
    places: Queue[str] = context.Queue()
    for number in range(workers):
        places.put(str(output / f"worker{number}"))
    threads = max(1, _cores() // workers)
    shares = [0.0] * len(jobs)
    executor = ProcessPoolExecutor(workers, context, _begin, (places, updates, threads))
    try:
        futures = [executor.submit(_work, number, job) for number, job in enumerate(jobs)]
        waiting: set[Future[list[Measured]]] = set(futures)
        while waiting:
            done, waiting = wait(waiting, _POLL_S, FIRST_COMPLETED)
            for future in done:
                future.result()  # the first error ends it all
            while not updates.empty():
                number, text, shares[number] = updates.get()
                show(f"{jobs[number].title}: {text}", sum(shares) / len(jobs))
    except BaseException as error:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            raise ExternalError("a worker ended early; run it again to go on from there") from None
        raise
    executor.shutdown()
    return [each for future in futures for each in future.result()]


_place = Path()
_tell: Callable[[Update], None] = lambda _: None  # noqa: E731


def _begin(places: Queue[str], updates: Queue[Update], threads: int) -> None:
    """In a worker, before its first job: ``threads`` cores for TensorFlow. Ctrl-C is the parent's
    to answer, who ends its workers; and they end with it."""
    global _place, _tell
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(threads)
    _place, _tell = Path(places.get()), updates.put


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(number: int, job: Job) -> list[Measured]:
    return measure_job(job, _place, lambda text, share: _tell((number, text, share)))

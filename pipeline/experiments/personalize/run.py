"""The whole of `har personalize`: which runs, side by side, and the report of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

from pipeline.core.digests import versions
from pipeline.core.errors import ExternalError
from pipeline.data import folds, load_dataset
from pipeline.experiments.jobs import WorkerDied, Workers, this_worker
from pipeline.experiments.networks import Folders
from pipeline.experiments.personalize.measure import FEWEST_TEST_WINDOWS, WRONG_DRAWS, WRONG_SHARE
from pipeline.experiments.personalize.networks import CUTS, Job, Measured, measure_job
from pipeline.experiments.personalize.report import PersonalizeReport, rows_of
from pipeline.sim.build import require_tools
from pipeline.training.shipped import ExtractorName

Show = Callable[[str, float], None]

DATASETS = ("watch", "hapt")
SCHEME = "5-fold"
LABELS = (1, 2, 5, 10)
TEACHER, TAUGHT = "hapt", "watch"
TAUGHT_LABELS = (2, 5, 8)
BACKBONE = "dscnn"

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
    command: str = "har personalize"


def personalize(
    request: PersonalizeRequest, workers: Workers, show: Show = lambda *_: None
) -> PersonalizeReport:
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
    found: dict[int, list[Measured]] = {}
    running: list[str] = []

    def started(job: Job) -> None:
        running.append(job.title)
        show(" | ".join(running), len(found) / len(jobs))

    for job, outcome in workers.run(partial(_measure, request.output), jobs, started):
        if isinstance(outcome, WorkerDied):
            raise ExternalError(f"{job.title}: {outcome}; run it again to go on from there")
        if isinstance(outcome, Exception):
            raise outcome
        found[jobs.index(job)] = outcome
        running.remove(job.title)
        show(" | ".join(running), len(found) / len(jobs))
    measured = [each for number in range(len(jobs)) for each in found[number]]
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


def _measure(output: Path, job: Job) -> list[Measured]:
    """In a worker, with a folder of its own to build in."""
    name, _ = this_worker()
    return measure_job(job, output / f"worker{name}")

"""The whole of `har personalize`: networks, their bundles by cut, what their users reach, and the
report of it. All of it is kept, so that a command that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.bundle import Bundle, emit, load_bundle
from pipeline.core.digests import sources_digest, versions
from pipeline.core.errors import ExternalError, InputError
from pipeline.core.files import write_whole
from pipeline.data import Dataset, Windows, folds, load_dataset, split_subjects
from pipeline.experiments.jobs import WorkerDied, Workers, this_worker
from pipeline.experiments.labelling import FEWEST_TEST_WINDOWS, users_of
from pipeline.experiments.networks import Folders, prepare_all
from pipeline.experiments.personalize.measure import (
    WRONG_DRAWS,
    WRONG_SHARE,
    Measured,
    Outcome,
    UserWindows,
    new_activities,
    same_activities,
)
from pipeline.experiments.personalize.report import PersonalizeReport, rows_of
from pipeline.sim.build import require_tools
from pipeline.sim.learner_program import LearnerProgram, build_learner, learner_digest
from pipeline.training.shipped import ExtractorName
from pipeline.training.task import make_task

CUTS = ("fc", "fxc1", "fxc2")
LAST_STAGE = "fc_last"
"""Cut fc, but the cut sees the last stage only."""
SEVERAL_SESSIONS = ("hapt",)
"""Data sets in which a subject repeats the activities; in watch, sessions are arms."""
# Sources that decide an outcome, besides bundle, data and learner.
_PROTOCOL = ("personalize/measure.py", "labelling.py")


@dataclass(frozen=True)
class Job:
    """One network and all cuts of it.

    ``taught`` None: the test subjects of the run personalize. Otherwise every subject of that data
    set teaches its activities. ``users``: only so many, None for all.
    """

    run: ExtractorName
    cuts: tuple[str, ...]
    ks: tuple[int, ...]
    folders: Folders
    taught: str | None = None
    users: int | None = None

    @property
    def title(self) -> str:
        run = f"{self.run.dataset} {self.run.scheme} {self.run.fold + 1}, seed {self.run.seed}"
        return f"{self.taught} taught to {run}" if self.taught else run


def measure_job(job: Job, workplace: Path) -> list[Measured]:
    """Makes what is missing and measures every cut. ``workplace``: a folder of this process, to
    build in. ``show(what is being done, share of this job done)``. Raises as `prepare`."""
    dataset = load_dataset(job.run.dataset)
    split = split_subjects(dataset, job.run.scheme, fold=job.run.fold, seed=job.run.seed)
    task = make_task(dataset, split)
    if job.taught:
        target = load_dataset(job.taught)
        windows = make_task(target, split_subjects(target, "5-fold")).windows
        users: Sequence[str] = target.subjects
        spare = len(target.activities)
    else:
        target, windows, users, spare = dataset, task.windows, split.test, None
    if spare is None:
        kinds: dict[str, dict[str, Any]] = {cut: {"cut": cut} for cut in job.cuts}
    else:
        kinds = {f"{cut}-spare{spare}": {"cut": cut, "spare": spare} for cut in job.cuts}
    prepared = prepare_all(job.run, task, job.folders, kinds)
    own = windows.for_subjects(users)
    found = []
    for name in kinds:
        found += _measure_cut(job, prepared[name].directory, target, own, workplace)
    return found


def _measure_cut(
    job: Job, directory: Path, target: Dataset, own: Windows, workplace: Path
) -> list[Measured]:
    """One bundle: its cut, and for added activities the ablation of it."""
    bundle = load_bundle(directory)
    generated = workplace / "generated"
    emit(bundle, generated)
    key = _key(job, bundle, target, learner_digest(generated))
    kept = directory.with_name(f"{directory.name}.outcomes-{key[:16]}.json")
    if (outcomes := _read(kept)) is None:
        program = directory.with_name(directory.name + ".learner")
        build_learner(generated, program, workplace / "build")
        users = users_of(own, sorted(set(own.subjects.tolist())))[: job.users]
        drawn_for = f"{job.run.dataset}/{job.run.fold}/{job.run.seed}"
        data = UserWindows(own, bundle.at_cut(own.x), users, drawn_for)
        with LearnerProgram(program) as learner:
            if learner.model_id != bundle.model_id:
                raise InputError(f"{program}: not of {directory}; remove it")
            outcomes = _learn(job, bundle, data, learner)
        write_whole(kept, json.dumps(outcomes))
    return [
        Measured(target.name, cut, job.run.seed, [Outcome(**each) for each in found])
        for cut, found in outcomes.items()
    ]


def _learn(
    job: Job, bundle: Bundle, data: UserWindows, learner: LearnerProgram
) -> dict[str, list[dict[str, Any]]]:
    """Outcomes by cut."""
    found: dict[str, list[Outcome]] = {}
    if not job.taught:
        across = job.run.dataset in SEVERAL_SESSIONS
        found[bundle.cut] = same_activities(learner, data, job.ks, across=across)
    else:
        found[bundle.cut] = new_activities(learner, data, job.ks)
        if bundle.cut == "fc":
            others = bundle.features - bundle.outputs[-1].size
            found[LAST_STAGE] = new_activities(learner, data, job.ks, blind=others)
    return {cut: [asdict(each) for each in outcomes] for cut, outcomes in found.items()}


def _key(job: Job, bundle: Bundle, target: Dataset, program: str) -> str:
    """SHA-256 over everything that an outcome depends on."""
    protocol = sources_digest(Path(__file__).resolve().parents[1], _PROTOCOL)
    what = (bundle.model_id, target.name, target.sha256, job.ks, job.users, program, protocol)
    return hashlib.sha256(repr(what).encode()).hexdigest()


def _read(path: Path) -> dict[str, list[dict[str, Any]]] | None:
    try:
        found: dict[str, list[dict[str, Any]]] = json.loads(path.read_bytes())
        for outcomes in found.values():
            for each in outcomes:
                Outcome(**each)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return found


# ---- all of them, side by side -------------------------------------------------------------------

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

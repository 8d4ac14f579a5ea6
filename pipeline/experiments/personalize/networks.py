"""The runs of `har personalize`: networks, their bundles by cut, and what their users reach.

All of it is kept, so that a command that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.bundle import Bundle, emit, load_bundle
from pipeline.core.digests import sources_digest
from pipeline.core.errors import InputError
from pipeline.core.files import write_whole
from pipeline.data import Dataset, Windows, load_dataset, split_subjects
from pipeline.experiments.networks import Folders, prepare_all
from pipeline.experiments.personalize.measure import (
    Outcome,
    UserWindows,
    new_activities,
    same_activities,
    users_of,
)
from pipeline.sim.learner_program import LearnerProgram, build_learner, learner_digest
from pipeline.training.shipped import ExtractorName
from pipeline.training.task import make_task

CUTS = ("fc", "fxc1", "fxc2")
LAST_STAGE = "fc_last"
"""Cut fc, but the cut sees the last stage only."""
SEVERAL_SESSIONS = ("hapt",)
"""Data sets in which a subject repeats the activities; in watch, sessions are arms."""
# Sources that decide an outcome, besides bundle, data and learner.
_PROTOCOL = ("measure.py",)


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


@dataclass(frozen=True)
class Measured:
    """What the users of a job reach with one cut."""

    dataset: str
    cut: str
    seed: int
    outcomes: list[Outcome]


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
    protocol = sources_digest(Path(__file__).resolve().parent, _PROTOCOL)
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

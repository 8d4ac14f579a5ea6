"""`har bundles measure`: the recipe of a shipped network, trained without some people and judged by
them; each fold and seed is a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bundle import Bundle, emit
from pipeline.bundle.quantize import quantize
from pipeline.core.digests import sources_digest
from pipeline.core.types import Array
from pipeline.data import Windows
from pipeline.experiments.folds.report import FoldsReport, report_of
from pipeline.experiments.jobs import JobSet, Progress, Workers, run_jobs, this_worker
from pipeline.experiments.labelling import (
    FEWEST_TEST_WINDOWS,
    User,
    after_labels,
    choose,
    elsewhere,
    users_of,
)
from pipeline.sim.build import require_tools
from pipeline.sim.learner_program import LearnerProgram, build_learner
from pipeline.training import Pretrained, load_pretrained, score, train
from pipeline.training.corpora import find_corpus
from pipeline.training.pretrained import pretrain_extractor
from pipeline.training.task import Task

LABELS = (1, 2, 5)
"""Of each activity, that a new person gives."""
_SOURCES = (
    *(f"{room}/**/*.py" for room in ("bundle", "compiler", "data", "head", "models", "training")),
    "experiments/folds/run.py",
    "experiments/labelling.py",
)
_PIPELINE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class FoldsRequest:
    """All folds with seed 0; with the other ``seeds``, the first ``repeated`` folds. ``output``:
    folder of what is kept. ``epochs``: in place of the recipe's."""

    corpus: str
    output: Path
    seeds: int = 3
    repeated: int = 2
    epochs: int | None = None
    command: str = "har bundles measure"


def measure_folds(
    request: FoldsRequest,
    workers: Workers,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> FoldsReport:
    """Train and judge every fold; what is finished is kept. Raises as `run_jobs`, and InputError
    where the corpus' recordings are not here."""
    corpus = find_corpus(request.corpus)
    require_tools("host")  # for the learner
    jobs = tuple(
        {"corpus": corpus.name, "fold": fold, "seed": seed}
        for seed in range(request.seeds)
        for fold in range(corpus.folds if seed == 0 else min(request.repeated, corpus.folds))
    )
    wanted = JobSet(
        folder=request.output / "results",
        definition={
            "epochs": request.epochs,
            "sources": sources_digest(_PIPELINE, _SOURCES),
        },
        jobs=jobs,
        run=partial(measure_fold, request.output, request.epochs),
        data=tuple(part.dataset for part in corpus.parts),
    )
    finished = run_jobs(wanted, workers, on_progress)
    return report_of(corpus, finished, request.command)


def measure_fold(folder: Path, epochs: int | None, job: dict[str, Any]) -> dict[str, Any]:
    """One fold: {"judged": {kind: figures}, "labels": [figures of one user and count of labels]}.
    ``kind`` is "all" activities, or "shipped" where the shipped classifier knows fewer."""
    import tf_keras

    corpus, fold, seed = find_corpus(job["corpus"]), job["fold"], job["seed"]
    workplace = folder / f"worker{this_worker()[0]}"
    task = corpus.task(fold, seed)
    settings = replace(corpus.settings, epochs=epochs or corpus.settings.epochs)
    weights = workplace / "pretrained.npz"
    pretrain_extractor(task.without_test(), settings, seed, weights)
    extractor = load_pretrained(weights)
    bundle, cut, judged = _judged(extractor, task, seed, workplace / "all")
    found = {"all": judged}
    names = task
    if corpus.merged:
        names = corpus.task(fold, seed, merged=True)
        bundle, cut, found["shipped"] = _judged(extractor, names, seed, workplace / "shipped")
    taught = sorted(corpus.merged)
    labels = _labels(bundle, cut, names.test, task.test, taught, workplace)
    tf_keras.backend.clear_session()
    return {"judged": found, "labels": labels}


def _judged(
    extractor: Pretrained, task: Task, seed: int, folder: Path
) -> tuple[Bundle, Array, dict[str, Any]]:
    """The int8 bundle of a fold, the test windows at its cut, and its figures."""
    trained = train(extractor, task.without_test(), seed)
    bundle = quantize(trained, task, folder, rejecting=False)
    test = task.test
    logits = trained.model.predict(trained.network_input(test.x), batch_size=512, verbose=0)
    float_scores = score(test.y, logits.argmax(1), test.subjects, len(test.activities))
    cut = bundle.at_cut(test.x)
    said = bundle.new_head().predict(cut).argmax(axis=1)
    confusion = {}
    for person in sorted(set(test.subjects.tolist())):
        mine = test.subjects == person
        scores = score(test.y[mine], said[mine], test.subjects[mine], len(test.activities))
        confusion[person] = scores.confusion.tolist()
    return (
        bundle,
        cut,
        {
            "activities": list(test.activities),
            "parameters": bundle.parameters,
            "macs": bundle.macs,
            "float_accuracy": {
                person: round(value, 6) for person, value in float_scores.subject_accuracy.items()
            },
            "confusion": confusion,
        },
    )


# ---- a new person's labels -----------------------------------------------------------------------


def _labels(
    bundle: Bundle,
    cut: Array,
    known: Windows,
    named: Windows,
    taught: Sequence[str],
    workplace: Path,
) -> list[dict[str, Any]]:
    """What every session of the ``known`` windows, named as the classifier does and at the ``cut``,
    reaches after its first labels: of all its activities, and where some of the ``named`` are
    merged, also when these are ``taught`` under their own names."""
    generated, program = workplace / "generated", workplace / "learner"
    emit(bundle, generated)
    build_learner(generated, program, workplace / "build")
    users = users_of(known, sorted(set(known.subjects.tolist())))
    found = []
    with LearnerProgram(program) as learner:
        for user in users:
            for k in LABELS:
                found += _after(learner, known, known.y, cut, users, user, k, 0, ())
                if taught:
                    truth, rows = _taught_names(known, named, taught)
                    found += _after(learner, named, truth, cut, users, user, k, len(taught), rows)
    return found


def _taught_names(known: Windows, named: Windows, taught: Sequence[str]) -> tuple[Array, Array]:
    """The activity (N,) of each window where the ``taught`` ones have rows after the known ones,
    and these rows."""
    rows = [*known.activities, *taught]
    truth = np.array([rows.index(name) for name in named.activities])[named.y]
    return truth, np.arange(len(known.activities), len(rows))


def _after(
    learner: LearnerProgram,
    windows: Windows,
    truth: Array,
    cut: Array,
    users: Sequence[User],
    user: User,
    k: int,
    added: int,
    taught: Sequence[int] | Array,
) -> list[dict[str, Any]]:
    """``k`` labels of each activity in one session: accuracy on the rest of it, and on the person's
    other sessions."""
    chosen, rest = choose(windows, user, k)
    others = elsewhere(users, user)
    learner.reset()
    factory = learner.predict(cut, "shipped")
    places = np.concatenate([rest, others])
    said, state = after_labels(learner, cut, factory, chosen, truth[chosen], places, added)
    found = []
    for scene, tested in (("same", rest), ("across", others)):
        if len(tested) < FEWEST_TEST_WINDOWS:
            continue
        recalls = {
            str(row): round(float((said[tested] == row)[truth[tested] == row].mean()), 6)
            for row in taught
            if (truth[tested] == row).any()
        }
        found.append(
            {
                "scene": scene,
                "taught": added > 0,
                "k": k,
                "subject": user.subject,
                "session": user.name,
                "windows": len(tested),
                "before": round(float((factory == truth)[tested].mean()), 6),
                "after": round(float((said == truth)[tested].mean()), 6),
                "serves": state.serves,
                "recall": recalls,
            }
        )
    return found

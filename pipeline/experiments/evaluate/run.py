"""The whole evaluation: which runs, in which order, and what all of them come to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bundle import Bundle, load_bundle
from pipeline.core.digests import versions
from pipeline.core.errors import InputError
from pipeline.data import (
    SCHEMES,
    Dataset,
    Windows,
    WindowShape,
    at_rate,
    default_scheme,
    find_split,
    folds,
    load_dataset,
    make_windows,
    split_subjects,
)
from pipeline.experiments.evaluate.measure import Measurement, measure, recordings_report
from pipeline.experiments.evaluate.report import (
    ENGINES,
    EvaluationReport,
    Figures,
    ReliabilityReport,
    RunReport,
    SeedReport,
    SplitReport,
)
from pipeline.experiments.networks import (
    Folders,
    Prepared,
    Show,
    describes,
    needs_pretraining,
    prepare,
)
from pipeline.models import backbone as find_backbone
from pipeline.report.fields import SubjectScore
from pipeline.sim.build import require_tools
from pipeline.training.corpora import find_corpus
from pipeline.training.metrics import (
    Scores,
    majority_of_errors,
    mean_by_name,
    reliability,
    score,
    worst_of,
)
from pipeline.training.shipped import ExtractorName
from pipeline.training.task import make_task


def split_report(
    scheme: str,
    activities: Sequence[str],
    measured: Sequence[Measurement],
    *,
    hop_s: float,
    unseen: str | None = None,
) -> SplitReport:
    """All folds and seeds of one scheme. Of each seed the folds' windows count as one set; figures
    are then means over seeds. ``hop_s``: from one window to the next, seconds; ``unseen``: the data
    set that the measurements' unseen windows are of."""
    seeds = sorted({each.seed for each in measured})
    scores: dict[str, list[Scores]] = {engine: [] for engine in ENGINES}
    per_seed = []
    for seed in seeds:
        folds = [each for each in measured if each.seed == seed]
        truth = np.concatenate([each.truth for each in folds])
        subjects = np.concatenate([each.subjects for each in folds])
        sessions = np.concatenate([each.sessions for each in folds])
        said = {
            engine: np.concatenate([each.probabilities[engine] for each in folds])
            for engine in ENGINES
        }
        figures = {}
        for engine in ENGINES:
            found = score(truth, said[engine].argmax(axis=1), subjects, len(activities), sessions)
            scores[engine].append(found)
            figures[engine] = _figures([found])
        per_seed.append(
            SeedReport(
                seed=seed,
                n_test=len(truth),
                calibration_error=_rounded(reliability(said["int8"], truth).calibration_error),
                **figures,
            )
        )
    confusion = np.sum([each.confusion for each in scores["int8"]], axis=0)
    errors = majority_of_errors(confusion, activities)
    together = reliability(
        np.concatenate([each.probabilities["int8"] for each in measured]),
        np.concatenate([each.truth for each in measured]),
    )
    return SplitReport(
        name=scheme,
        seeds=seeds,
        n_test=per_seed[0].n_test,
        calibration_error=_rounded(np.mean([each.calibration_error for each in per_seed])),
        majority_of_errors=errors[0] if errors else None,
        majority_of_errors_share=_rounded(errors[1] if errors else 0.0),
        compiled_mismatches=sum(each.mismatches for each in measured),
        per_seed=per_seed,
        per_subject=_groups(
            [each.subject_accuracy for each in scores["int8"]], scores["int8"][0].subject_windows
        ),
        per_session=_groups(
            [each.session_accuracy for each in scores["int8"]], scores["int8"][0].session_windows
        ),
        confusion=confusion.tolist(),
        reliability=ReliabilityReport(
            windows=together.windows,
            confidence=[_rounded(value) for value in together.confidence],
            accuracy=[_rounded(value) for value in together.accuracy],
        ),
        recordings=recordings_report([each.followed for each in measured], hop_s, unseen),
        runs=[
            RunReport(
                split=each.split.name,
                seed=each.seed,
                model_id=each.model_id,
                weights=each.weights,
                pretrain_subjects=list(each.split.pretrain),
                train_subjects=list(each.split.train),
                validation_subjects=list(each.split.validation),
                test_subjects=list(each.split.test),
            )
            for each in measured
        ],
        **{engine: _figures(scores[engine]) for engine in ENGINES},
    )


def _figures(scores: Sequence[Scores]) -> Figures:
    """Means over seeds. The worst subject is the one of the mean over seeds."""
    means = mean_by_name([each.subject_accuracy for each in scores])
    return Figures(
        accuracy=_rounded(np.mean([each.accuracy for each in scores])),
        macro_f1=_rounded(np.mean([each.macro_f1 for each in scores])),
        worst_subject=_rounded(np.mean([each.worst_subject_accuracy for each in scores])),
        worst_subject_name=worst_of(means),
        worst_quarter=_rounded(np.mean([each.worst_quarter_accuracy for each in scores])),
    )


def _groups(
    accuracies: Sequence[dict[str, float]], windows: dict[str, int]
) -> dict[str, SubjectScore]:
    return {
        name: SubjectScore(accuracy=_rounded(mean), windows=windows[name])
        for name, mean in mean_by_name(accuracies).items()
    }


def _rounded(value: Any) -> float:
    return round(float(value), 6)


# ---- the runs ------------------------------------------------------------------------------------

ALL = "all"
DATASET = "hapt"
BACKBONE = "dscnn"
# Seeds where none are asked for: the official split is small, so its figure is a mean.
_SEEDS = {"official": 3, "5-fold": 1, "leave-one-out": 1}
# What a run takes, roughly and in the same unit: only the time left is guessed from it.
_PRETRAINING, _REST = 10.0, 1.0


@dataclass(frozen=True)
class Request:
    """What to evaluate. ``bundle`` None: whatever is made. ``dataset`` and ``backbone`` None: those
    of the bundle, else hapt and dscnn. ``schemes`` empty: official where the data set has it, and
    5-fold, and the bundle's own; ("all",): leave-one-out too. ``seeds`` None: 3 of official, 1 of
    the others. ``unseen``: a data set with none of these activities, which should come out as
    unknown."""

    folders: Folders
    bundle: Path | None = None
    dataset: str | None = None
    backbone: str | None = None
    schemes: tuple[str, ...] = ()
    seeds: int | None = None
    unseen: str | None = None
    command: str = "har evaluate"


def default_bundle(path: Path, dataset: str | None, backbone: str | None) -> Path | None:
    """``path`` if a bundle lies there that was made with this data set and backbone (None: any).

    Raises InputError for a bundle that is damaged or of another version.
    """
    if not (path / "bundle.json").exists():
        return None
    made = load_bundle(path).provenance
    fits = dataset in (None, made.dataset) and backbone in (None, made.backbone)
    return path if fits else None


def evaluate(request: Request, show: Show = lambda *_: None) -> EvaluationReport:
    """Makes what is missing, measures every run on its test subjects, and sums up.

    ``show(what is being done, share of everything done)``. Raises InputError for a bundle, data
    set, backbone or scheme that does not exist or does not fit the others, ExternalError for
    missing tools.
    """
    began = time.monotonic()
    given = load_bundle(request.bundle) if request.bundle else None
    if given and given.provenance.bundle:
        require_tools("host")
        return _evaluate_shipped(request, given, began, show)
    name, network = _names(request, given)
    find_backbone(network)
    dataset = load_dataset(name)
    require_tools("host")  # for the C engine, which is measured when everything else is done
    own = _run_of(given, dataset) if given else None
    if own and given:
        _check_subjects(request.bundle, own, given, dataset)
    unseen = None
    if request.unseen:
        unseen = _unseen(request.unseen, dataset.activities, WindowShape(dataset.rate_hz))
    runs = [
        ExtractorName(name, network, scheme, fold, seed)
        for scheme in _schemes(request, dataset, own)
        for seed in _seeds(request, scheme, own)
        for fold in range(folds(dataset, scheme))
    ]
    costs = [
        _REST + _PRETRAINING * (run != own and needs_pretraining(run, request.folders))
        for run in runs
    ]
    measured: list[tuple[ExtractorName, Path, Measurement]] = []
    for number, run in enumerate(runs):
        before, share = sum(costs[:number]) / sum(costs), costs[number] / sum(costs)
        title = f"run {number + 1} of {len(runs)}, {run.scheme}"

        def tell(
            text: str, done: float, title: str = title, before: float = before, share: float = share
        ) -> None:
            show(f"{title}: {text}", before + share * done)

        tell("cutting windows", 0.0)
        task = make_task(dataset, split_subjects(dataset, run.scheme, fold=run.fold, seed=run.seed))
        if run == own and request.bundle:
            prepared = Prepared(request.bundle, "bundle")
        else:
            prepared = prepare(run, task, request.folders, tell)
        tell("measuring", 0.97)
        found = measure(prepared.directory, task, prepared.weights, unseen)
        measured.append((run, prepared.directory, found))
    show("done", 1.0)
    shown = request.bundle or measured[0][1]
    bundle = given or load_bundle(shown)
    by_scheme = [(run.scheme, measurement) for run, _, measurement in measured]
    return _report(request, shown, bundle, dataset, by_scheme, began)


def _evaluate_shipped(
    request: Request, given: Bundle, began: float, show: Show
) -> EvaluationReport:
    """A shipped network, judged by the people of its corpus whom it never saw. Raises InputError
    for another split than theirs."""
    assert request.bundle
    corpus = find_corpus(given.provenance.bundle)
    other = {request.dataset, *request.schemes} - {None, *corpus.judges, "official"}
    if (
        other
        or (request.seeds or 1) > 1
        or request.backbone not in (None, given.provenance.backbone)
    ):
        raise InputError(
            f"{request.bundle}: it is the shipped {corpus.name} network, which the official split "
            f"of {', '.join(corpus.judges)} judges; `har bundles measure {corpus.name}` trains "
            "others like it"
        )
    show("cutting windows", 0.0)
    task = corpus.judging_task(given.activities, given.provenance.seed)
    unseen = None
    if request.unseen:
        unseen = _unseen(request.unseen, given.activities, task.shape)
    show("measuring", 0.2)
    measured = measure(request.bundle, task, "bundle", unseen)
    show("done", 1.0)
    return _report(request, request.bundle, given, task.dataset, [("official", measured)], began)


def _report(
    request: Request,
    shown: Path,
    bundle: Bundle,
    dataset: Dataset,
    measured: Sequence[tuple[str, Measurement]],
    began: float,
) -> EvaluationReport:
    """``measured``: scheme and measurement of each run; ``shown``: the bundle's folder."""
    schemes = list(dict.fromkeys(scheme for scheme, _ in measured))
    return EvaluationReport(
        bundle=str(shown),
        model_id=bundle.model_id,
        parameters=bundle.parameters,
        macs=bundle.macs,
        dataset=dataset.name,
        backbone=bundle.provenance.backbone,
        activities=bundle.activities,
        rate_hz=bundle.rate_hz,
        window_samples=bundle.window_samples,
        hop_samples=bundle.hop_samples,
        splits=[
            split_report(
                scheme,
                bundle.activities,
                [found for each, found in measured if each == scheme],
                hop_s=bundle.answer_every / bundle.rate_hz,
                unseen=request.unseen,
            )
            for scheme in schemes
        ],
        notes=list(dataset.notes),
        command=request.command,
        versions=versions(),
        seconds=round(time.monotonic() - began, 1),
    )


def _unseen(name: str, activities: Sequence[str], shape: WindowShape) -> Windows:
    other = at_rate(load_dataset(name), shape.rate_hz)
    shared = sorted(set(other.activities) & set(activities))
    if shared:
        raise InputError(f"{name} is not unseen: it has {', '.join(shared)}, as the model has")
    return make_windows(other.recordings, other.activities, shape.samples, shape.hop)


def _names(request: Request, given: Bundle | None) -> tuple[str, str]:
    """Data set and backbone."""
    if given is None:
        return request.dataset or DATASET, request.backbone or BACKBONE
    made = given.provenance
    for kind, asked, has in (
        ("dataset", request.dataset, made.dataset),
        ("backbone", request.backbone, made.backbone),
    ):
        if asked not in (None, has):
            raise InputError(
                f"{request.bundle}: made with {kind} {has}, not {asked}; leave --{kind} or "
                "--bundle out"
            )
    return made.dataset, made.backbone


def _run_of(bundle: Bundle, dataset: Dataset) -> ExtractorName:
    made = bundle.provenance
    scheme, fold = find_split(dataset, made.split)
    return ExtractorName(made.dataset, made.backbone, scheme, fold, made.seed)


def _check_subjects(
    directory: Path | None, own: ExtractorName, given: Bundle, dataset: Dataset
) -> None:
    split = split_subjects(dataset, own.scheme, fold=own.fold, seed=own.seed)
    if not describes(own, given, make_task(dataset, split)):
        raise InputError(
            f"{directory}: its subjects are not those of split {split.name}, seed {own.seed}; "
            "train and quantize again"
        )


def _schemes(request: Request, dataset: Dataset, own: ExtractorName | None) -> list[str]:
    asked = request.schemes
    if not asked or asked == (ALL,):
        has_official = default_scheme(dataset) == "official"
        usual = {"official", "5-fold", *((own.scheme,) if own else ())}
        wanted = SCHEMES if asked else [scheme for scheme in SCHEMES if scheme in usual]
        return [scheme for scheme in wanted if scheme != "official" or has_official]
    for scheme in asked:
        folds(dataset, scheme)  # refuses what there is not
    return list(dict.fromkeys(asked))


def _seeds(request: Request, scheme: str, own: ExtractorName | None) -> list[int]:
    """0, 1, ...; the given bundle's own seed is always among those of its scheme."""
    count = request.seeds or _SEEDS[scheme]
    seeds = list(range(count))
    if own and own.scheme == scheme and own.seed not in seeds:
        seeds[-1] = own.seed
    return seeds

"""`har search`: a sampler proposes candidates in batches, and workers train them.

The split's test subjects are left out before anything is cut into windows: no network ever sees a
sample of theirs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import CheckFailed, InputError
from pipeline.data import (
    CHANNELS,
    Dataset,
    SubjectSplit,
    Windows,
    load_dataset,
    make_windows,
    split_subjects,
)
from pipeline.experiments.jobs import Finished, JobSet, Progress, Workers, run_jobs
from pipeline.experiments.search.report import LeftOut, SearchPoint, SearchReport
from pipeline.experiments.search.space import Candidate, Cost, Limits, Space, count_cost
from pipeline.models.dscnn import parse

if TYPE_CHECKING:
    from optuna import Study, Trial


@dataclass(frozen=True)
class Setting:
    """What all candidates of a search share: what `gather` takes, and the epochs of each."""

    dataset: str
    split: str = "official"
    fold: int = 0
    draws: int = 1
    seed: int = 0
    epochs: int = 8


@dataclass(frozen=True, eq=False)
class SearchTask:
    """``dataset``: without the recordings of test subjects. ``draws``: one split for each draw of
    validation subjects, all with the same test subjects."""

    dataset: Dataset
    draws: tuple[SubjectSplit, ...]

    def windows(self, people: Iterable[str], length: int, hop: int) -> Windows:
        """These subjects' windows. InputError when they have none of this length."""
        wanted = frozenset(people)
        chosen = [recording for recording in self.dataset.recordings if recording.subject in wanted]
        windows = make_windows(chosen, self.dataset.activities, length=length, hop=hop)
        if not len(windows):
            raise InputError(
                f"data set {self.dataset.name}: no window of {length} samples of "
                f"{', '.join(sorted(wanted))}; choose a shorter --window"
            )
        return windows


def gather(
    dataset: Dataset,
    scheme: str = "official",
    *,
    fold: int = 0,
    draws: int = 1,
    seed: int = 0,
) -> SearchTask:
    """Draws the validation subjects ``draws`` times (with the seeds ``seed``, ``seed`` + 1, ...)
    from the subjects outside the test.

    Raises InputError for less than one draw, and as `split_subjects`.
    """
    if draws < 1:
        raise InputError(f"{draws} draws of validation subjects: at least 1 is needed")
    splits = [split_subjects(dataset, scheme, fold=fold, seed=seed + n) for n in range(draws)]
    kept = tuple(r for r in dataset.recordings if r.subject not in splits[0].test)
    return SearchTask(replace(dataset, recordings=kept), tuple(splits))


@lru_cache(maxsize=1)
def material_of(setting: Setting) -> SearchTask:
    """From this machine's data set. Raises as `load_dataset` and `gather`."""
    return gather(
        load_dataset(setting.dataset, progress=False),
        setting.split,
        fold=setting.fold,
        draws=setting.draws,
        seed=setting.seed,
    )


def score_candidate(setting: Setting, candidate: Candidate, draw: int) -> float:
    """As `train_and_score`, each draw with a seed of its own."""
    material, seed = material_of(setting), setting.seed + draw
    return train_and_score(material, candidate, draw, setting.epochs, seed)


def train_and_score(
    material: SearchTask, candidate: Candidate, draw: int, epochs: int, seed: int
) -> float:
    """Accuracy on the validation subjects of ``draw`` after ``epochs`` of the recipe that the
    shipped weights are pretrained with, on its training subjects. The same arguments give the same
    value."""
    import tf_keras

    from pipeline.training.inputs import fit_normalization
    from pipeline.training.pretrain import pretrain
    from pipeline.training.shipped import recipe

    tf_keras.backend.clear_session()
    people, length = material.draws[draw], candidate.window
    settings = replace(recipe(material.dataset.name, candidate.shape.name), epochs=epochs)
    training = material.windows(people.train, length, length // 2)
    accuracy = 0.0

    def on_epoch(_: int, value: float) -> None:
        nonlocal accuracy
        accuracy = value

    pretrain(
        material.windows(people.train, length, length // 8),
        len(training),
        material.windows(people.validation, length, length // 2),
        fit_normalization(training.x, settings.knee),
        settings,
        seed,
        on_epoch,
    )
    return accuracy


# ---- the search ----------------------------------------------------------------------------------

CHANNEL_COUNT = len(CHANNELS)
BATCH = 8
"""Candidates that are proposed before the sampler hears of their accuracy. Always the same, so that
what is tried depends on the seed and not on the number of workers."""
_MAX_MISSES = 2000  # draws in a row that bring nothing to train

Score = Callable[[Setting, Candidate, int], float]


@dataclass(frozen=True)
class SearchRequest:
    """``trials``: how many candidates to train, those of earlier runs included. ``folder``: where
    results are kept. ``score``: (setting, candidate, draw) -> accuracy."""

    setting: Setting
    folder: Path
    trials: int
    limits: Limits = field(default_factory=Limits)
    space: Space = field(default_factory=Space)
    score: Score = score_candidate

    @property
    def material(self) -> SearchTask:
        """What candidates learn from and are judged by."""
        return material_of(self.setting)

    def cost(self, candidate: Candidate) -> Cost | None:
        """As `count_cost`, for this data set."""
        return count_cost(candidate, CHANNEL_COUNT, len(self.material.dataset.activities))

    def definition(self) -> dict[str, Any]:
        """What an accuracy depends on besides the candidate."""
        from pipeline.training.shipped import recipe

        settings = asdict(recipe(self.setting.dataset, "dscnn"))
        del settings["backbone"], settings["epochs"]
        sha256 = self.material.dataset.sha256
        return {**asdict(self.setting), "dataset_sha256": sha256, "recipe": settings}


@dataclass(frozen=True)
class Trained:
    """A candidate, and its accuracy on the validation subjects of each draw, 0 to 1."""

    candidate: Candidate
    cost: Cost
    accuracies: tuple[float, ...]
    seconds: float

    @property
    def accuracy(self) -> float:
        """Mean over the draws."""
        return sum(self.accuracies) / len(self.accuracies)


@dataclass(frozen=True)
class Found:
    """``trained``, in the order in which they were proposed. ``infeasible``: proposals over the
    limits, which cost no training."""

    trained: tuple[Trained, ...]
    infeasible: int


def search(
    request: SearchRequest,
    workers: Workers,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Found:
    """Trains ``request.trials`` candidates: the shapes with a name that fit, then what the sampler
    proposes. The same request gives the same, whether or not it was interrupted.

    Raises InputError for counts below 1 or limits that nothing meets, CheckFailed when nothing new
    is found within them, and as `run_jobs`.
    """
    for count, what in ((request.trials, "trials"), (request.setting.epochs, "epochs")):
        if count < 1:
            raise InputError(f"{count} {what}: at least 1 is needed")
    _refuse_impossible(request)
    proposals = _Proposals(request)
    chosen: list[Candidate] = []
    trained: dict[str, Trained] = {}
    batch = [
        each
        for each in {each.key: each for each in request.space.references().values()}.values()
        if request.limits.fit(request.cost(each))
    ]
    while True:
        chosen += batch[: request.trials - len(chosen)]
        job_set = JobSet(
            folder=request.folder,
            definition=request.definition(),
            jobs=tuple({"backbone": each.shape.name, "window": each.window} for each in chosen),
            run=partial(run_job, request.score, request.setting),
            data=(request.setting.dataset,),
            later=request.trials - len(chosen),
        )
        finished = run_jobs(job_set, workers, on_progress)
        trained = {
            each.key: _trained(request, each, done)
            for each, done in zip(chosen, finished, strict=True)
        }
        if len(chosen) == request.trials:
            return Found(tuple(trained.values()), proposals.infeasible)
        proposals.tell(trained)
        batch = proposals.ask(trained)


def run_job(score: Score, setting: Setting, job: dict[str, Any]) -> dict[str, Any]:
    """``job`` is {backbone, window}; gives the accuracy of each draw."""
    candidate = Candidate(parse(job["backbone"]), job["window"])
    return {"accuracies": [score(setting, candidate, draw) for draw in range(setting.draws)]}


def _trained(request: SearchRequest, candidate: Candidate, done: Finished) -> Trained:
    cost = request.cost(candidate)
    assert cost is not None
    return Trained(candidate, cost, tuple(done.result["accuracies"]), done.seconds)


class _Proposals:
    """Multi-objective TPE (Ozaki et al. 2022) that models widths and strides together and learns
    from infeasible draws: accuracy up, MACs down."""

    def __init__(self, request: SearchRequest) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=request.setting.seed,
                multivariate=True,
                group=True,
                constant_liar=True,
                n_startup_trials=20,
            )
        self._request = request
        self._study: Study = optuna.create_study(
            directions=("maximize", "minimize"), sampler=sampler
        )
        self._open: list[tuple[Trial, str]] = []  # in the order of their numbers
        self.infeasible = 0

    def tell(self, trained: dict[str, Trained]) -> None:
        """Of what was asked for last; at first, of the shapes with a name."""
        if not self._study.trials:
            for each in trained.values():
                if parameters := self._request.space.parameters(each.candidate):
                    self._study.enqueue_trial(parameters)
                    self._draw()
        for trial, key in self._open:
            self._study.tell(trial, [trained[key].accuracy, float(trained[key].cost.macs)])
        self._open.clear()

    def ask(self, known: dict[str, Trained]) -> list[Candidate]:
        """At most `BATCH` candidates within the limits that are not ``known``. CheckFailed when
        there are none."""
        batch: dict[str, Candidate] = {}
        misses = 0
        while len(batch) < BATCH and misses < _MAX_MISSES:
            candidate = self._draw()
            if candidate is None or candidate.key in known or candidate.key in batch:
                misses += 1
            else:
                batch[candidate.key], misses = candidate, 0
        if not batch:
            raise CheckFailed(
                f"no new shape within the limits in {misses} draws; {len(known)} are trained. "
                "Ask for fewer --trials or widen the limits"
            )
        return list(batch.values())

    def _draw(self) -> Candidate | None:
        """None for what is over the limits, which the sampler hears at once."""
        import optuna

        request = self._request
        trial = self._study.ask()
        candidate = request.space.suggest(trial)
        cost = request.cost(candidate)
        for key, excess in request.limits.excess(cost).items():
            trial.set_constraint(key, excess)
        if not request.limits.fit(cost):
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            self.infeasible += 1
            return None
        self._open.append((trial, candidate.key))
        return candidate


def _refuse_impossible(request: SearchRequest) -> None:
    counted = (request.cost(each) for each in request.space.narrowest())
    costs = [cost for cost in counted if cost is not None]
    if not any(request.limits.fit(cost) for cost in costs):
        raise InputError(
            "no shape stays within the limits: the least that one takes is "
            f"{min(cost.parameters for cost in costs)} parameters, "
            f"{min(cost.macs for cost in costs)} MACs, "
            f"{min(cost.ram_bytes for cost in costs)} bytes of RAM (not all at once)"
        )


def search_report(request: SearchRequest, found: Found) -> SearchReport:
    """All candidates that were trained, by MACs, and the sizes with a name that were not."""
    names: dict[str, list[str]] = {}
    references = request.space.references()
    for name, candidate in references.items():
        names.setdefault(candidate.key, []).append(name)
    points = [
        SearchPoint(
            backbone=each.candidate.shape.name,
            names=names.get(each.candidate.key, []),
            window_samples=each.candidate.window,
            **asdict(each.cost),
            validation_accuracy=each.accuracy,
            accuracies=list(each.accuracies),
            seconds=each.seconds,
        )
        for each in found.trained
    ]
    known = {name for point in points for name in point.names}
    left_out = []
    for name, candidate in references.items():
        cost = request.cost(candidate)
        if name not in known and cost is not None:
            over = [key for key, excess in request.limits.excess(cost).items() if excess > 0]
            left_out.append(
                LeftOut(
                    name=name,
                    backbone=candidate.shape.name,
                    **asdict(cost),
                    reason=f"over the limit: {', '.join(over)}" if over else "not trained yet",
                )
            )
    dataset, draws = request.material.dataset, request.material.draws
    return SearchReport(
        dataset=dataset.name,
        split=draws[0].name,
        seed=request.setting.seed,
        epochs=request.setting.epochs,
        windows=list(request.space.windows),
        max_parameters=request.limits.parameters,
        max_macs=request.limits.macs,
        max_ram_bytes=request.limits.ram_bytes,
        sampler=f"multi-objective TPE, Optuna {version('optuna')}, in batches of {BATCH}",
        infeasible=found.infeasible,
        validation_people=[list(draw.validation) for draw in draws],
        training_people=[len(draw.train) for draw in draws],
        points=sorted(points, key=lambda point: (point.macs, -point.validation_accuracy)),
        left_out=left_out,
        notes=list(dataset.notes),
    )

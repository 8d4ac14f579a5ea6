"""The study in its database: opened, checked, counted, its interrupted trials put back."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import InputError, WorldError
from pipeline.models.dscnn import parse
from pipeline.search.space import Candidate, Space

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, TrialState

_DEFINITION = "definition"
_MAX_FAILURES = 5
_SQLITE_WAIT_S = 60  # how long a worker waits for another's write


def shown(url: str) -> str:
    """A database URL without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        raise InputError(
            f"storage {url.partition('://')[0]!r}: no database URL; "
            "write it as sqlite:///build/search/study.db"
        ) from None


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turns what the database raises into one line."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(getattr(error, "orig", None) or error.__cause__ or error).splitlines()[0]
        raise WorldError(
            f"storage {shown(url)}: {reason}; nothing that is in it is lost, run again to go on"
        ) from None


def open_study(
    url: str,
    name: str,
    definition: dict[str, Any],
    *,
    seed: int = 0,
    heartbeat_s: int = 30,
) -> Study:
    """The study called ``name``, made if need be.

    A trial whose worker gave no sign of life for 4 heartbeats is marked failed and put back.
    Raises InputError when the study was made with another ``definition`` or the URL is none,
    WorldError when the database cannot be reached.
    """
    import optuna
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import NoSuchModuleError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shown(url)
    address = make_url(url)
    sqlite = address.get_backend_name() == "sqlite"
    if sqlite:
        if address.database in (None, "", ":memory:"):
            raise InputError("a study needs a file: sqlite:///build/search/study.db")
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
    connect = {"timeout": _SQLITE_WAIT_S, "factory": _Sqlite}
    with storage_errors(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            storage = optuna.storages.RDBStorage(
                url,
                engine_kwargs={"connect_args": connect} if sqlite else {},
                heartbeat_interval=heartbeat_s,
                grace_period=4 * heartbeat_s,
                heartbeat_stale_trial_callback=lambda study, _: put_back(study, definition),
            )
        except (ImportError, NoSuchModuleError):
            raise InputError(
                f"storage {shown(url)}: this Python has no driver for it; install one"
            ) from None
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            sampler=seeded_sampler(seed),
            directions=["maximize", "minimize"],
            load_if_exists=True,
        )
        if not study.user_attrs and not study.get_trials(deepcopy=False):
            study.set_user_attr(_DEFINITION, definition)
        stored = study.user_attrs.get(_DEFINITION)
    if stored is None:
        raise InputError(f"study {name!r} in {shown(url)} is none of `har search`; name another")
    before, now = _flat(stored), _flat(definition)
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            raise InputError(
                f"study {name!r} in {shown(url)} was made with {key} {before.get(key)}, not "
                f"{now.get(key)}; give this search another --study name"
            )
    return study


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in document.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        flat |= {f"{prefix}{key}": value} if inner is None else inner
    return flat


class _Sqlite(sqlite3.Connection):
    """Readers and a writer beside each other, and a disk that is waited for once a checkpoint
    instead of twice a value: a power cut may lose the last values, never the file."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")


def seeded_sampler(seed: int) -> BaseSampler:
    """Multi-objective TPE (Ozaki et al. 2022) that models widths and strides together and learns
    from infeasible draws. What it draws depends on the seed, the trial's number and the trials
    before it, so a search that was interrupted goes on as if it had not been."""
    import numpy as np
    import optuna

    class SeededByTrial(optuna.samplers.BaseSampler):
        _sampler: optuna.samplers.TPESampler

        def before_trial(self, study: Study, trial: FrozenTrial) -> None:
            state = np.random.SeedSequence([seed, trial.number]).generate_state(1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self._sampler = optuna.samplers.TPESampler(
                    seed=int(state[0]), multivariate=True, group=True, n_startup_trials=20
                )
            self._sampler.before_trial(study, trial)

        def infer_relative_search_space(
            self, study: Study, trial: FrozenTrial
        ) -> dict[str, BaseDistribution]:
            return self._sampler.infer_relative_search_space(study, trial)

        def sample_relative(
            self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
        ) -> dict[str, Any]:
            return self._sampler.sample_relative(study, trial, search_space)

        def sample_independent(
            self,
            study: Study,
            trial: FrozenTrial,
            param_name: str,
            param_distribution: BaseDistribution,
        ) -> Any:
            return self._sampler.sample_independent(study, trial, param_name, param_distribution)

        def after_trial(
            self,
            study: Study,
            trial: FrozenTrial,
            state: TrialState,
            values: Sequence[float] | None,
        ) -> None:
            self._sampler.after_trial(study, trial, state, values)

    return SeededByTrial()


def name_trial(trial: Trial, candidate: Candidate) -> None:
    """Writes down what a trial is, so that it can be found, compared and put back."""
    trial.set_user_attr("backbone", candidate.shape.name)
    trial.set_user_attr("window", candidate.window)


def candidate_of(trial: FrozenTrial | Trial) -> Candidate | None:
    """What `name_trial` or `enqueue` wrote; ``None`` before that."""
    backbone, window = trial.user_attrs.get("backbone"), trial.user_attrs.get("window")
    return None if backbone is None or window is None else Candidate(parse(backbone), int(window))


def key_of(trial: FrozenTrial) -> str | None:
    """`Candidate.key` of a trial."""
    candidate = candidate_of(trial)
    return candidate.key if candidate else None


def enqueue(study: Study, space: Space, candidates: Sequence[Candidate]) -> None:
    """Puts candidates at the head of the queue, those apart that the study already knows."""
    known = {key_of(trial) for trial in study.get_trials(deepcopy=False)}
    for candidate in candidates:
        if candidate.key not in known:
            known.add(candidate.key)
            _enqueue(study, space, candidate)


def _enqueue(study: Study, space: Space, candidate: Candidate) -> None:
    named = {"backbone": candidate.shape.name, "window": candidate.window}
    study.enqueue_trial(space.parameters(candidate), user_attrs=named)


def put_back(study: Study, definition: dict[str, Any]) -> None:
    """Queues what failed (interrupted, or its worker died) and was not tried again since; what has
    failed five times is given up."""
    from optuna.trial import TrialState

    space = Space(tuple(definition["space"]["windows"]))
    failed: dict[str, list[Candidate]] = {}
    elsewhere = set()
    for trial in study.get_trials(deepcopy=False):
        candidate = candidate_of(trial)
        if candidate is None:
            continue
        if trial.state == TrialState.FAIL:
            failed.setdefault(candidate.key, []).append(candidate)
        else:
            elsewhere.add(candidate.key)
    for key, times in failed.items():
        if key not in elsewhere and len(times) < _MAX_FAILURES:
            _enqueue(study, space, times[0])

"""Studies in their database: opened, checked, what was lost in them put back."""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.core.errors import ExternalError, InputError

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial
    from sqlalchemy import Connection

MAX_FAILURES = 5
_DEFINITION = "definition"
_DAMAGED = ("file is not a database", "malformed")  # as SQLite says it
_SQLITE_WAIT_S = 60  # how long a worker waits for another's write


def study_file(folder: Path) -> str:
    """URL of the database that a study is kept in unless another is named."""
    return f"sqlite:///{folder}/study.db"


def shown(url: str) -> str:
    """A database URL without its password. InputError for what is no URL."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        raise InputError(
            f"storage {url.partition('://')[0]!r}: no database URL; "
            "write it as sqlite:///FOLDER/study.db"
        ) from None


@contextmanager
def storage_errors(url: str) -> Iterator[None]:
    """Turns what the database raises into one line."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).partition("\n")[0]
        if password := make_url(url).password:
            reason = reason.replace(password, "***")
        advice = "nothing that is in it is lost, run again to go on"
        if any(words in reason for words in _DAMAGED):
            advice = "move it away, or name another with --storage"
        raise ExternalError(f"storage {shown(url)}: {reason}; {advice}") from None


def stored_form(document: dict[str, Any]) -> dict[str, Any]:
    """As the storage gives it back, where a tuple has become a list. ValueError or TypeError for
    what JSON cannot hold."""
    stored: dict[str, Any] = json.loads(json.dumps(document, allow_nan=False))
    return stored


def open_study(
    url: str,
    name: str,
    definition: dict[str, Any],
    *,
    command: str,
    directions: Sequence[Literal["minimize", "maximize"]] = ("minimize",),
    sampler: BaseSampler | None = None,
    heartbeat_s: int = 30,
    on_stale: Callable[[Study, FrozenTrial], None],
) -> tuple[Study, RDBStorage]:
    """The study called ``name``, made if need be, and the database that it is in.

    ``definition``: what must be equal for results to stand together. ``command``: what the study
    is of, as messages call it. A trial whose worker gave no sign of life for 4 heartbeats is
    marked failed by whoever notices, who then calls ``on_stale``. Raises InputError when the study
    was made with another ``definition`` or the URL is none, ExternalError when the database cannot
    be
    reached.
    """
    import optuna
    from sqlalchemy import event
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import NoSuchModuleError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    where = shown(url)
    address = make_url(url)
    options: dict[str, Any] = {"pool_pre_ping": True}  # a job outlasts an idle connection
    sqlite = address.get_backend_name() == "sqlite"
    if sqlite:
        if address.database in (None, "", ":memory:"):
            raise InputError("a study needs a file: sqlite:///FOLDER/study.db")
        Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
        options = {"connect_args": {"timeout": _SQLITE_WAIT_S, "factory": _Sqlite}}
    with storage_errors(url), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        try:
            storage = optuna.storages.RDBStorage(
                url,
                engine_kwargs=options,
                heartbeat_interval=heartbeat_s,
                grace_period=4 * heartbeat_s,
                heartbeat_stale_trial_callback=on_stale,
            )
        except (ImportError, NoSuchModuleError) as error:
            module = getattr(error.__cause__, "name", None) or address.drivername
            raise InputError(
                f"storage {where}: this Python has no driver for it; install {module}"
            ) from None
        if sqlite:
            event.listen(storage.engine, "begin", _begin)
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            sampler=sampler,
            directions=directions,
            load_if_exists=True,
        )
        if not study.user_attrs and not study.get_trials(deepcopy=False):
            study.set_user_attr(_DEFINITION, definition)
        stored = study.user_attrs.get(_DEFINITION)
    if stored is None:
        raise InputError(f"study {name!r} in {where} is none of `{command}`; name another")
    before, now = _flat(stored), _flat(stored_form(definition))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            raise InputError(
                f"study {name!r} in {where} was made with {key} {before.get(key)}, not "
                f"{now.get(key)}; give `{command}` another --study name"
            )
    return study, storage


def _flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in document.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else None
        flat |= {f"{prefix}{key}": value} if inner is None else inner
    return flat


class _Sqlite(sqlite3.Connection):
    """A disk that is waited for once a checkpoint instead of twice a value: a power cut may lose
    the last values, never the file. Begins no transaction of its own accord, which would be after
    the first read: see `_begin`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "isolation_level": None})
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: Connection) -> None:
    """Before a transaction's first read, or two workers could both find a trial waiting and both
    take it: SQLite has no SELECT ... FOR UPDATE."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def fail_stale(study: Study) -> None:
    """Marks the trials of workers that gave no sign of life, and has them put back."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def put_back(
    study: Study,
    key_of: Callable[[FrozenTrial], str | None],
    enqueue: Callable[[FrozenTrial], None],
    *,
    most: int | None = MAX_FAILURES,
) -> None:
    """Queues what failed (interrupted, or its worker died) and was not tried again since; what has
    failed ``most`` times is given up. Trials of the same key are the same; those without one
    are left alone."""
    from optuna.trial import TrialState

    failed: dict[str, list[FrozenTrial]] = {}
    elsewhere = set()
    for trial in study.get_trials(deepcopy=False):
        key = key_of(trial)
        if key is None:
            continue
        if trial.state == TrialState.FAIL:
            failed.setdefault(key, []).append(trial)
        else:
            elsewhere.add(key)
    for key, times in failed.items():
        if key not in elsewhere and (most is None or len(times) < most):
            enqueue(times[0])

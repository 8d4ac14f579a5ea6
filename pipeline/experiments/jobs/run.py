"""A set of jobs: each is done once, and its result kept in a file of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pipeline.core.errors import ExternalError, HarError, InputError
from pipeline.core.files import write_whole
from pipeline.experiments.jobs.cluster import ClusterLost, Workers, this_worker

_ROOT = Path(__file__).resolve().parents[3]
Job = dict[str, Any]


@lru_cache(maxsize=1)
def code_identity() -> dict[str, str]:
    """Return ``commit``, with a digest of what was changed since, and ``requirements.lock``; "none"
    where there is no git or no such file."""
    commit = _git("rev-parse", "HEAD").decode().strip()
    if commit and (edits := _git("diff", "HEAD", "--", "pipeline", "firmware")):
        commit += f"+{hashlib.sha256(edits).hexdigest()[:8]}"
    try:
        lock = hashlib.sha256((_ROOT / "requirements.lock").read_bytes()).hexdigest()
    except OSError:
        lock = ""
    return {"commit": commit or "none", "requirements.lock": lock or "none"}


def data_identity(names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each data set's content. Raises as `load_dataset`."""
    from pipeline.data import load_dataset

    return {f"data set {name}": load_dataset(name, progress=False).sha256 for name in names}


def require_identity(client: dict[str, str], worker: dict[str, str], address: str) -> None:
    """Raise InputError, one line with both, for the first thing in which the worker differs."""
    for what, expected in client.items():
        if (found := worker.get(what, "none")) != expected:
            raise InputError(
                f"worker {address} has {what} {found[:20]}, this machine {expected[:20]}; "
                "give both the same"
            )


def _git(*arguments: str) -> bytes:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=_ROOT, capture_output=True, check=False, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return b""


def equal_cost(_: Job) -> float:
    """Say that every job takes as long as any other."""
    return 1.0


@dataclass(frozen=True)
class JobSet:
    """``jobs``, each given to ``run``; results are kept in ``folder``.

    ``definition``: what results depend on besides the job; another one finds none of them.
    ``jobs``, ``definition`` and results are JSON; no job is there twice. ``run``: job -> result, a
    function at the top of a module or a `functools.partial` of one, so that other processes can be
    given it. ``data``: names of data sets that a worker must have the same of. ``cost``: of a job,
    in any unit; weighs the time left. ``later``: jobs that another set will bring; the progress
    counts them, too.
    """

    folder: Path
    definition: dict[str, Any]
    jobs: tuple[Job, ...]
    run: Callable[[Job], Job]
    data: tuple[str, ...] = ()
    cost: Callable[[Job], float] = equal_cost
    later: int = 0


@dataclass(frozen=True)
class Finished:
    """A job that is done: what it gave, and the seconds that it took."""

    job: Job
    result: Job
    seconds: float


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` jobs; ``running``: those that workers have now. ``seconds_left``:
    estimated from finished jobs; None before the first. ``last``: the one that has just finished,
    None at the beginning and when one starts."""

    done: int
    total: int
    running: tuple[Job, ...]
    seconds_left: float | None
    last: Finished | None


def run_jobs(
    wanted: JobSet, workers: Workers, on_progress: Callable[[Progress], None] = lambda _: None
) -> list[Finished]:
    """Run the jobs that have no result yet and return all of them in their order, each with the
    seconds that it took when it was run.

    Raises:
        HarError: of a job; it ends the run.
        InputError: a job that is there twice, or a worker with another commit, lock file or data.
        ExternalError: jobs failed by any other exception, after all others are done; or the cluster
            was lost.
        KeyboardInterrupt: with a line on what is kept.
    """
    files: dict[str, Path] = {}
    for job in map(stored_form, wanted.jobs):
        if (key := _key(job)) in files:
            raise InputError(f"{_words(job)}: asked for twice; name it once")
        depends = _key({"definition": wanted.definition, "job": job})
        digest = hashlib.sha256(depends.encode()).hexdigest()[:32]
        files[key] = wanted.folder / f"{digest}.json"
    done = {key: found for key, path in files.items() if (found := _read(path, key))}
    missing = [json.loads(key) for key in files if key not in done]
    running: list[Job] = []
    failed: list[str] = []

    def report(last: Finished | None = None) -> None:
        seconds_left = _seconds_left(wanted, done, files, workers.capacity())
        total = len(files) + wanted.later
        on_progress(Progress(len(done), total, tuple(running), seconds_left, last))

    def started(job: Job) -> None:
        running.append(job)
        report()

    def kept() -> str:
        count = f"{len(done)} of {len(files) + wanted.later}"
        return f"{count} results are kept in {wanted.folder}; the same command goes on from there"

    try:
        report()
        identity = {**code_identity(), **data_identity(wanted.data)}
        do_job = partial(_do_job, wanted.run, identity, wanted.data)
        for job, outcome in workers.run(do_job, missing, started):
            running.remove(job)
            if isinstance(outcome, HarError):
                raise outcome
            if isinstance(outcome, Exception):
                reason = str(outcome).partition("\n")[0]
                failed.append(f"{_words(job)}: {type(outcome).__name__}: {reason}")
                report()
            else:
                finished = done[_key(job)] = Finished(job, *outcome)
                _write(files[_key(job)], finished)
                report(finished)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(kept()) from None
    except ClusterLost as error:
        raise ExternalError(f"{error}; {kept()}") from None
    if failed:
        more = f" (and {len(failed) - 3} more)" if len(failed) > 3 else ""
        raise ExternalError(
            f"{len(failed)} of {len(files)} jobs failed: {'; '.join(failed[:3])}{more}; "
            "run again to try them again"
        )
    return [done[key] for key in files]


def stored_form(document: Job) -> Job:
    """Return ``document`` as a file gives it back, where a tuple has become a list.

    Raises:
        ValueError, TypeError: JSON cannot hold it.
    """
    stored: Job = json.loads(json.dumps(document, allow_nan=False))
    return stored


def _do_job(
    run: Callable[[Job], Job], identity: dict[str, str], data: tuple[str, ...], job: Job
) -> tuple[Job, float]:
    """In a worker: the result, and the seconds that it took."""
    _, address = this_worker()
    require_identity(identity, {**code_identity(), **data_identity(data)}, address)
    start = time.monotonic()
    result = stored_form(run(job))
    return result, round(time.monotonic() - start, 3)


def _key(job: Job) -> str:
    """Two jobs are the same if their keys are."""
    return json.dumps(job, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _read(path: Path, key: str) -> Finished | None:
    """None where there is no result, or a file that holds none: it is written again."""
    try:
        found = Finished(**json.loads(path.read_text(encoding="utf-8")))
        return found if _key(found.job) == key and found.seconds >= 0 else None
    except (OSError, ValueError, TypeError):
        return None


def _write(path: Path, finished: Finished) -> None:
    write_whole(path, json.dumps(asdict(finished), indent=1, allow_nan=False) + "\n")


def _seconds_left(
    wanted: JobSet, done: Mapping[str, Finished], keys: Iterable[str], parallel: int
) -> float | None:
    known = sum(wanted.cost(each.job) for each in done.values())
    if not known:
        return None
    left = [wanted.cost(json.loads(key)) for key in keys if key not in done]
    left += [known / len(done)] * wanted.later
    each = sum(finished.seconds for finished in done.values()) / known
    return each * max([sum(left) / max(1, parallel), *left])


def _words(job: Job) -> str:
    return ", ".join(f"{key} {value}" for key, value in job.items())

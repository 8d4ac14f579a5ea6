"""Jobs that take no time: plain functions, so that worker processes can be given them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.experiments.jobs import JobSet

Job = dict[str, Any]


def job_set(folder: Path, run: Callable[[Path, Job], Job], *numbers: int, **more: Any) -> JobSet:
    """A job for each of ``numbers``, 0 to 4 without; what ran leaves files in ``folder``/runs."""
    runs = folder / "runs"
    runs.mkdir(exist_ok=True)
    values: dict[str, Any] = {
        "folder": folder / "jobs",
        "definition": {"power": 2},
        "jobs": tuple({"x": x} for x in numbers or range(5)),
        "run": partial(run, runs),
    }
    return JobSet(**{**values, **more})


def squares(*numbers: int) -> list[Job]:
    """What the jobs of ``numbers`` give."""
    return [{"square": x * x, "of": [x]} for x in numbers]


def runs_in(folder: Path) -> list[tuple[int, int]]:
    """(x, process) of every run that came to its end, or to its endless part."""
    names = [path.name.split("-") for path in (folder / "runs").glob("*-*-*")]
    return sorted((int(x), int(process)) for x, process, _ in names)


def square(runs: Path, job: Job) -> Job:
    """The square of ``x``."""
    (runs / f"{job['x']}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return {"square": job["x"] ** 2, "of": (job["x"],)}


def shared_square(runs: Path, job: Job) -> Job:
    """`square`, but nobody is done before two processes have begun."""
    (runs / f"began{os.getpid()}").touch()
    deadline = time.monotonic() + 60
    while len(list(runs.glob("began*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    return square(runs, job)


def killed_once(runs: Path, job: Job) -> Job:
    """The power goes, the first time that 2 is tried, when both workers are at work."""
    result = shared_square(runs, job)
    if job["x"] == 2 and not (runs / "power").exists():
        (runs / "power").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return result


def killed_at_two(runs: Path, job: Job) -> Job:
    """The power goes whenever 2 is tried."""
    if job["x"] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return square(runs, job)


def refused_at_two(runs: Path, job: Job) -> Job:
    """A request that cannot be met; 3 takes longer than any test."""
    if job["x"] == 2:
        raise InputError("x 2: too many; ask for fewer")
    if job["x"] == 3:
        square(runs, job)
        time.sleep(600)
    return square(runs, job)


def broken_at_two(runs: Path, job: Job) -> Job:
    """A bug."""
    if job["x"] == 2:
        raise RuntimeError("no such luck\nand more")
    return square(runs, job)


def unwritable_at_two(runs: Path, job: Job) -> Job:
    """A result that JSON cannot hold."""
    return {"loss": float("nan")} if job["x"] == 2 else square(runs, job)


def interrupted_at_two(runs: Path, job: Job) -> Job:
    """Ctrl-C in the middle of a job."""
    if job["x"] == 2:
        raise KeyboardInterrupt
    return square(runs, job)


def endless_from_two(runs: Path, job: Job) -> Job:
    """0 and 1 end; the others tell that they have begun."""
    result = square(runs, job)
    if job["x"] >= 2:
        time.sleep(600)
    return result


def threads(_: Path, __: Job) -> Job:
    """How many TensorFlow will compute with."""
    assert "tensorflow" not in sys.modules
    return {"threads": os.environ["TF_NUM_INTRAOP_THREADS"]}

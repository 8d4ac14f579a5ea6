"""Jobs that take no time: plain functions, so that worker processes can be given them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError

Job = dict[str, Any]


def square(job: Job) -> Job:
    """The square of ``x``; tells that it was run, and by whom, if there is a folder for it."""
    if folder := os.environ.get("SWEEP_TEST_RUNS"):
        (Path(folder) / f"{job['x']}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return {"square": job["x"] ** 2, "of": [job["x"]]}


def shared_square(job: Job) -> Job:
    """`square`, but nobody is done before two processes have begun."""
    folder = Path(os.environ["SWEEP_TEST_RUNS"]) / "begun"
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    return square(job)


def refused_at_two(job: Job) -> Job:
    """A request that cannot be met."""
    if job["x"] == 2:
        raise InputError("x 2: too many; ask for fewer")
    return square(job)


def refused_at_two_while_others_wait(job: Job) -> Job:
    """`refused_at_two`, of which the other jobs take longer than any test."""
    if job["x"] != 2:
        time.sleep(600)
    return refused_at_two(job)


def broken_at_two(job: Job) -> Job:
    """A bug."""
    if job["x"] == 2:
        raise RuntimeError("no such luck\nand more")
    return square(job)


def unwritable_at_two(job: Job) -> Job:
    """A result that JSON cannot hold."""
    return {"loss": float("nan")} if job["x"] == 2 else square(job)


def interrupted_at_two(job: Job) -> Job:
    """Ctrl-C in the middle of a job."""
    if job["x"] == 2:
        raise KeyboardInterrupt
    return square(job)


def killed(_: Job) -> Job:
    """The power goes."""
    os._exit(9)


def killed_once(job: Job) -> Job:
    """The power goes, the first time that 2 is tried."""
    marker = Path(os.environ["SWEEP_TEST_RUNS"]) / "power"
    if job["x"] == 2 and not marker.exists():
        marker.touch()
        os._exit(9)
    return square(job)


def endless(job: Job) -> Job:
    """Tells that it has begun, and never ends."""
    square(job)
    time.sleep(600)
    return {}


def cores_of(_: Job) -> Job:
    """What TensorFlow would be told."""
    return {"threads": os.environ.get("TF_NUM_INTRAOP_THREADS")}

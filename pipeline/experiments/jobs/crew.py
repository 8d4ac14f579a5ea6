"""Worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from pipeline.core.errors import ExternalError, HarError

POLL_S = 3.0


def work_together(
    work: Callable[[], None],
    *,
    workers: int,
    threads: int | None = None,
    finished: Callable[[], bool],
    on_poll: Callable[[], None],
) -> None:
    """Runs ``work`` in ``workers`` new processes and returns when all have returned.

    ``work`` travels by pickle; each process computes with ``threads`` cores, an equal share if not
    given. ``on_poll`` is called every `POLL_S` seconds. A HarError of one ends the others and is
    raised; so is Ctrl-C. Workers that die otherwise leave their work to the rest; ExternalError
    when
    all are gone before ``finished``.
    """
    context = multiprocessing.get_context("spawn")
    share = threads or max(1, cores() // workers)
    crew: list[SpawnProcess] = []
    answers: list[Connection] = []
    patience_s = 0.0
    try:
        for _ in range(workers):
            answer, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_worker, args=(work, share, theirs), daemon=True)
            with _deaf():
                process.start()
            theirs.close()
            crew.append(process)
            answers.append(answer)
        while alive := [process for process in crew if process.is_alive()]:
            wait([process.sentinel for process in alive], POLL_S)
            on_poll()
            for answer in answers:
                if error := _received(answer):
                    raise error
    except KeyboardInterrupt:
        patience_s = 5.0  # at a terminal, it has reached the workers already
        raise
    finally:
        _dismiss(crew, patience_s)
    if not finished():
        codes = ", ".join(str(process.exitcode) for process in crew)
        raise ExternalError(f"all {workers} workers ended early ({codes}); run again to go on")


def cores() -> int:
    """That this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C waits; a process that is started here is deaf to it until it says otherwise."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it, as the first process does, lets SIGINT in
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _worker(work: Callable[[], None], threads: int, answer: Connection) -> None:
    """A worker process; its error, if any, goes to the parent."""
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(threads)
    try:
        # The parent ends us by it; what a shell runs in the background would not hear it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if hasattr(signal, "pthread_sigmask"):  # heard from here on: see _deaf
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        work()
    except HarError as error:
        answer.send(error)
    except KeyboardInterrupt:
        return


def _received(answer: Connection) -> HarError | None:
    try:
        error = answer.recv() if answer.poll() else None
    except EOFError:
        return None
    return error if isinstance(error, HarError) else None


def _dismiss(crew: list[SpawnProcess], patience_s: float) -> None:
    """Ends workers that still run, as Ctrl-C does, so that they mark their trials."""
    for wait_s, blow in ((patience_s, signal.SIGINT), (20.0, signal.SIGKILL), (5.0, None)):
        deadline = time.monotonic() + wait_s
        for process in crew:
            process.join(max(0.0, deadline - time.monotonic()))
        for process in crew:
            if blow is not None and process.pid and process.is_alive():
                os.kill(process.pid, blow)

"""Worker processes: of this machine, or of a cluster that exists."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import ExternalError, InputError

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster
    from distributed.security import Security

_POLL_S = 2.0
_CONNECT_S = 15
_ALONE_S = 60.0  # without a worker before it is given up
_END_S = 10
_LIVES = 4  # workers that one job may take down


class ClusterLost(ExternalError):
    """A cluster that cannot be reached, or is left without workers."""


class WorkerDied(Exception):
    """A job took down as many workers as it may."""


@dataclass(frozen=True)
class Cluster:
    """Where jobs run. ``workers``: processes on this machine; None for one a core. ``scheduler``:
    tls://HOST:PORT of a cluster that exists, with PEM files of the authority that its certificates
    are signed by and of a certificate and key for this machine."""

    workers: int | None = None
    scheduler: str | None = None
    tls_ca_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def check(self) -> None:
        """Raise InputError, one line, for what cannot be meant."""
        files = {
            "--tls-ca-file": self.tls_ca_file,
            "--tls-cert": self.tls_cert,
            "--tls-key": self.tls_key,
        }
        if self.scheduler is None:
            if self.workers is not None and self.workers < 1:
                raise InputError(f"{self.workers} workers: at least 1 is needed")
            if given := [option for option, path in files.items() if path]:
                raise InputError(f"{given[0]} goes with --scheduler; give both")
            return
        if self.workers is not None:
            raise InputError("--workers start here, --scheduler has its own; give one of them")
        protocol, _, address = self.scheduler.partition("://")
        if protocol != "tls" or ":" not in address:
            raise InputError(
                f"scheduler {self.scheduler}: give tls://HOST:PORT (whoever reaches a scheduler "
                "that is not encrypted runs code on all of its machines)"
            )
        for option, path in files.items():
            if path is None:
                raise InputError(f"--scheduler {self.scheduler} needs {option}")
            if not path.is_file():
                raise InputError(f"{option} {path}: no such file")

    def security(self) -> Security:
        """Return the certificates for `scheduler`."""
        from distributed.security import Security

        return Security(
            tls_ca_file=str(self.tls_ca_file),
            tls_client_cert=str(self.tls_cert),
            tls_client_key=str(self.tls_key),
            require_encryption=True,
        )


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Workers:
    """The workers of a cluster, started when the first job is given to them; without a cluster,
    this process, which takes one job after the other."""

    def __init__(self, cluster: Cluster | None) -> None:
        """Take a cluster; raises as `Cluster.check`."""
        if cluster:
            cluster.check()
        self._cluster = cluster
        self._count = cluster.workers or cores() if cluster else 1
        self._client: Client | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        with _sigint_blocked():  # a second Ctrl-C waits until no process is left
            self._client = None
            self._stack.close()

    def capacity(self) -> int:
        """Return how many jobs can run at a time; 0 while workers are started again.

        Raises:
            InputError: a worker would run several jobs in one TensorFlow.
        """
        if self._client is None:
            return self._count
        threads = self._client.nthreads()
        for address, count in threads.items():
            if count > 1:
                raise InputError(
                    f"worker {address} has {count} threads; start it with --nthreads 1"
                )
        return len(threads)

    def run(
        self,
        function: Callable[..., Any],
        jobs: Sequence[Any],
        on_start: Callable[[Any], None] = lambda _: None,
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (job, what ``function(job)`` returned or the exception that it raised) as jobs
        finish. They start in their order, one to a free worker; one whose worker dies starts again,
        up to `_LIVES` times, and then gives `WorkerDied`.

        Raises:
            ClusterLost: the cluster cannot be reached, or has lost its workers.
            InputError: as `capacity`.
        """
        if not jobs:
            return
        if self._cluster is None:
            for job in jobs:
                on_start(job)
                try:
                    outcome = function(job)
                except Exception as error:
                    outcome = error
                yield job, outcome
            return
        self._client = self._client or self._connect(self._cluster, len(jobs))
        where = self._cluster.scheduler or "this machine"
        yield from self._distribute(self._client, where, function, jobs, on_start)

    def _distribute(
        self,
        client: Client,
        where: str,
        function: Callable[..., Any],
        jobs: Sequence[Any],
        on_start: Callable[[Any], None],
    ) -> Iterator[tuple[Any, Any]]:
        from distributed import KilledWorker, wait

        waiting = list(reversed(jobs))
        running: dict[Future[Any], Any] = {}
        alive_at = time.monotonic()
        try:
            while waiting or running:
                # One job to a thread: none stands in line where a worker may die.
                capacity = self.capacity()
                while waiting and len(running) < capacity:
                    job = waiting.pop()
                    running[client.submit(_in_worker, function, job, pure=False)] = job
                    on_start(job)
                now = time.monotonic()
                alive_at = now if capacity else alive_at
                if now - alive_at > _ALONE_S:
                    raise ClusterLost(f"no worker is left ({where})")
                if not running:
                    time.sleep(_POLL_S)
                    continue
                try:
                    with client.as_current():
                        wait(list(running), timeout=_POLL_S, return_when="FIRST_COMPLETED")
                except TimeoutError:
                    continue
                for future in [each for each in running if each.done()]:
                    job = running.pop(future)
                    outcome = future.exception() or future.result()
                    future.release()  # or its worker's death would have it run again
                    if isinstance(outcome, KilledWorker):
                        outcome = WorkerDied(f"{_LIVES} workers ended while they ran it")
                    yield job, outcome
        except (CancelledError, OSError):
            raise ClusterLost(f"the scheduler went away ({where})") from None
        finally:
            with contextlib.suppress(Exception):
                client.cancel(list(running), force=True)

    def _connect(self, cluster: Cluster, jobs: int) -> Client:
        import dask
        from distributed import Client

        self._stack.enter_context(_quiet())
        self._stack.enter_context(
            dask.config.set(
                {
                    "distributed.scheduler.allowed-failures": _LIVES - 1,
                    "distributed.comm.timeouts.connect": f"{_CONNECT_S}s",
                    "logging": {"distributed": "critical", "tornado": "critical"},
                }
            )
        )
        where = cluster.scheduler or "this machine"
        try:
            if cluster.scheduler is None:
                client = self._start(min(self._count, jobs))
            else:
                client = Client(
                    cluster.scheduler,
                    security=cluster.security(),
                    timeout=_CONNECT_S,
                    set_as_default=False,
                )
                self._stack.callback(client.close, timeout=_END_S)
            client.wait_for_workers(1, timeout=_ALONE_S)
        except TimeoutError:
            raise ClusterLost(f"{where}: no worker came within {_ALONE_S:g} s") from None
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ClusterLost(f"{where}: cannot be reached ({reason})") from None
        return client

    def _start(self, workers: int) -> Client:
        """Processes of one thread each, and a scheduler on 127.0.0.1 that takes nobody without the
        certificate that is made for it."""
        from distributed import Client, LocalCluster

        # What starts here never sees Ctrl-C, and here it waits until all can be ended.
        with _sigint_blocked():
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                security=True,
                dashboard_address=None,
                memory_limit=None,
                silence_logs=logging.CRITICAL,
            )
            self._stack.callback(_end, cluster)
            client = Client(cluster, timeout=_CONNECT_S, set_as_default=False)
            self._stack.callback(client.close, timeout=_END_S)
        return client


def _in_worker(function: Callable[[Any], Any], job: Any) -> Any:
    # Before TensorFlow is there: its sums depend on the number of its threads, and results must not
    # depend on who computes them.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    logging.getLogger("pipeline").setLevel(logging.ERROR)  # workers wait for each other's networks
    return function(job)


def _end(cluster: LocalCluster) -> None:
    """Leave no process."""

    async def end_workers() -> None:
        # The cluster's own close would wait for jobs that run.
        await asyncio.gather(*(nanny.close(timeout=1) for nanny in cluster.workers.values()))

    with contextlib.suppress(TimeoutError):  # a worker that is being started again
        cluster.sync(end_workers, callback_timeout=_END_S)
        cluster.close(timeout=_END_S)
    for process in multiprocessing.active_children():
        if process.name.startswith("Dask Worker"):
            process.kill()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What goes wrong is said by our own line."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]
    loggers = [logging.getLogger(name) for name in (*names, "tornado")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="distributed")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Ctrl-C waits; threads and processes that are started meanwhile inherit that for good."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it, as the first process does, lets SIGINT in
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def this_worker() -> tuple[str, str]:
    """Return name and address of the worker that runs this job, "0" and "here" without a cluster.

    At any time, no other worker of the cluster has this name.
    """
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:
        return "0", "here"
    return str(worker.name), worker.address

"""Jobs on a scheduler that others started: TLS, and two workers on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from pipeline.core.errors import ExternalError, InputError
from pipeline.experiments.jobs import Cluster, Progress, Workers, run_jobs
from tests.unit.experiments.jobs import jobs
from tests.unit.experiments.jobs.jobs import job_set, runs_in, squares

ROOT = Path(__file__).parents[4]


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, and a certificate and a key that it signed."""
    folder.mkdir()
    authority = trustme.CA()
    signed = authority.issue_cert("127.0.0.1")
    paths = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    authority.cert_pem.write_to_path(str(paths[0]))
    signed.cert_chain_pems[0].write_to_path(str(paths[1]))
    signed.private_key_pem.write_to_path(str(paths[2]))
    return paths


@dataclass(frozen=True)
class Site:
    """A scheduler that runs. ``worker``: starts a worker for it, with more options and this
    added to its environment, that ends with the test."""

    cluster: Cluster
    scheduler: subprocess.Popen[bytes]
    worker: Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    authority, certificate, key = _certificates(tmp_path / "tls")
    tls = ["--tls-ca-file", authority, "--tls-cert", certificate, "--tls-key", key]
    file = tmp_path / "scheduler.json"
    with ExitStack() as stack:

        def start(*command: object, **environment: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *map(str, [*command, *tls])],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait, 30)
            stack.callback(process.kill)
            return process

        scheduler = start(
            *("scheduler", "--protocol", "tls", "--host", "127.0.0.1", "--port", "0"),
            *("--no-dashboard", "--scheduler-file", file),
        )
        deadline = time.monotonic() + 120
        while not file.exists() or not file.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        worker += ["--local-directory", str(tmp_path / "scratch")]
        yield Site(
            Cluster(None, address, authority, certificate, key),
            scheduler,
            lambda *options, **environment: start(*worker, *options, **environment),
        )


def test_a_worker_that_is_killed_in_mid_job_changes_no_result(site: Site, tmp_path: Path) -> None:
    processes = [site.worker(), site.worker()]
    with Workers(site.cluster) as workers:
        found = run_jobs(job_set(tmp_path, jobs.killed_once), workers)
    assert [each.result for each in found] == squares(0, 1, 2, 3, 4)
    assert [x for x, _ in runs_in(tmp_path)].count(2) == 2
    assert {process for _, process in runs_in(tmp_path)} == {each.pid for each in processes}
    assert len([each for each in processes if each.poll() is None]) == 1


def test_a_worker_of_another_commit_is_refused_before_it_runs_anything(
    site: Site, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    subprocess.run(["git", "init", "-q", other], check=True)
    commit = ["git", "-C", other, *identity, "commit", "-q", "--allow-empty", "-m", "Begin"]
    subprocess.run(commit, check=True)
    site.worker(GIT_DIR=str(other / ".git"))
    with (
        pytest.raises(InputError) as caught,
        Workers(site.cluster) as workers,
    ):
        run_jobs(job_set(tmp_path, jobs.square), workers)
    expected = r"worker tls://127\.0\.0\.1:\d+ has commit [0-9a-f]{20}, this machine \w+; give"
    assert caught.match(expected) and "\n" not in str(caught.value)
    assert runs_in(tmp_path) == []


def test_a_worker_of_several_threads_is_refused(site: Site, tmp_path: Path) -> None:
    site.worker("--nthreads", "2")
    with (
        pytest.raises(InputError, match=r"^worker tls://\S+ has 2 threads; start it with"),
        Workers(site.cluster) as workers,
    ):
        run_jobs(job_set(tmp_path, jobs.square), workers)
    assert runs_in(tmp_path) == []


def test_a_scheduler_without_workers_or_of_another_authority_is_one_clear_line(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.experiments.jobs.cluster._ALONE_S", 1.0)
    monkeypatch.setattr("pipeline.experiments.jobs.cluster._CONNECT_S", 3)
    authority, certificate, key = _certificates(tmp_path / "others")
    stranger = replace(site.cluster, tls_ca_file=authority, tls_cert=certificate, tls_key=key)
    gone = replace(site.cluster, scheduler="tls://127.0.0.1:1")
    for cluster, words in (
        (site.cluster, "no worker came within 1 s"),
        (stranger, "cannot be reached"),
        (gone, "cannot be reached"),
    ):
        with pytest.raises(ExternalError) as caught, Workers(cluster) as workers:
            run_jobs(job_set(tmp_path, jobs.square), workers)
        assert str(caught.value).startswith(f"{cluster.scheduler}: {words}")
        assert str(caught.value).endswith(
            f"; 0 of 5 results are kept in {tmp_path}/jobs; the same command goes on from there"
        )
        assert "\n" not in str(caught.value)


@pytest.mark.slow("waits for a cluster that has gone")
@pytest.mark.parametrize("who", ["the last worker", "the scheduler"])
def test_a_cluster_that_goes_away_in_mid_job_ends_the_run_with_one_line(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    worker = site.worker()
    doomed = worker if who == "the last worker" else site.scheduler

    def kill_in_mid_job(progress: Progress) -> None:
        if {"x": 2} in progress.running:
            monkeypatch.setattr("pipeline.experiments.jobs.cluster._ALONE_S", 0.1)
            doomed.kill()

    with pytest.raises(ExternalError) as caught, Workers(site.cluster) as workers:
        run_jobs(job_set(tmp_path, jobs.endless_from_two), workers, kill_in_mid_job)
    reason = "no worker is left" if doomed is worker else "the scheduler went away"
    assert str(caught.value) == (
        f"{reason} ({site.cluster.scheduler}); 2 of 5 results are kept in {tmp_path}/jobs; "
        "the same command goes on from there"
    )


# ---- what cannot be meant ------------------------------------------------------------------------

_PEM = Path(__file__)  # any file
_TLS = Cluster(None, "tls://one:8786", _PEM, _PEM, _PEM)


def test_what_can_be_meant_is_taken() -> None:
    for cluster in (Cluster(), Cluster(workers=3), _TLS):
        cluster.check()


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        (Cluster(workers=0), "0 workers: at least 1"),
        (Cluster(workers=-3), "-3 workers: at least 1"),
        (Cluster(tls_cert=_PEM), "--tls-cert goes with --scheduler"),
        (replace(_TLS, workers=2), "give one of them"),
        (replace(_TLS, tls_key=None), "needs --tls-key"),
        (replace(_TLS, tls_ca_file=Path("no/such.pem")), "--tls-ca-file no/such.pem: no such file"),
        (replace(_TLS, scheduler="tcp://one:8786"), "not encrypted runs code on all"),
        (replace(_TLS, scheduler="tls://one"), "give tls://HOST:PORT"),
        (replace(_TLS, scheduler="one:8786"), "give tls://HOST:PORT"),
        (replace(_TLS, scheduler=""), "give tls://HOST:PORT"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(cluster: Cluster, words: str) -> None:
    with pytest.raises(InputError) as caught:
        Workers(cluster)
    assert words in str(caught.value) and "\n" not in str(caught.value)

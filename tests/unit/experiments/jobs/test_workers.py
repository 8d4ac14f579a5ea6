from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.experiments.jobs import Sweep, run_sweep
from tests.unit.experiments.jobs import jobs
from tests.unit.experiments.jobs.squares import Make, Runs, results_of, squares, trials_of


def _join(process: Any) -> int:
    process.join(120)
    assert process.exitcode is not None
    return int(process.exitcode)


def _wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_workers_share_the_jobs_and_run_each_once(sweep: Make, runs: Runs) -> None:
    assert results_of(sweep(8, run=jobs.shared_square), workers=2) == squares(8)
    assert [x for x, _ in runs()] == list(range(8))
    processes = {process for _, process in runs()}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_one_worker_is_this_process(sweep: Make, runs: Runs) -> None:
    run_sweep(sweep(2))
    assert {process for _, process in runs()} == {os.getpid()}


def test_each_of_several_workers_is_told_its_share_of_the_cores(sweep: Make) -> None:
    told = results_of(sweep(2, run=jobs.cores_of, threads_per_worker=3), workers=2)
    assert told == [{"threads": "3"}] * 2


def test_two_commands_at_once_share_one_study(sweep: Make, runs: Runs) -> None:
    both = sweep(8, run=jobs.shared_square)
    other = multiprocessing.get_context("spawn").Process(target=run_sweep, args=(both,))
    other.start()
    assert results_of(both) == squares(8)
    assert _join(other) == 0
    assert {x for x, _ in runs()} == set(range(8))
    assert len({process for _, process in runs()}) == 2
    assert len(trials_of(both, "COMPLETE")) == len(runs())


def test_ctrl_c_ends_the_workers_too_and_they_put_their_jobs_back(sweep: Make, runs: Runs) -> None:
    hanging = sweep(3, run=jobs.endless)
    context = multiprocessing.get_context("spawn")
    command = context.Process(target=_two_workers, args=(hanging,))
    command.start()
    _wait_for(lambda: len(runs()) == 2)
    workers = {process for _, process in runs()}
    for process in (command.pid, *workers):  # as a terminal does
        assert process
        os.kill(process, signal.SIGINT)
    assert _join(command) == 130
    for process in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert len(trials_of(hanging, "WAITING")) == 3
    assert results_of(sweep(3)) == squares(3)


class _InterruptedOnArrival:
    """A job whose Ctrl-C comes while a worker is still being given what it is to do."""

    def __getstate__(self) -> dict[str, bool]:
        return {"travelled": True}

    def __setstate__(self, state: dict[str, bool]) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def __call__(self, job: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError(f"{job} was begun")


def test_ctrl_c_while_the_workers_start_ends_them_without_a_word(
    sweep: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExternalError, match=r"all 2 workers ended early \(0, 0\)"):
        run_sweep(sweep(3, run=_InterruptedOnArrival()), workers=2)
    assert capfd.readouterr().err == ""
    assert trials_of(sweep(), "RUNNING") == []


def _two_workers(sweep: Sweep) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run_sweep(sweep, workers=2)
    except KeyboardInterrupt:
        os._exit(130)


def test_a_job_whose_worker_was_killed_is_run_by_the_other_worker(sweep: Make, runs: Runs) -> None:
    found = results_of(sweep(4, run=jobs.killed_once, heartbeat_s=1), workers=2)
    assert found == squares(4)
    assert [x for x, _ in runs()] == [0, 1, 2, 3]
    assert [trial.user_attrs["job"] for trial in trials_of(sweep(), "FAIL")] == [{"x": 2}]


def test_a_job_of_a_machine_that_went_away_is_run_by_the_next_command(
    sweep: Make, runs: Runs
) -> None:
    gone = sweep(2, run=jobs.killed, heartbeat_s=1)
    process = multiprocessing.get_context("spawn").Process(target=run_sweep, args=(gone,))
    process.start()
    assert _join(process) == 9
    assert len(trials_of(gone, "RUNNING")) == 1
    assert results_of(sweep(2, heartbeat_s=1)) == squares(2)
    assert [x for x, _ in runs()] == [0, 1]


def test_workers_that_all_die_are_reported(sweep: Make) -> None:
    with pytest.raises(ExternalError, match=r"all 2 workers ended early \(9, 9\)"):
        run_sweep(sweep(4, run=jobs.killed), workers=2)


@pytest.fixture(params=["heard", "ignored"])
def interrupts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Ctrl-C as at a terminal, or as a shell leaves it to what it runs in the background."""
    ignored = request.param == "ignored"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_a_request_that_a_worker_s_job_cannot_meet_ends_the_other_workers(sweep: Make) -> None:
    start = time.monotonic()
    with pytest.raises(InputError, match=r"^x 2: too many; ask for fewer$"):
        run_sweep(
            sweep(
                run=jobs.refused_at_two_while_others_wait,
                jobs=({"x": 0}, {"x": 2}, {"x": 3}),
            ),
            workers=2,
        )
    assert time.monotonic() - start < 300  # of 600 that they would take
    assert not trials_of(sweep(), "RUNNING")


def test_of_many_that_want_a_waiting_job_one_gets_it(sweep: Make) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from pipeline.experiments.jobs.queue import Queue

    wanted = sweep(20)
    queue = Queue(
        wanted.storage,
        wanted.study,
        wanted.definition,
        wanted.jobs,
        command=wanted.command,
        heartbeat_s=30,
    )
    queue.fill()

    together = threading.Barrier(4)

    def claim_five(_: int) -> list[int]:
        together.wait(60)
        trials = [queue.claim() for _ in range(5)]
        return [trial.number for trial in trials if trial is not None]

    with ThreadPoolExecutor(4) as pool:
        claims = list(pool.map(claim_five, range(4)))
    assert sorted(number for each in claims for number in each) == list(range(20))
    assert queue.claim() is None

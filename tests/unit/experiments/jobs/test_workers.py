"""Jobs in worker processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.experiments.jobs import Cluster, Workers, run_jobs
from tests.unit.experiments.jobs import jobs
from tests.unit.experiments.jobs.jobs import job_set, runs_in, squares

ROOT = Path(__file__).parents[4]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _assert_all_ended(folder: Path) -> None:
    assert not [process for _, process in runs_in(folder) if _alive(process)]


def test_two_workers_share_the_jobs_and_a_killed_one_has_its_job_run_again(
    tmp_path: Path,
) -> None:
    with Workers(Cluster(workers=2)) as pair:
        found = run_jobs(job_set(tmp_path, jobs.killed_once), pair)
        threads = run_jobs(job_set(tmp_path / "runs", jobs.threads, 0, 1), pair)
    assert [each.result for each in found] == squares(0, 1, 2, 3, 4)
    ran = runs_in(tmp_path)
    times = [[x for x, _ in ran].count(x) for x in range(5)]
    assert times[2] == 2 and min(times) == 1
    assert 2 <= len({process for _, process in ran} - {os.getpid()}) <= 3
    assert [each.result for each in threads] == [{"threads": "1"}] * 2
    _assert_all_ended(tmp_path)


@pytest.mark.slow("starts a worker five times")
def test_a_job_that_kills_every_worker_is_given_up_with_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(ExternalError) as caught,
        Workers(Cluster(workers=1)) as one,
    ):
        run_jobs(job_set(tmp_path, jobs.killed_at_two, 1, 2, 3), one)
    assert str(caught.value) == (
        "1 of 3 jobs failed: x 2: WorkerDied: 4 workers ended while they ran it; "
        "run again to try them again"
    )
    assert [x for x, _ in runs_in(tmp_path)] == [1, 3]
    _assert_all_ended(tmp_path)


def test_a_request_that_a_job_cannot_meet_ends_the_other_worker(tmp_path: Path) -> None:
    start = time.monotonic()
    with (
        pytest.raises(InputError, match=r"^x 2: too many; ask for fewer$"),
        Workers(Cluster(workers=2)) as pair,
    ):
        run_jobs(job_set(tmp_path, jobs.refused_at_two, 3, 2), pair)
    assert time.monotonic() - start < 120  # of 600 that 3 takes
    _assert_all_ended(tmp_path)


def test_what_is_done_needs_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workers(None) as here:
        run_jobs(job_set(tmp_path, jobs.square), here)
    monkeypatch.setattr(Workers, "_start", None)
    with Workers(Cluster()) as workers:
        run_jobs(job_set(tmp_path, jobs.square), workers)


# ---- Ctrl-C --------------------------------------------------------------------------------------

_COMMAND = """
import sys
from pathlib import Path
from pipeline.cli.common import guarded
from pipeline.experiments.jobs import Cluster, Workers, run_jobs
from tests.unit.experiments.jobs import jobs

@guarded
def command() -> None:
    with Workers(Cluster(workers=2)) as workers:
        print("begun", flush=True)
        run_jobs(jobs.job_set(Path(sys.argv[1]), jobs.endless_from_two), workers)

if __name__ == "__main__":
    try:
        command()
    except Exception as exit:
        sys.exit(exit.exit_code)
"""


@pytest.mark.parametrize("moment", ["while they start", "in mid-job"])
def test_ctrl_c_ends_every_process_and_says_how_to_go_on(tmp_path: Path, moment: str) -> None:
    (tmp_path / "command.py").write_text(_COMMAND)
    command = subprocess.Popen(
        [sys.executable, str(tmp_path / "command.py"), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hear_ctrl_c,
    )
    try:
        assert command.stdout
        assert command.stdout.readline() == "begun\n"
        deadline = time.monotonic() + 120
        while moment == "in mid-job" and len(runs_in(tmp_path)) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        os.killpg(command.pid, signal.SIGINT)  # as a terminal does
        _, errors = command.communicate(timeout=60)
    except BaseException:
        os.killpg(command.pid, signal.SIGKILL)
        raise
    kept = 2 if moment == "in mid-job" else 0
    assert errors == (
        f"har: interrupted: {kept} of 5 results are kept in {tmp_path}/jobs; "
        "the same command goes on from there\n"
    )
    assert command.returncode == 130
    _wait_for_the_group_to_end(command.pid)
    with Workers(None) as here:
        found = run_jobs(job_set(tmp_path, jobs.square), here)
    assert [each.result for each in found] == squares(0, 1, 2, 3, 4)
    assert [x for x, _ in runs_in(tmp_path)].count(0) == 1


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _wait_for_the_group_to_end(group: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    raise AssertionError("a process is left")

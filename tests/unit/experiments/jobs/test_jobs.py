"""Jobs in this process: what is kept, what is refused, what is told."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.experiments.jobs import JobSet, Progress, Workers, run_jobs
from pipeline.experiments.jobs.run import code_identity, require_identity
from tests.unit.experiments.jobs import jobs
from tests.unit.experiments.jobs.jobs import job_set, runs_in, squares


def results_of(wanted: JobSet) -> list[dict[str, Any]]:
    with Workers(None) as workers:
        return [each.result for each in run_jobs(wanted, workers)]


# ---- what is done is done ------------------------------------------------------------------------


def test_results_come_in_the_order_of_the_jobs_and_as_json_keeps_them(tmp_path: Path) -> None:
    assert results_of(job_set(tmp_path, jobs.square)) == squares(0, 1, 2, 3, 4)
    assert results_of(job_set(tmp_path, jobs.square, 4, 0, 2)) == squares(4, 0, 2)


def test_what_is_there_is_not_run_again(tmp_path: Path) -> None:
    results_of(job_set(tmp_path, jobs.square, 0, 1, 2))
    assert results_of(job_set(tmp_path, jobs.square)) == squares(0, 1, 2, 3, 4)
    assert [x for x, _ in runs_in(tmp_path)] == [0, 1, 2, 3, 4]
    assert len(list((tmp_path / "jobs").iterdir())) == 5


def test_the_seconds_are_those_of_the_run_that_there_was(tmp_path: Path) -> None:
    with Workers(None) as workers:
        first = run_jobs(job_set(tmp_path, jobs.square), workers)
        assert run_jobs(job_set(tmp_path, jobs.square), workers) == first


def test_a_job_is_the_same_however_its_keys_are_ordered(tmp_path: Path) -> None:
    results_of(job_set(tmp_path, jobs.square, jobs=({"x": 1, "why": (1, 2)},)))
    results_of(job_set(tmp_path, jobs.square, jobs=({"why": [1, 2], "x": 1},)))
    assert len(runs_in(tmp_path)) == 1


def test_another_definition_finds_nothing_and_leaves_everything(tmp_path: Path) -> None:
    mine = job_set(tmp_path, jobs.square, 1)
    results_of(mine)
    results_of(replace(mine, definition={"power": 2, "seed": 1}))
    assert results_of(mine) == squares(1)
    assert [x for x, _ in runs_in(tmp_path)] == [1, 1]


@pytest.mark.parametrize(
    "content",
    [
        *("", "half a fi", "[]", "{}", '{"job": {"x": 1}, "result": {}}'),
        '{"job": {"x": 2}, "result": {}, "seconds": 1.0}',
        '{"job": {"x": 1}, "result": {}, "seconds": "1"}',
    ],
)
def test_a_damaged_result_is_made_anew(tmp_path: Path, content: str) -> None:
    results_of(job_set(tmp_path, jobs.square, 1))
    (file,) = (tmp_path / "jobs").iterdir()
    file.write_text(content)
    assert results_of(job_set(tmp_path, jobs.square, 1)) == squares(1)
    assert len(runs_in(tmp_path)) == 2


# ---- what goes wrong -----------------------------------------------------------------------------


def test_ctrl_c_loses_the_running_job_only_and_says_what_is_kept(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        results_of(job_set(tmp_path, jobs.interrupted_at_two))
    assert str(caught.value) == (
        f"2 of 5 results are kept in {tmp_path}/jobs; the same command goes on from there"
    )
    assert results_of(job_set(tmp_path, jobs.square)) == squares(0, 1, 2, 3, 4)
    assert [x for x, _ in runs_in(tmp_path)] == [0, 1, 2, 3, 4]


def test_a_request_that_a_job_cannot_meet_ends_the_run_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^x 2: too many; ask for fewer$"):
        results_of(job_set(tmp_path, jobs.refused_at_two))
    assert [x for x, _ in runs_in(tmp_path)] == [0, 1]


def test_a_bug_fails_its_job_and_is_named_when_the_others_are_done(tmp_path: Path) -> None:
    for _ in range(2):  # and tried again by every command
        with pytest.raises(ExternalError) as caught:
            results_of(job_set(tmp_path, jobs.broken_at_two))
        assert str(caught.value) == (
            "1 of 5 jobs failed: x 2: RuntimeError: no such luck; run again to try them again"
        )
    assert [x for x, _ in runs_in(tmp_path)] == [0, 1, 3, 4]
    assert results_of(job_set(tmp_path, jobs.square)) == squares(0, 1, 2, 3, 4)


def test_a_result_that_json_cannot_hold_fails_its_job(tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match=r"x 2: ValueError: .*JSON compliant"):
        results_of(job_set(tmp_path, jobs.unwritable_at_two))
    assert [x for x, _ in runs_in(tmp_path)] == [0, 1, 3, 4]


def test_the_same_job_twice_is_refused(tmp_path: Path) -> None:
    twice = job_set(tmp_path, jobs.square, jobs=({"x": 1, "y": 2}, {"y": 2, "x": 1}))
    with pytest.raises(InputError, match="y 2, x 1: asked for twice"):
        results_of(twice)


# ---- what must be equal --------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["commit", "requirements.lock", "data set watch"])
def test_a_worker_that_differs_is_refused_with_both_in_one_line(what: str) -> None:
    mine = {**code_identity(), "data set watch": "4" * 64}
    require_identity(mine, dict(mine), "tls://one:1")
    with pytest.raises(InputError) as caught:
        require_identity(mine, {**mine, what: "5" * 64}, "tls://one:1")
    assert str(caught.value) == (
        f"worker tls://one:1 has {what} {'5' * 20}, this machine {mine[what][:20]}; "
        "give both the same"
    )


def test_data_that_change_while_jobs_run_are_noticed_before_the_next_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = iter("aab")
    monkeypatch.setattr(
        "pipeline.data.load_dataset", lambda *_, **__: SimpleNamespace(sha256=next(hashes))
    )
    with pytest.raises(InputError, match="worker here has data set watch b, this machine a"):
        results_of(job_set(tmp_path, jobs.square, data=("watch",)))
    assert [x for x, _ in runs_in(tmp_path)] == [0]


# ---- progress ------------------------------------------------------------------------------------


def test_progress_tells_every_job_that_finishes_once(tmp_path: Path) -> None:
    results_of(job_set(tmp_path, jobs.square, 0, 1))
    told: list[Progress] = []
    with Workers(None) as workers:
        run_jobs(job_set(tmp_path, jobs.square, later=3), workers, told.append)
    assert [each.last.job["x"] for each in told if each.last] == [2, 3, 4]
    assert [each.last.result["square"] for each in told if each.last] == [4, 9, 16]
    assert (told[0].done, told[0].total, told[0].last) == (2, 8, None)
    assert ({"x": 3},) in [each.running for each in told]
    assert (told[-1].done, told[-1].running) == (5, ())


def test_the_time_left_weighs_what_jobs_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("pipeline.experiments.jobs.run.time.monotonic", lambda: next(clock))
    left: list[float | None] = []
    dear = job_set(tmp_path, jobs.square, 0, 1, 2, cost=lambda job: [1.0, 4.0, 5.0][job["x"]])
    with Workers(None) as workers:
        run_jobs(dear, workers, lambda progress: left.append(progress.seconds_left))
    assert left == [None, None, 90.0, 90.0, 20.0, 20.0, 0.0]


def test_a_job_here_runs_in_this_process(tmp_path: Path) -> None:
    results_of(job_set(tmp_path, jobs.square))
    assert {process for _, process in runs_in(tmp_path)} == {os.getpid()}

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.experiments.jobs import Progress, run_sweep
from tests.unit.experiments.jobs import jobs
from tests.unit.experiments.jobs.squares import Make, Runs, results_of, squares, trials_of

# ---- what is done is done ------------------------------------------------------------------------


def test_results_come_in_the_order_of_the_jobs_and_as_the_storage_keeps_them(sweep: Make) -> None:
    assert results_of(sweep(5)) == squares(5)
    backwards = sweep(jobs=tuple({"x": x} for x in (4, 0, 2)))
    assert [result["square"] for result in results_of(backwards)] == [16, 0, 4]


def test_what_is_there_is_not_run_again(sweep: Make, runs: Runs) -> None:
    run_sweep(sweep(3))
    assert results_of(sweep(5)) == squares(5)
    assert [x for x, _ in runs()] == [0, 1, 2, 3, 4]


def test_a_job_is_the_same_however_its_keys_are_ordered(sweep: Make, runs: Runs) -> None:
    run_sweep(sweep(jobs=({"x": 1, "why": (1, 2)},)))
    run_sweep(sweep(jobs=({"why": [1, 2], "x": 1},)))
    assert len(runs()) == 1


def test_jobs_that_others_asked_for_are_left_to_them(sweep: Make, runs: Runs) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_sweep(sweep(5, run=jobs.interrupted_at_two))
    assert results_of(sweep(jobs=({"x": 7},))) == [{"square": 49, "of": [7]}]
    assert [x for x, _ in runs()] == [0, 1, 7]


def test_a_partial_is_a_job_function_too(sweep: Make) -> None:
    found = results_of(sweep(1, run=partial(_scaled, factor=3), jobs=({"x": 5},)))
    assert found == [{"scaled": 15}]


def _scaled(job: dict[str, Any], factor: int) -> dict[str, Any]:
    return {"scaled": job["x"] * factor}


# ---- what goes wrong -----------------------------------------------------------------------------


def test_ctrl_c_loses_the_running_job_only(sweep: Make, runs: Runs) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_sweep(sweep(4, run=jobs.interrupted_at_two))
    assert [x for x, _ in runs()] == [0, 1]
    # It waits again already: another machine need not be told.
    assert {trial.user_attrs["job"]["x"] for trial in trials_of(sweep(), "WAITING")} == {2, 3}
    assert results_of(sweep(4)) == squares(4)
    assert [x for x, _ in runs()] == [0, 1, 2, 3]


def test_a_request_that_a_job_cannot_meet_ends_the_sweep_with_its_line(
    sweep: Make, runs: Runs
) -> None:
    with pytest.raises(InputError, match=r"^x 2: too many; ask for fewer$"):
        run_sweep(sweep(5, run=jobs.refused_at_two))
    assert [x for x, _ in runs()] == [0, 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bug_fails_its_job_and_is_named_when_the_others_are_done(
    sweep: Make, runs: Runs, workers: int
) -> None:
    with pytest.raises(ExternalError) as caught:
        run_sweep(sweep(5, run=jobs.broken_at_two), workers=workers)
    assert str(caught.value).startswith("1 of 5 jobs failed: x 2: RuntimeError: no such luck; run")
    assert "\n" not in str(caught.value)
    assert [x for x, _ in runs()] == [0, 1, 3, 4]
    (trial,) = trials_of(sweep(), "FAIL")
    assert "broken_at_two" in trial.user_attrs["traceback"]
    assert results_of(sweep(5)) == squares(5)
    assert [x for x, _ in runs()] == [0, 1, 2, 3, 4]


def test_a_job_that_keeps_failing_is_tried_again_by_every_command(sweep: Make) -> None:
    for _ in range(7):
        with pytest.raises(ExternalError, match="no such luck"):
            run_sweep(sweep(3, run=jobs.broken_at_two))
    assert results_of(sweep(3)) == squares(3)


def test_a_result_that_json_cannot_hold_fails_its_job(sweep: Make, runs: Runs) -> None:
    with pytest.raises(ExternalError, match=r"x 2: ValueError: .*JSON compliant"):
        run_sweep(sweep(4, run=jobs.unwritable_at_two))
    assert [x for x, _ in runs()] == [0, 1, 3]


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "difference"),
    [
        ({"power": 3, "limits": {"low": 0}}, "power 2, not 3"),
        ({"power": 2, "limits": {"low": 1}}, "limits.low 0, not 1"),
        ({"power": 2, "limits": {"low": 0}, "seed": 1}, "seed None, not 1"),
    ],
)
def test_another_definition_may_not_use_the_same_study(
    sweep: Make, definition: dict[str, Any], difference: str
) -> None:
    run_sweep(sweep(1))
    expected = f"{difference}; give `har numbers` another --study name"
    with pytest.raises(InputError, match=expected):
        run_sweep(sweep(1, definition=definition))
    assert results_of(sweep(1, definition=definition, study="other")) == squares(1)


def test_a_study_of_somebody_else_is_left_alone(sweep: Make) -> None:
    import optuna

    mine = sweep()
    optuna.create_study(study_name=mine.study, storage=mine.storage).optimize(
        lambda trial: trial.suggest_float("x", 0, 1), n_trials=1
    )
    with pytest.raises(InputError, match="none of `har numbers`"):
        run_sweep(mine)


def test_the_same_job_twice_is_refused(sweep: Make) -> None:
    with pytest.raises(InputError, match="y 2, x 1: asked for twice"):
        run_sweep(sweep(jobs=({"x": 1, "y": 2}, {"y": 2, "x": 1})))


def test_less_than_one_worker_is_refused(sweep: Make) -> None:
    with pytest.raises(InputError, match="0 workers"):
        run_sweep(sweep(), workers=0)


# ---- progress ------------------------------------------------------------------------------------


def test_progress_tells_every_job_that_finishes_once(sweep: Make) -> None:
    run_sweep(sweep(2))
    told: list[Progress] = []
    run_sweep(sweep(5), on_progress=told.append)
    assert [each.last.job["x"] for each in told if each.last] == [2, 3, 4]
    assert [each.last.result["square"] for each in told if each.last] == [4, 9, 16]
    assert (told[0].done, told[0].total, told[0].last) == (2, 5, None)
    assert ({"x": 3},) in [each.running for each in told]
    assert (told[-1].done, told[-1].running, told[-1].seconds_left) == (5, (), 0.0)


def test_the_time_left_counts_what_jobs_cost() -> None:
    from optuna.trial import TrialState, create_trial

    from pipeline.experiments.jobs.progress import Tracker

    told: list[Progress] = []
    dear = [{"x": 0}, {"x": 1}, {"x": 2}, {"x": 3}]
    tracker = Tracker(dear, lambda job: [1.0, 1.0, 2.0, 5.0][job["x"]], 2, told.append)

    def trial(x: int, state: TrialState) -> Any:
        done = state == TrialState.COMPLETE
        attributes = {"job": {"x": x}} | ({"result": {}, "seconds": 10.0} if done else {})
        made = create_trial(state=state, value=10.0 if done else None, user_attrs=attributes)
        made.number = x
        return made

    states = [TrialState.WAITING] * 4
    for state, left in (
        ([*states], None),
        ([TrialState.COMPLETE, *states[1:]], 50.0),  # the last alone takes 50 s
        ([TrialState.COMPLETE] * 3 + [TrialState.RUNNING], 37.5),  # 30 s for 4; 5 more
    ):
        standing = {f'{{"x":{x}}}': trial(x, each) for x, each in enumerate(state)}
        tracker.look(standing)
        assert told[-1].seconds_left == (left if left is None else pytest.approx(left, abs=0.1))

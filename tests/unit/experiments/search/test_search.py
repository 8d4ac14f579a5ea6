from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import CheckFailed, ExternalError, InputError
from pipeline.data import Dataset, split_subjects
from pipeline.experiments.search import (
    Candidate,
    Limits,
    SearchJob,
    Space,
    gather,
    search,
    search_report,
    trained,
)
from pipeline.experiments.search.report import SearchReport
from pipeline.experiments.search.run import work
from pipeline.experiments.search.task import train_and_score
from pipeline.models.dscnn import parse
from tests.unit.experiments.search import scorers

Make = Callable[..., SearchJob]


def _names(study: Any) -> list[str]:
    return [trial.user_attrs["backbone"] for trial in trained(study)]


def test_the_same_seed_tries_the_same_shapes_and_another_does_not(job: Make) -> None:
    runs = [_names(search(job(name, seed=seed))) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert len(runs[0]) == 7
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_sizes_with_a_name_come_first(report: SearchReport) -> None:
    known = {name for point in report.points for name in point.names}
    known |= {each.name for each in report.left_out}
    assert known == set(Space().references())
    assert all("limit" in each.reason for each in report.left_out)


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(job: Make) -> None:
    search(job("halves", trials=4))
    resumed = search(job("halves", trials=9))
    assert len(trained(resumed)) == 9
    assert _names(resumed) == _names(search(job("whole", trials=9)))


def test_a_study_that_has_enough_is_left_as_it_is(job: Make) -> None:
    before = len(search(job()).trials)
    assert len(search(job(trials=3, score=scorers.broken)).trials) == before


def test_only_what_fits_is_trained_and_the_rest_costs_no_trial(job: Make) -> None:
    limits = Limits(parameters=6000, macs=120_000, ram_bytes=3000)
    tried: list[str] = []

    def score(material: Any, candidate: Any, *rest: Any) -> float:
        tried.append(candidate.shape.name)
        return scorers.made_up(material, candidate, *rest)

    cheap = job(limits=limits, trials=5, score=score)
    study = search(cheap)
    report = search_report(cheap, study)
    assert len(tried) == len(report.points) == 5
    assert report.infeasible > 0
    assert sorted(tried) == sorted(point.backbone for point in report.points)
    for point in report.points:
        assert point.parameters <= 6000
        assert point.macs <= 120_000
        assert point.ram_bytes <= 3000
    over = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert all(max(trial.constraints.values()) > 0 for trial in over)


def test_the_accuracy_is_the_mean_over_the_draws_of_validation_people(
    job: Make, dataset: Dataset
) -> None:
    two = job(material=gather(dataset, "5-fold", draws=2), trials=2)
    for point in search_report(two, search(two)).points:
        assert len(point.accuracies) == 2
        assert point.accuracies[0] != point.accuracies[1]
        assert point.validation_accuracy == pytest.approx(sum(point.accuracies) / 2)


def test_no_worker_ever_holds_a_sample_of_a_test_person(dataset: Dataset) -> None:
    for draws in (1, 3):
        material = gather(dataset, "5-fold", fold=1, draws=draws, seed=4)
        test = set(split_subjects(dataset, "5-fold", fold=1).test)
        assert test == set(material.held_out)
        assert not test & {recording.subject for recording in material.recordings}
        assert len(material.draws) == draws
        for draw in material.draws:
            assert not set(draw.train) & set(draw.validation)
            assert not test & {*draw.train, *draw.validation}
        with pytest.raises(InputError, match="no window"):
            material.windows(material.held_out, 128, 64)


def test_a_test_person_s_samples_do_not_change_an_accuracy_but_a_validation_person_s_do(
    dataset: Dataset,
) -> None:
    candidate = Candidate(parse("dscnn:k3:8s2-8s2-8s2"), 128)

    def accuracy(people: tuple[str, ...]) -> float:
        recordings = tuple(
            replace(recording, samples=recording.samples[::-1] * 5 + 3)
            if recording.subject in people
            else recording
            for recording in dataset.recordings
        )
        material = gather(replace(dataset, recordings=recordings), "5-fold")
        return train_and_score(material, candidate, 0, 1, 0)

    split = split_subjects(dataset, "5-fold")
    honest = accuracy(())
    assert accuracy(split.test) == honest
    assert accuracy(split.validation) != honest


def test_an_interrupted_trial_is_marked_and_tried_again_before_anything_new(job: Make) -> None:
    with pytest.raises(KeyboardInterrupt):
        search(job(trials=2, score=scorers.interrupted))
    study = search(job(trials=1))
    failed = [trial for trial in study.trials if trial.state.name == "FAIL"]
    assert len(failed) == 1
    # It joined the end of the queue, before anything that the sampler draws.
    everything = search(job(trials=5))
    assert failed[0].user_attrs["backbone"] in _names(everything)
    assert search_report(job(), everything).interrupted == 1


def test_a_trial_whose_worker_died_is_tried_again(job: Make) -> None:
    doomed = job(score=scorers.killed, heartbeat_s=1)
    search(job(trials=1, heartbeat_s=1))
    process = multiprocessing.get_context("spawn").Process(target=work, args=(doomed,))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    time.sleep(5.5)  # longer than four heartbeats
    study = search(job(heartbeat_s=1))
    lost = [trial for trial in study.trials if trial.state.name == "FAIL"]
    assert len(lost) == 1
    assert lost[0].user_attrs["backbone"] in _names(study)
    assert not [trial for trial in study.trials if trial.state.name == "RUNNING"]


def test_two_workers_share_a_study(
    job: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pids").mkdir()
    monkeypatch.setenv("SEARCH_TEST_PIDS", str(tmp_path / "pids"))
    calls: list[object] = []
    study = search(job(score=scorers.slow, trials=10), workers=2, on_trials=calls.append)
    assert len(list((tmp_path / "pids").iterdir())) == 2
    assert len(trained(study)) in (10, 11)
    assert len(set(_names(study))) == len(trained(study))
    assert len(calls) >= 2


def test_workers_that_all_die_are_reported(job: Make) -> None:
    with pytest.raises(ExternalError, match="ended early"):
        search(job(score=scorers.killed), workers=2)


def test_a_bug_in_training_is_not_swallowed(job: Make) -> None:
    with pytest.raises(RuntimeError, match="no such luck"):
        search(job(score=scorers.broken))


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"epochs": 2}, "epochs 1, not 2"),
        ({"seed": 5}, "seed 0, not 5"),
        ({"limits": Limits(macs=20_000)}, "limits.macs 550000, not 20000"),
        ({"space": Space((64,))}, r"space.windows \[128\], not \[64\]"),
    ],
)
def test_another_search_may_not_use_the_same_study(
    job: Make, change: dict[str, Any], difference: str
) -> None:
    search(job(trials=1))
    with pytest.raises(InputError, match=f"{difference}; give `har search` another --study name"):
        search(job(**change))


def test_another_data_set_may_not_use_the_same_study(job: Make, dataset: Dataset) -> None:
    search(job(trials=1))
    other = gather(replace(dataset, name="other"), "5-fold")
    with pytest.raises(InputError, match="dataset synthetic, not other"):
        search(job(material=other))


def test_a_study_of_somebody_else_is_left_alone(job: Make) -> None:
    import optuna

    mine = job()
    optuna.create_study(study_name="synthetic", storage=mine.storage).optimize(
        lambda trial: trial.suggest_float("x", 0, 1), n_trials=1
    )
    with pytest.raises(InputError, match="none of `har search`"):
        search(mine)


@pytest.mark.parametrize("name", ["trials", "epochs"])
def test_less_than_one_is_refused(job: Make, name: str) -> None:
    with pytest.raises(InputError, match=f"0 {name}"):
        search(job(**{name: 0}))


def test_limits_that_nothing_meets_are_refused_with_the_least_there_is(job: Make) -> None:
    with pytest.raises(InputError, match=r"no shape.*least.*parameters"):
        search(job(limits=Limits(parameters=100)))


def test_a_space_that_is_used_up_is_an_honest_no(
    job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.experiments.search.run._MAX_MISSES", 3)
    with pytest.raises(CheckFailed, match="no new shape"):
        search(job(limits=Limits(parameters=700), trials=500))


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("nonsense", InputError, "no database URL"),
        ("sqlite://", InputError, "needs a file"),
        ("nosuchdb://there/x", InputError, "no driver"),
        ("postgresql://har:secret@127.0.0.1:1/x", InputError, "no driver"),
    ],
)
def test_a_storage_that_is_none_is_one_clear_line(
    job: Make, url: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        search(job(storage=url))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_the_world_s_fault_and_stays_as_it_is(
    job: Make, tmp_path: Path
) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("not a database, and dear to somebody " * 50)
    before = path.read_bytes()
    with pytest.raises(ExternalError, match=r"thesis\.txt"):
        search(job(storage=f"sqlite:///{path}"))
    assert path.read_bytes() == before


def test_a_storage_that_cannot_be_opened_is_the_world_s_fault(job: Make, tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(ExternalError, match=r"folder\.db"):
        search(job("folder"))

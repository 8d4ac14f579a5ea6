from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import CheckFailed, ExternalError, InputError
from pipeline.data import Dataset, split_subjects
from pipeline.experiments.jobs import Progress, Workers
from pipeline.experiments.search.report import SearchReport
from pipeline.experiments.search.run import (
    BATCH,
    Found,
    SearchRequest,
    Setting,
    gather,
    search,
    search_report,
    train_and_score,
)
from pipeline.experiments.search.space import Candidate, Limits, Space
from pipeline.models.dscnn import parse
from tests.unit.experiments.search import scorers
from tests.unit.experiments.search.conftest import found_by

ROOT = Path(__file__).parents[4]
Make = Callable[..., SearchRequest]


@pytest.fixture(autouse=True)
def _nothing_tried() -> None:
    scorers.tried.clear()


def _names(found: Found) -> list[str]:
    return [each.candidate.key for each in found.trained]


def test_the_same_seed_tries_the_same_shapes_and_another_does_not(made: Make) -> None:
    runs = [
        _names(found_by(made(name, seed=seed, trials=20)))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert len(set(runs[0])) == 20
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


_TWO_WORKERS = """
import json, sys
from pathlib import Path
from pipeline.experiments.jobs import Cluster, Workers
from pipeline.experiments.search.run import SearchRequest, search
from pipeline.experiments.search.run import Setting
from tests.unit.experiments.search.scorers import made_up

if __name__ == "__main__":
    setting = Setting("hapt", epochs=1)
    request = SearchRequest(setting, Path(sys.argv[2]), 20, score=made_up)
    with Workers(Cluster(workers=int(sys.argv[1]))) as workers:
        found = search(request, workers)
    print(json.dumps([(each.candidate.key, each.accuracies) for each in found.trained]))
"""


@pytest.mark.slow("starts two searches with workers of their own")
def test_what_is_tried_depends_on_no_number_of_workers_and_no_order_of_hashes(
    tmp_path: Path,
) -> None:
    (tmp_path / "search.py").write_text(_TWO_WORKERS)
    answers = []
    for workers in (1, 2):
        folder = tmp_path / f"by{workers}"
        done = subprocess.run(
            [sys.executable, str(tmp_path / "search.py"), str(workers), str(folder)],
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(workers)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers.append(done.stdout)
    assert answers[0] == answers[1] and len(json.loads(answers[0])) == 20


def test_the_sizes_with_a_name_come_first(report: SearchReport) -> None:
    known = {name for point in report.points for name in point.names}
    known |= {each.name for each in report.left_out}
    assert known == set(Space().references())
    assert all("limit" in each.reason for each in report.left_out)


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(made: Make) -> None:
    found_by(made("halves", trials=9, score=scorers.counted))
    resumed = found_by(made("halves", trials=22, score=scorers.counted))
    assert _names(resumed) == scorers.tried  # each once
    assert resumed.trained[:9] == found_by(made("halves", trials=9)).trained
    assert _names(resumed) == _names(found_by(made("whole", trials=22)))


def test_what_is_there_is_not_trained_again(made: Make) -> None:
    before = found_by(made(trials=12))
    assert found_by(made(trials=12, score=scorers.broken)) == before
    assert found_by(made(trials=3, score=scorers.broken)).trained == before.trained[:3]


def test_accuracies_are_kept_for_other_limits_and_windows_but_not_for_other_training(
    made: Make,
) -> None:
    found_by(made(trials=5))
    wider = made(trials=2, limits=Limits(macs=600_000), score=scorers.broken)
    assert len(found_by(wider).trained) == 2
    for change in ({"epochs": 2}, {"seed": 5}, {"fold": 1}, {"draws": 2}):
        with pytest.raises(ExternalError, match="no such luck"):
            found_by(made(trials=2, score=scorers.broken, **change))


def test_only_what_fits_is_trained_and_the_rest_costs_no_trial(made: Make) -> None:
    limits = Limits(parameters=6000, macs=120_000, ram_bytes=3000)
    cheap = made(limits=limits, trials=5, score=scorers.counted)
    report = search_report(cheap, found_by(cheap))
    assert len(scorers.tried) == len(report.points) == 5
    assert report.infeasible > 0
    assert sorted(scorers.tried) == sorted(
        f"{point.backbone}@{point.window_samples}" for point in report.points
    )
    for point in report.points:
        assert point.parameters <= 6000
        assert point.macs <= 120_000
        assert point.ram_bytes <= 3000


def test_the_sampler_hears_of_accuracies_after_each_batch(made: Make) -> None:
    """Else, what it proposes in the end would be as random as in the beginning."""

    def small_is_good(setting: Setting, candidate: Candidate, draw: int) -> float:
        return 1.0 - scorers.made_up(setting, candidate, draw)

    far = 5 * BATCH
    big = found_by(made("big", trials=far)).trained
    small = found_by(made("small", trials=far, score=small_is_good)).trained
    alike = [mine.candidate == other.candidate for mine, other in zip(big, small, strict=True)]
    assert all(alike[:BATCH]) and not all(alike[BATCH:])


def test_the_accuracy_is_the_mean_over_the_draws_of_validation_subjects(made: Make) -> None:
    two = made(draws=2, trials=2)
    for point in search_report(two, found_by(two)).points:
        assert len(point.accuracies) == 2
        assert point.accuracies[0] != point.accuracies[1]
        assert point.validation_accuracy == pytest.approx(sum(point.accuracies) / 2)


def test_what_is_gathered_holds_no_sample_of_a_test_subject(dataset: Dataset) -> None:
    for draws in (1, 3):
        material = gather(dataset, "5-fold", fold=1, draws=draws, seed=4)
        test = set(split_subjects(dataset, "5-fold", fold=1).test)
        assert test == set(material.draws[0].test)
        assert not test & {recording.subject for recording in material.dataset.recordings}
        assert len(material.draws) == draws
        for draw in material.draws:
            assert not set(draw.train) & set(draw.validation)
            assert not test & {*draw.train, *draw.validation}
        with pytest.raises(InputError, match="no window"):
            material.windows(material.draws[0].test, 128, 64)


@pytest.mark.slow("trains three times")
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


def test_ctrl_c_loses_what_is_being_trained_only_and_says_what_is_kept(
    made: Make,
) -> None:
    with pytest.raises(KeyboardInterrupt, match=r"^4 of 12 results are kept in .*jobs; the same"):
        found_by(made(trials=12, score=scorers.interrupted_at_the_fifth))
    assert _names(found_by(made(trials=12))) == _names(found_by(made("whole", trials=12)))


def test_progress_counts_all_that_was_asked_for(made: Make) -> None:
    told: list[Progress] = []
    with Workers(None) as workers:
        search(made(trials=20), workers, told.append)
    assert {each.total for each in told} == {20}
    assert [each.done for each in told if each.last] == list(range(1, 21))


def test_a_bug_in_training_is_named(made: Make) -> None:
    with pytest.raises(ExternalError, match=r"RuntimeError: no such luck"):
        found_by(made(score=scorers.broken))


@pytest.mark.parametrize("name", ["trials", "epochs", "draws"])
def test_less_than_one_is_refused(made: Make, name: str) -> None:
    with pytest.raises(InputError, match=f"0 {name}"):
        found_by(made(**{name: 0}))


def test_limits_that_nothing_meets_are_refused_with_the_least_there_is(made: Make) -> None:
    with pytest.raises(InputError, match=r"no shape.*least.*parameters"):
        found_by(made(limits=Limits(parameters=100)))


def test_a_space_that_is_used_up_is_a_failed_check(
    made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.experiments.search.run._MAX_MISSES", 3)
    with pytest.raises(CheckFailed, match=r"no new shape within the limits in 3 draws; \d+ are"):
        found_by(made(limits=Limits(parameters=700), trials=500))

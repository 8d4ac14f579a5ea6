"""Who learns and who judges a shipped network, and how often each window is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data import Dataset, Recording, Segment
from pipeline.training import corpora
from pipeline.training.corpora import CORPORA, WAIST, WRIST, find_corpus
from pipeline.training.pretrain import balance_weights
from tests.support.synthetic import synthetic_task

RATE_HZ, SECONDS = 25.0, 6.0


def made(name: str, who: tuple[str, ...], activities: tuple[str, ...], **more: str) -> Dataset:
    """Everybody does everything once."""
    template = synthetic_task(people=4, seconds=4.0).dataset
    n = round(SECONDS * RATE_HZ)
    recordings = tuple(
        Recording(
            samples=np.tile(np.float32([1, 0, 0, 0, 0, 0]), (n * len(activities), 1)),
            rate_hz=RATE_HZ,
            subject=person,
            session=person,
            source=name,
            segments=tuple(
                Segment(k * n, (k + 1) * n, activity) for k, activity in enumerate(activities)
            ),
        )
        for person in who
    )
    changes = {"name": name, "recordings": recordings, "activities": activities, **more}
    return replace(template, rate_hz=RATE_HZ, **changes)


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    phones = tuple(f"subject{number:02d}" for number in range(1, 31))
    eight = tuple(f"p{number}" for number in range(1, 9))
    sets = {
        "hapt": made("hapt", phones, corpora._HAPT, people="UCI HAR", placement="waist"),
        "dsads-torso": made("dsads-torso", eight, WRIST.parts[0].activities, placement="torso"),
        "dsads-arms": made("dsads-arms", eight, WRIST.parts[0].activities, placement="wrist"),
    }
    monkeypatch.setattr(corpora, "is_dataset_name", lambda name: name in sets)
    monkeypatch.setattr(corpora, "load_dataset", lambda name: sets[name])
    official = {"UCI HAR": tuple(phones[number] for number in (1, 3, 8, 9, 11, 12, 17, 19, 23))}
    monkeypatch.setattr("pipeline.data.splits.OFFICIAL_TEST", official)
    yield


@pytest.mark.parametrize("name", CORPORA)
def test_everyone_who_may_be_held_out_judges_in_one_fold(name: str) -> None:
    corpus = find_corpus(name)
    judged: list[str] = []
    for fold in range(corpus.folds):
        split = corpus.split(fold)
        assert not set(split.test) & {*split.train, *split.validation}
        judged += [person for person in split.test if person.rpartition("/")[2].startswith("p")]
    assert sorted(person.rpartition("/")[2] for person in judged) == [f"p{n}" for n in range(1, 9)]


def test_the_chest_teaches_the_waist_sports_and_walking_and_no_postures() -> None:
    dataset = WAIST.load()
    of_chest = {
        segment.activity
        for recording in dataset.recordings
        if recording.subject.startswith("dsads-torso/")
        for segment in recording.segments
    }
    assert of_chest == {"walking", "running", "cycling", "rowing", "jumping"}
    assert dataset.activities[:6] == corpora._HAPT and len(dataset.activities) == 10


def test_the_published_test_subjects_judge_the_network_that_ships() -> None:
    split = WAIST.split(seed=3)
    assert len(split.test) == 9 and all(person.startswith("hapt/") for person in split.test)
    learned = {person for person in split.train if person.startswith("dsads-torso/")}
    validating = {person for person in split.validation if person.startswith("dsads-torso/")}
    assert len(learned) == 7 and len(validating) == 1


def test_a_judging_task_needs_only_the_judges_and_names_the_network_s_activities() -> None:
    activities = WAIST.load().activities
    task = WAIST.judging_task(activities, seed=3)
    assert set(task.test.subjects.tolist()) == set(WAIST.split(seed=3).test)
    assert task.windows.activities == activities and set(task.windows.y.tolist()) == set(range(6))
    with pytest.raises(InputError, match="har bundles measure wrist"):
        WRIST.judging_task(WRIST.parts[0].activities)


def test_at_the_wrist_sitting_and_lying_are_resting_for_the_classifier_alone() -> None:
    named, shipped = WRIST.task(0), WRIST.task(0, merged=True)
    assert len(named.windows.activities) == 13 and len(shipped.windows.activities) == 12
    resting = shipped.windows.activities.index("resting")
    merged = [named.windows.activities.index(name) for name in ("sitting", "lying")]
    assert ((shipped.windows.y == resting) == np.isin(named.windows.y, merged)).all()
    np.testing.assert_array_equal(named.windows.x, shipped.windows.x)


def test_what_is_missing_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(corpora, "is_dataset_name", lambda _: False)
    with pytest.raises(InputError, match="har data import dsads PATH --unit arms --rate 25"):
        WRIST.load()
    with pytest.raises(InputError, match="no bundle 'ankle'; there are: waist, wrist, wrist-left"):
        find_corpus("ankle")


def test_activities_then_data_sets_then_subjects_are_drawn_equally_often() -> None:
    activities = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    subjects = np.array(["a/x", "a/x", "a/y", "b/x", "a/x", "a/x", "a/x", "a/y"])
    weights = balance_weights(activities, subjects)
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(weights, [1 / 16, 1 / 16, 1 / 8, 1 / 4, *[1 / 12] * 3, 1 / 4])


def test_of_one_data_set_each_subject_is_drawn_equally_often() -> None:
    weights = balance_weights(np.zeros(4, int), np.array(["p1", "p1", "p1", "p2"]))
    np.testing.assert_allclose(weights, [1 / 6, 1 / 6, 1 / 6, 1 / 2])

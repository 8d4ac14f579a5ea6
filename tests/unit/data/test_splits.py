from __future__ import annotations

import dataclasses
from itertools import product

import pytest

from pipeline.core.errors import InputError
from pipeline.data import (
    SCHEMES,
    Dataset,
    SubjectSplit,
    find_split,
    folds,
    identities,
    split_subjects,
)
from pipeline.data.recording import UNITS
from pipeline.data.source import UCI_PEOPLE
from tests.unit.data.fakes import recording

OFFICIAL = tuple(f"subject{n:02d}" for n in (2, 4, 9, 10, 12, 13, 18, 20, 24))


def dataset(people: range = range(1, 31)) -> Dataset:
    return Dataset(
        name="hapt",
        title="",
        recordings=tuple(recording([(0, 9, "a")], subject=f"subject{n:02d}") for n in people),
        activities=("a",),
        rate_hz=50.0,
        units=UNITS,
        terms="",
        citation="",
        package="",
        version="",
        sha256="",
        people=UCI_PEOPLE,
    )


ALL = [(scheme, fold) for scheme in SCHEMES for fold in range(folds(dataset(), scheme))]


def test_every_split_keeps_people_whole_and_leaves_nobody_out() -> None:
    for (scheme, fold), seed in product(ALL, range(3)):
        split = split_subjects(dataset(), scheme, fold=fold, seed=seed)
        assert split.pretrain == split.train
        everyone = split.train + split.validation + split.test
        assert sorted(everyone) == list(dataset().subjects)
        others = 30 - len(split.test)
        assert len(split.validation) == int(0.15 * others) > 0, (scheme, fold, seed)
        for people in (split.train, split.validation, split.test):
            assert people == tuple(sorted(people)), (scheme, fold, seed)


def test_the_official_split_of_hapt_is_18_3_9() -> None:
    split = split_subjects(dataset())
    assert split.test == OFFICIAL
    assert (len(split.train), len(split.validation)) == (18, 3)
    assert split.name == "official"


@pytest.mark.parametrize("scheme", ["5-fold", "leave-one-out"])
def test_each_person_tests_exactly_once_over_the_folds(scheme: str) -> None:
    tested = [
        person
        for fold in range(folds(dataset(), scheme))
        for person in split_subjects(dataset(), scheme, fold=fold).test
    ]
    assert sorted(tested) == list(dataset().subjects)


def test_the_seed_draws_who_validates_and_never_who_tests() -> None:
    for scheme, fold in ALL:
        splits = [split_subjects(dataset(), scheme, fold=fold, seed=seed) for seed in range(8)]
        assert splits[3] == split_subjects(dataset(), scheme, fold=fold, seed=3)
        assert len({split.test for split in splits}) == 1, (scheme, fold)
        assert len({split.validation for split in splits}) > 4, (scheme, fold)


def test_a_split_is_found_again_by_its_name() -> None:
    for scheme, fold in ALL:
        name = split_subjects(dataset(), scheme, fold=fold).name
        assert find_split(dataset(), name) == (scheme, fold)


def test_names_say_scheme_and_fold() -> None:
    assert split_subjects(dataset(), "5-fold", fold=2).name == "5-fold/2"
    assert split_subjects(dataset(), "leave-one-out", fold=6).name == "leave-one-out/subject07"


def test_any_dataset_can_be_split_in_folds() -> None:
    watch = dataclasses.replace(dataset(range(1, 11)), name="watch")
    split = split_subjects(watch, "5-fold", fold=4)
    assert (len(split.train), len(split.validation), len(split.test)) == (7, 1, 2)


@pytest.mark.parametrize("name", ["random", "5-fold/7", "official/0", "leave-one-out/nobody"])
def test_splits_that_do_not_exist_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=name.partition("/")[0]):
        find_split(dataset(), name)


def test_folds_that_do_not_exist_are_refused() -> None:
    for fold in (-1, 5):
        with pytest.raises(InputError, match=r"no fold -?\d in 5-fold; there are 0\.\.4"):
            split_subjects(dataset(), "5-fold", fold=fold)


def test_a_dataset_without_published_test_people_has_no_official_split() -> None:
    with pytest.raises(InputError, match="watch has no official split"):
        split_subjects(dataclasses.replace(dataset(), name="watch", people=""))


def test_missing_people_are_named() -> None:
    with pytest.raises(InputError, match="subject24"):
        split_subjects(dataset(range(1, 24)))


@pytest.mark.parametrize(("scheme", "enough"), [("5-fold", 5), ("leave-one-out", 3)])
def test_too_few_people_are_refused_in_one_line(scheme: str, enough: int) -> None:
    assert split_subjects(dataset(range(enough)), scheme).train
    with pytest.raises(InputError, match=f"has {enough - 1} subjects") as caught:
        split_subjects(dataset(range(enough - 1)), scheme)
    assert "\n" not in str(caught.value)


def test_official_test_people_alone_leave_nobody_to_train() -> None:
    alone = dataset()
    kept = tuple(r for r in alone.recordings if r.subject in (*OFFICIAL, "subject01"))
    with pytest.raises(InputError, match="1 subjects are outside the test"):
        split_subjects(dataclasses.replace(alone, recordings=kept))


def test_nobody_may_stand_on_two_sides() -> None:
    one, two, three = ("subject01",), ("subject02",), ("subject03",)
    for sides in (
        (one, one, one, ()),
        (one, one, (), one),
        (two, one, two, three),
        (two, one, three, two),
        (one, one, two, two),
    ):
        with pytest.raises(InputError, match=r"subject0[12] would be on both sides"):
            SubjectSplit("x", *sides)
    for sides in ((one, (), two, three), ((), one, two, three)):
        with pytest.raises(InputError, match="no subject is left to train"):
            SubjectSplit("x", *sides)
    assert SubjectSplit("x", one + two, two, (), three).pretrain == one + two


def test_the_people_of_uci_har_and_hapt_are_the_same_and_others_of_that_name_are_not() -> None:
    hapt = identities("hapt", ["subject02", "subject03"])
    assert hapt & identities("hapt+watch", ["hapt/subject03", "watch/subject02"]) == identities(
        "hapt", ["subject03"]
    )
    assert not hapt & identities("watch", ["subject02", "subject03"])

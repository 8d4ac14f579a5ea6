from __future__ import annotations

import dataclasses

import pytest

from pipeline.data import UNITS, Dataset, SubjectSplit, split_subjects
from pipeline.errors import InputError
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
    )


@pytest.mark.parametrize("seed", range(5))
def test_official_split_keeps_people_whole_and_leaves_nobody_out(seed: int) -> None:
    split = split_subjects(dataset(), seed=seed)
    assert split.test == OFFICIAL
    assert (len(split.train), len(split.validation)) == (17, 4)
    everyone = split.train + split.validation + split.test
    assert sorted(everyone) == list(dataset().subjects)


def test_the_seed_decides_who_validates() -> None:
    assert split_subjects(dataset(), seed=3) == split_subjects(dataset(), seed=3)
    drawn = {split_subjects(dataset(), seed=seed).validation for seed in range(8)}
    assert len(drawn) > 4


def test_splits_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match="random"):
        split_subjects(dataset(), "random")
    with pytest.raises(InputError, match="watch"):
        split_subjects(dataclasses.replace(dataset(), name="watch"))


def test_missing_people_are_named() -> None:
    with pytest.raises(InputError, match="subject24"):
        split_subjects(dataset(range(1, 24)))


def test_nobody_may_stand_on_two_sides() -> None:
    with pytest.raises(InputError, match="subject02"):
        SubjectSplit("x", ("subject01", "subject02"), (), ("subject02",))
    with pytest.raises(InputError, match="train"):
        SubjectSplit("x", (), ("subject01",), ("subject02",))

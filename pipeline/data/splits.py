"""Who pretrains, trains, validates and tests: always whole subjects, decided here and nowhere else.

Three schemes: ``official`` tests on the subjects that the published benchmark of the data set tests
on; ``5-fold`` and ``leave-one-out`` test everybody exactly once, over all their folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import InputError
from pipeline.data.recording import Dataset
from pipeline.data.source import UCI_PEOPLE

SCHEMES = ("official", "5-fold", "leave-one-out")
VALIDATION_PERCENT = 15

# UCI HAR names its test subjects, and HAPT was recorded from the same thirty.
_UCI_TEST = tuple(f"subject{number:02d}" for number in (2, 4, 9, 10, 12, 13, 18, 20, 24))
OFFICIAL_TEST: Mapping[str, tuple[str, ...]] = {UCI_PEOPLE: _UCI_TEST}
"""By who was recorded (`Dataset.people`), so that an import may have any name."""

_FOLDS = 5
# Of the shuffle after 5-fold. Never the caller's seed: seeds must share their test subjects, or
# their mean would mix the variation of training with that of the choice of subjects.
_FOLD_SEED = 5


@dataclass(frozen=True)
class SubjectSplit:
    """Names of subjects, each tuple sorted.

    ``pretrain``: the subjects of the frozen extractor; may be those of ``train``, on whom the
    head is fitted. ``validation``: on whom choices and constants are judged. ``test``: used by
    the final measurement only. Apart from pretrain and train, no subject appears twice.

    Raises:
        InputError: a subject is on two sides, or none trains.
    """

    name: str
    pretrain: tuple[str, ...]
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        learned_from = tuple(sorted({*self.pretrain, *self.train}))
        everyone = (*learned_from, *self.validation, *self.test)
        twice = sorted({person for person in everyone if everyone.count(person) > 1})
        if twice:
            raise InputError(f"split {self.name}: {', '.join(twice)} would be on both sides")
        if not self.train or not self.pretrain:
            raise InputError(f"split {self.name}: no subject is left to train on")


def folds(dataset: Dataset, scheme: str) -> int:
    """How many folds ``scheme`` has for this data set: 1, 5, or one per subject.

    Raises:
        InputError: no such scheme, or too few subjects for it.
    """
    return len(_test_people(dataset, scheme))


def split_subjects(
    dataset: Dataset, scheme: str = "official", *, fold: int = 0, seed: int = 0
) -> SubjectSplit:
    """Splits a data set by subject.

    The scheme and the fold decide who tests; the fold of a subject depends on the data set alone.
    Of the others, 15 % (rounded down, at least one) validate, drawn by
    ``np.random.default_rng(seed)``; the rest pretrain and train. Named ``official``, ``5-fold/0``,
    ``leave-one-out/subject07``.

    Raises:
        InputError: no such scheme or fold for this data set, too few subjects, or the official test
            subjects are not all there.
    """
    candidates = _test_people(dataset, scheme)
    if not 0 <= fold < len(candidates):
        raise InputError(
            f"data set {dataset.name}: no fold {fold} in {scheme}; "
            f"there are 0..{len(candidates) - 1}"
        )
    test = candidates[fold]
    others = [subject for subject in dataset.subjects if subject not in test]
    validating = max(1, len(others) * VALIDATION_PERCENT // 100)
    if len(others) <= validating:
        raise InputError(
            f"data set {dataset.name}: {len(others)} subjects are outside the test of {scheme}; "
            "at least one must validate and one must train"
        )
    drawn = np.random.default_rng(seed).choice(len(others), validating, replace=False)
    validation = {others[index] for index in drawn}
    train = tuple(subject for subject in others if subject not in validation)
    return SubjectSplit(
        name=_name(scheme, fold, test),
        pretrain=train,
        train=train,
        validation=tuple(sorted(validation)),
        test=test,
    )


def default_scheme(dataset: Dataset) -> str:
    """``official`` where the data set has published test subjects, else ``5-fold``."""
    return "official" if dataset.people in OFFICIAL_TEST else "5-fold"


def find_split(dataset: Dataset, name: str) -> tuple[str, int]:
    """The scheme and the fold after a `SubjectSplit.name` of this data set.

    Raises:
        InputError: this data set has no split of that name.
    """
    scheme = name.partition("/")[0]
    for fold, test in enumerate(_test_people(dataset, scheme)):
        if _name(scheme, fold, test) == name:
            return scheme, fold
    raise InputError(f"data set {dataset.name} has no split {name!r}")


def _name(scheme: str, fold: int, test: Sequence[str]) -> str:
    detail = {"official": "", "5-fold": f"/{fold}", "leave-one-out": f"/{test[0]}"}
    return scheme + detail[scheme]


def _test_people(dataset: Dataset, scheme: str) -> list[tuple[str, ...]]:
    """Who tests in each fold of ``scheme``."""
    people = dataset.subjects
    if scheme == "official":
        return [_official(dataset)]
    if scheme == "5-fold":
        if len(people) < _FOLDS:
            raise InputError(
                f"data set {dataset.name} has {len(people)} subjects; 5-fold needs at least "
                f"{_FOLDS}; use leave-one-out"
            )
        shuffled = np.random.default_rng(_FOLD_SEED).permutation(len(people))
        return [
            tuple(sorted(people[index] for index in part))
            for part in np.array_split(shuffled, _FOLDS)
        ]
    if scheme == "leave-one-out":
        if len(people) < 3:
            raise InputError(
                f"data set {dataset.name} has {len(people)} subjects; leave-one-out needs at least "
                "3: one tests, one validates, one trains"
            )
        return [(person,) for person in people]
    raise InputError(f"no split {scheme!r}; there are {', '.join(SCHEMES)}")


def _official(dataset: Dataset) -> tuple[str, ...]:
    if dataset.people not in OFFICIAL_TEST:
        raise InputError(
            f"data set {dataset.name} has no official split (those that have one: hapt and other "
            "recordings of its subjects); use 5-fold or leave-one-out"
        )
    test = OFFICIAL_TEST[dataset.people]
    missing = sorted(set(test) - set(dataset.subjects))
    if missing:
        raise InputError(f"data set {dataset.name} lacks the official test subjects {missing}")
    return test

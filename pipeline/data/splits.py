"""Who trains, who validates, who tests: always whole people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.data.recording import Dataset
from pipeline.errors import InputError

VALIDATION_SUBJECTS = 4

# HAPT: the test people of UCI HAR, which was recorded from the same thirty.
OFFICIAL_TEST: Mapping[str, tuple[str, ...]] = {
    "hapt": tuple(f"subject{number:02d}" for number in (2, 4, 9, 10, 12, 13, 18, 20, 24)),
}


@dataclass(frozen=True)
class SubjectSplit:
    """Names of people, each tuple sorted. Nobody appears twice, and ``train`` is never empty.

    Raises:
        InputError: somebody appears twice, or nobody trains.
    """

    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        everyone = self.train + self.validation + self.test
        twice = sorted({person for person in everyone if everyone.count(person) > 1})
        if twice:
            raise InputError(f"split {self.name}: {', '.join(twice)} would be on both sides")
        if not self.train:
            raise InputError(f"split {self.name}: nobody is left to train on")


def split_subjects(dataset: Dataset, name: str = "official", seed: int = 0) -> SubjectSplit:
    """Splits a dataset by person.

    ``official`` tests on the people whom the published benchmark tests on, and draws
    4 of the others for validation with ``np.random.default_rng(seed)``.

    Raises:
        InputError: no such split for this dataset, or its people are not all there.
    """
    if name != "official":
        raise InputError(f"no split {name!r}; use official")
    if dataset.name not in OFFICIAL_TEST:
        raise InputError(
            f"dataset {dataset.name} has no official split; "
            f"those that have one: {', '.join(sorted(OFFICIAL_TEST))}"
        )
    test = OFFICIAL_TEST[dataset.name]
    missing = sorted(set(test) - set(dataset.subjects))
    if missing:
        raise InputError(f"dataset {dataset.name} lacks the official test people {missing}")
    others = [subject for subject in dataset.subjects if subject not in test]
    if len(others) <= VALIDATION_SUBJECTS:
        raise InputError(
            f"dataset {dataset.name} has {len(others)} people outside the test; "
            f"{VALIDATION_SUBJECTS} validate and at least one must train"
        )
    drawn = np.random.default_rng(seed).choice(len(others), VALIDATION_SUBJECTS, replace=False)
    validation = {others[index] for index in drawn}
    return SubjectSplit(
        name=name,
        train=tuple(subject for subject in others if subject not in validation),
        validation=tuple(sorted(validation)),
        test=test,
    )

"""The official test people were found by the data set's name: UCI HAR imported under another name
had no official split, and anything imported as "ucihar" had one."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.core.errors import InputError
from pipeline.data import split_subjects
from tests.unit.data.test_splits import OFFICIAL, dataset


def test_the_people_decide_and_not_the_name() -> None:
    assert split_subjects(dataclasses.replace(dataset(), name="mine")).test == OFFICIAL
    with pytest.raises(InputError, match="no official split"):
        split_subjects(dataclasses.replace(dataset(), name="ucihar", people="own recordings"))

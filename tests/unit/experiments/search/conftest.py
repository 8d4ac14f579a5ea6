"""A small data set, and jobs over it that train nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.data import Dataset
from pipeline.experiments.search import SearchJob, gather, search, search_report
from pipeline.experiments.search.report import SearchReport
from tests.support.synthetic import synthetic_task
from tests.unit.experiments.search.scorers import made_up


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return synthetic_task(people=8, seconds=10.0).dataset


def _job(dataset: Dataset, path: Path, **changes: Any) -> SearchJob:
    values: dict[str, Any] = {
        "material": gather(dataset, "5-fold"),
        "storage": f"sqlite:///{path}",
        "study": "synthetic",
        "trials": 7,
        "epochs": 1,
        "score": made_up,
    }
    return SearchJob(**{**values, **changes})


@pytest.fixture
def job(dataset: Dataset, tmp_path: Path) -> Callable[..., SearchJob]:
    """A job in a database of this test; whatever is named differs."""

    def make(database: str = "study", **changes: Any) -> SearchJob:
        return _job(dataset, tmp_path / f"{database}.db", **changes)

    return make


@pytest.fixture(scope="session")
def report(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> SearchReport:
    """Of a finished search."""
    finished = _job(dataset, tmp_path_factory.mktemp("search") / "study.db")
    return search_report(finished, search(finished))

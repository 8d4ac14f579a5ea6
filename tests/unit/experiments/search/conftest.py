"""A small data set, and searches over it that train nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.data import Dataset
from pipeline.experiments.jobs import Workers
from pipeline.experiments.search.report import SearchReport
from pipeline.experiments.search.run import (
    Found,
    SearchRequest,
    Setting,
    material_of,
    search,
    search_report,
)
from tests.support.synthetic import synthetic_task
from tests.unit.experiments.search.scorers import made_up


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return synthetic_task(people=8, seconds=10.0).dataset


@pytest.fixture(autouse=True)
def _no_data(dataset: Dataset) -> Iterator[None]:
    """Whatever data set is named, this process loads the small one."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("pipeline.data", "pipeline.experiments.search.run"):
            patch.setattr(f"{module}.load_dataset", lambda *_, **__: dataset)
        material_of.cache_clear()
        yield
    material_of.cache_clear()


def request_for(folder: Path, **changes: Any) -> SearchRequest:
    """A request that keeps its results in ``folder``; ``changes`` to it and to its setting."""
    values: dict[str, Any] = {"folder": folder, "trials": 7, "score": made_up}
    setting: dict[str, Any] = {"dataset": "synthetic", "split": "5-fold", "epochs": 1}
    for name, value in changes.items():
        (setting if name in Setting.__dataclass_fields__ else values)[name] = value
    return SearchRequest(setting=Setting(**setting), **values)


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., SearchRequest]:
    """A request of this test; whatever is named differs."""
    return lambda folder="jobs", **changes: request_for(tmp_path / folder, **changes)


def found_by(request: SearchRequest) -> Found:
    """In this process."""
    with Workers(None) as workers:
        return search(request, workers)


@pytest.fixture
def report(tmp_path: Path) -> SearchReport:
    """Of a finished search."""
    request = request_for(tmp_path / "report")
    return search_report(request, found_by(request))

"""Sweeps over numbers, in a database of the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.experiments.jobs import Sweep
from tests.unit.experiments.jobs import jobs


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., Sweep]:
    """A sweep over ``x`` = 0, 1, ... ``count`` - 1; whatever is named differs."""

    def make(count: int = 5, **changes: Any) -> Sweep:
        values: dict[str, Any] = {
            "storage": f"sqlite:///{tmp_path}/study.db",
            "study": "numbers",
            "definition": {"power": 2, "limits": {"low": 0}},
            "jobs": tuple({"x": x} for x in range(count)),
            "run": jobs.square,
            "command": "har numbers",
        }
        return Sweep(**{**values, **changes})

    return make


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[tuple[int, int]]]:
    """(x, process) of every run of a job that came to its end, or to its endless part."""
    folder = tmp_path / "runs"
    folder.mkdir()
    monkeypatch.setenv("SWEEP_TEST_RUNS", str(folder))

    def read() -> list[tuple[int, int]]:
        names = [path.name.split("-") for path in folder.iterdir() if "-" in path.name]
        return sorted((int(x), int(process)) for x, process, _ in names)

    return read

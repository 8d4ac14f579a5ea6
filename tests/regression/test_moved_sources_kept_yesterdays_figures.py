"""After a room was renamed, its sources were in no digest: results of older code were reused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.digests import sources_digest
from pipeline.experiments import networks
from pipeline.experiments.folds import run as folds
from pipeline.experiments.fxcy import device_learner
from pipeline.experiments.personalize import run as personalize
from pipeline.sim import learner_program
from pipeline.sim.build import ROOT


def test_sources_that_are_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("one\n")
    sources_digest(tmp_path, ["*.py"])
    with pytest.raises(FileNotFoundError, match="moved"):
        sources_digest(tmp_path, ["*.py", "moved/*.py"])


def test_a_changed_or_renamed_source_changes_the_digest(tmp_path: Path) -> None:
    source = tmp_path / "one.py"
    source.write_text("one\n")
    before = sources_digest(tmp_path, ["*.py"])
    assert sources_digest(tmp_path, ["*.py"]) == before
    source.write_text("two\n")
    changed = sources_digest(tmp_path, ["*.py"])
    renamed = source.rename(tmp_path / "two.py")
    assert renamed.exists()
    assert len({before, changed, sources_digest(tmp_path, ["*.py"])}) == 3


@pytest.mark.parametrize(
    ("root", "patterns"),
    [
        (ROOT / "pipeline", networks._SOURCES),
        (Path(personalize.__file__).parents[1], personalize._PROTOCOL),
        (ROOT / "pipeline", folds._SOURCES),
        (ROOT / "firmware", learner_program._SOURCES),
        (ROOT, device_learner._SOURCES),
    ],
)
def test_every_source_that_decides_a_kept_result_is_where_it_is_looked_for(
    root: Path, patterns: tuple[str, ...]
) -> None:
    assert len(sources_digest(root, patterns)) == 64

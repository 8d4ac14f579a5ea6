"""CSV files that name no subject are a person each, silently: one person's files stood on both
sides of a split, and a copy of a file did so with the very same samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import InputError
from pipeline.data import import_dataset
from tests.support.foreign_data import motion, write_own


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate(("walk", "rest")):
        samples = motion(20, 50, seed=number)
        write_own(tmp_path / "own" / f"{name}.csv", samples, [name] * len(samples))
    return tmp_path / "own"


def test_files_without_a_subject_are_told(folder: Path) -> None:
    told = import_dataset("csv", folder, name="mine")["warnings"]
    assert any("2 files name no subject and count as a person each" in text for text in told)


def test_named_subjects_are_not(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_text(f"# subject: anna\n{file.read_text()}")
    told = import_dataset("csv", folder, name="mine")["warnings"]
    assert not any("name no subject" in text for text in told)


def test_a_copy_under_another_name_is_refused(folder: Path) -> None:
    (folder / "walk again.csv").write_bytes((folder / "walk.csv").read_bytes())
    with pytest.raises(InputError, match=r"walk\.csv: the same file as walk again\.csv"):
        import_dataset("csv", folder, name="mine")

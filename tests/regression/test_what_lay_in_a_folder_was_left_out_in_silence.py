"""A folder of one's own recordings was read without a word about what was not read in it: a link to
a folder, a link to nothing, a pipe, what lies too deep, an archive in an archive, a table in a form
that nobody here knows, `notes_anna.csv`, one of two files of one name in a zip, whatever is called
`./walk.csv` in it, and a zip next to a folder of its name that holds something else. A pipe by
itself was waited for, for ever; a name that is no UTF-8, and a cell of 200,000 characters in
quotes, were tracebacks."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from pathlib import Path

import pytest

from pipeline.core.errors import InputError
from pipeline.data.imports import read_files, read_own_recordings
from tests.support.foreign_data import motion, write_own


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples = motion(20, 50)
    write_own(tmp_path / "own" / "walk.csv", samples, ["walking"] * len(samples))
    return tmp_path / "own"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    samples = motion(20, 50, seed=1)
    return write_own(tmp_path / "other" / "rest.csv", samples, ["standing"] * len(samples))


def warned(folder: Path) -> str:
    dataset, rates = read_own_recordings(folder, 50.0)
    assert set(rates) == {"walk.csv"}
    return "\n".join(dataset.notes)


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        read_own_recordings(folder, 50.0)
    message = str(error.value)
    assert "\n" not in message
    return message


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_links_and_pipes_are_named(folder: Path, other: Path) -> None:
    (folder / "more").symlink_to(other.parent)
    (folder / "gone.csv").symlink_to("nowhere.csv")
    os.mkfifo(folder / "pipe.csv")
    (folder / ".#hidden").symlink_to("nowhere")
    notes = warned(folder)
    assert "more: left out, a link to a folder" in notes
    assert "gone.csv: left out, a link to nothing" in notes
    assert "pipe.csv: left out, no regular file" in notes
    assert "hidden" not in notes


def test_what_lies_too_deep_is_named(folder: Path, other: Path) -> None:
    deep = folder / "1/2/3/4/5/6/7/8/9"
    deep.mkdir(parents=True)
    other.rename(deep / "rest.csv")
    assert "1/2/3/4/5/6/7/8/9: left out, deeper than 8 folders" in warned(folder)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "pipe.csv: no regular file" in refused(tmp_path / "pipe.csv")


@pytest.mark.parametrize("name", ["notes_anna.csv", "Info.csv"])
def test_a_table_whose_name_says_that_it_is_none_is_named(
    name: str, folder: Path, other: Path
) -> None:
    other.rename(folder / name)
    (folder / "README.txt").write_text("who wore it where")
    assert f"{name}: left out, by its name no recording" in warned(folder)
    assert "README" not in warned(folder)


@pytest.mark.parametrize("name", ["informal-talk.csv", "notebook.csv"])
def test_an_activity_that_begins_like_a_note_is_read(name: str, folder: Path, other: Path) -> None:
    other.rename(folder / name)
    assert set(read_own_recordings(folder, 50.0)[1]) == {"walk.csv", name}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rest.csv.gz", "an archive that is not looked into here; unpack it"),
        ("rest.7z", "an archive that is not looked into here; unpack it"),
        ("rest.xlsx", "a spreadsheet or a zip, not text; save it as CSV (UTF-8)"),
        ("rest.tab", "no recording in a form that is known here"),
        ("rest.jsonl", "no recording in a form that is known here"),
    ],
)
def test_what_may_be_a_recording_is_refused(name: str, words: str, folder: Path) -> None:
    (folder / name).write_bytes(b"PK\x03\x04" if name.endswith("xlsx") else b"1\t2\t3\n")
    assert f"{name}: {words}" in refused(folder)


def test_a_zip_in_a_zip_is_refused(folder: Path, other: Path) -> None:
    inner = zipped({"rest.csv": other.read_bytes()})
    path = folder.parent / "own.zip"
    path.write_bytes(zipped({"walk.csv": (folder / "walk.csv").read_bytes(), "more.zip": inner}))
    assert "more.zip: an archive that is not looked into here" in refused(path)


def test_hidden_zips_of_macos_are_no_zips(folder: Path) -> None:
    (folder / "._phone.zip").write_bytes(b"Mac OS X")
    assert warned(folder) == ""


def test_two_files_of_one_name_in_a_zip_are_refused(folder: Path, other: Path) -> None:
    path = folder.parent / "own.zip"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for file in (folder / "walk.csv", other):
            archive.writestr("a.csv", file.read_bytes())
    assert "several files called a.csv" in refused(path)


@pytest.mark.parametrize("name", ["table.csv", "table.xlsx"])
def test_a_spreadsheet_under_any_name_is_refused_as_one(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}))
    assert "a spreadsheet or another office file; save it as CSV" in refused(path)


def test_a_name_that_is_no_utf8_is_refused(folder: Path, other: Path) -> None:
    other.rename(folder / os.fsdecode(b"an\xff.csv"))
    assert r"an\udcff.csv': a name that is no UTF-8; rename it" in refused(folder)
    _, errors = read_files(folder)
    assert len(errors) == 1


def test_a_huge_cell_in_quotes_is_refused_in_its_line(folder: Path) -> None:
    path = folder / "walk.csv"
    lines = path.read_text().splitlines()
    lines[-1] = f'"{"9" * 200_000}",' + lines[-1].partition(",")[2]
    path.write_text("\n".join(lines))
    assert f"line {len(lines)}, column time_s: " in refused(path)


@pytest.mark.parametrize("prefix", ["./", ".\\", "day\\", "../"])
def test_whatever_separates_folders_in_a_zip_it_is_read(
    prefix: str, folder: Path, other: Path
) -> None:
    path = folder.parent / "own.zip"
    files = {
        "walk.csv": (folder / "walk.csv").read_bytes(),
        f"{prefix}rest.csv": other.read_bytes(),
    }
    path.write_bytes(zipped(files))
    expected = prefix.replace("\\", "/").removeprefix("./") + "rest.csv"
    assert set(read_own_recordings(path, 50.0)[1]) == {"walk.csv", expected}


def test_a_zip_next_to_a_folder_of_its_name_that_is_another_is_named(
    folder: Path, other: Path
) -> None:
    walk = (folder / "walk.csv").read_bytes()
    (folder / "day.zip").write_bytes(zipped({"rest.csv": other.read_bytes(), "walk.csv": walk}))
    (folder / "day").mkdir()
    (folder / "walk.csv").rename(folder / "day" / "walk.csv")
    dataset, rates = read_own_recordings(folder, 50.0)
    assert set(rates) == {"day/walk.csv"}
    assert "day.zip: left out, as its folder is there, which has no rest.csv" in dataset.notes[0]
    other.rename(folder / "day" / "rest.csv")
    assert not any("day.zip" in note for note in read_own_recordings(folder, 50.0)[0].notes)

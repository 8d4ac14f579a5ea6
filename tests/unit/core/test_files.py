"""Each writer leaves the old file or the new one, whatever interrupts it."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.core import files
from pipeline.core.errors import ExternalError, InputError
from pipeline.core.files import locked, read_npz, restore, write_npz, write_whole, written_aside

_SPAWN = multiprocessing.get_context("spawn")


def _fill_folder(path: Path, text: str = "new") -> None:
    with written_aside(path) as part:
        part.mkdir()
        for name in ("a", "b"):
            (part / name).write_text(text * 10_000)


WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: write_whole(path, "new" * 10_000),
    "bytes": lambda path: write_whole(path, b"new" * 10_000),
    "npz": lambda path: write_npz(path, {"values": np.arange(10_000)}),
    "folder": _fill_folder,
}
each_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 1000 bytes: the kernel fails the write, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_text_is_utf8_with_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_whole(tmp_path / "deep" / "page", "größer\n")
    assert (tmp_path / "deep" / "page").read_bytes() == "größer\n".encode()
    assert (tmp_path / "deep" / "page").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_equal_arrays_give_equal_bytes_and_come_back(tmp_path: Path) -> None:
    arrays = {"x": np.arange(3.0), "name": np.array("walking")}
    for name in ("one", "two"):
        write_npz(tmp_path / name, arrays)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_npz(tmp_path / "one")["x"].tolist() == [0, 1, 2]
    assert list(read_npz(tmp_path / "one", "name")) == ["name"]


def test_every_damaged_npz_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    write_npz(path, {"x": np.arange(30.0), "y": np.array("walking")})
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        for value in (0, 0xFF, whole[place] ^ 0x10):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                read_npz(path)
            except InputError as error:
                refused += 1
                assert str(error).startswith(f"{path}: damaged (") and "\n" not in str(error)
    assert refused > len(whole)
    with pytest.raises(InputError, match="damaged"):
        read_npz(path, "absent")
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "absent")


@each_writer
def test_a_write_leaves_nothing_else_in_the_folder(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    for _ in range(2):
        write(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("small_files")
@each_writer
def test_a_full_disk_keeps_the_old_and_names_the_file(
    write: Callable[[Path], object], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ExternalError, match=r"out: File too large; name a folder on another disk"):
        write(out)
    assert list(tmp_path.iterdir()) == []
    out.write_text("old")
    with pytest.raises(ExternalError):
        write(out)
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


@each_writer
def test_a_file_in_the_way_is_named(write: Callable[[Path], object], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExternalError, match=r"/file: .*; name another folder"):
        write(tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "target").read_text() == "new"
    assert (tmp_path / "link").is_symlink()


def test_what_the_block_raises_is_raised_and_the_old_stays(tmp_path: Path) -> None:
    _fill_folder(tmp_path / "out", "old")
    with pytest.raises(KeyboardInterrupt), written_aside(tmp_path / "out") as part:
        part.mkdir()
        raise KeyboardInterrupt
    with pytest.raises(FileNotFoundError, match="another"), written_aside(tmp_path / "out"):
        (tmp_path / "another").read_text()  # not about what is written: not this writer's to word
    assert (tmp_path / "out" / "a").read_text().startswith("old")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def _dies_half_way(path: Path, folder: bool) -> None:
    with written_aside(path) as part:
        if folder:
            part.mkdir()
            part = part / "a"
        part.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_run_left_is_said_and_removed(
    folder: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "out"
    write = _fill_folder if folder else WRITERS["text"]
    write(path)
    killed = _SPAWN.Process(target=_dies_half_way, args=(path, folder))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL and (tmp_path / ".out.part").exists()
    write(path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: removed .out.part, which an interrupted run left"
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def _dies_between_the_renames(path: Path) -> None:
    rename = Path.rename

    def deadly(part: Path, target: Path) -> Path:
        if part.name.endswith(".part"):
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(part, target)

    Path.rename = deadly  # type: ignore[assignment, method-assign]
    _fill_folder(path, "new")


@pytest.mark.parametrize("again", [restore, _fill_folder])
def test_a_folder_whose_replacement_was_cut_short_comes_back(
    again: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "out"
    _fill_folder(path, "old")
    killed = _SPAWN.Process(target=_dies_between_the_renames, args=(path,))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL and not path.exists()
    again(path)
    assert (path / "a").read_text().startswith("old" if again is restore else "new")
    assert "restored" in caplog.text
    if again is not restore:
        assert [each.name for each in tmp_path.iterdir()] == ["out"]


def _write_many(path: Path, text: str) -> None:
    for _ in range(20):
        _fill_folder(path, text)


def test_two_processes_that_replace_one_folder_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "out"
    both = [_SPAWN.Process(target=_write_many, args=(path, text)) for text in ("one", "two")]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert (path / "a").read_text() == (path / "b").read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def _hold(path: Path, seconds: float) -> None:
    with locked(path):
        path.with_suffix(".held").touch()
        time.sleep(seconds)


@pytest.mark.parametrize(("patience_s", "lines"), [(0.1, 1), (30.0, 0)])
def test_who_waits_longer_than_a_moment_says_so(
    patience_s: float,
    lines: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(files, "_PATIENCE_S", patience_s)
    path = tmp_path / "out"
    other = _SPAWN.Process(target=_hold, args=(path, 0.5))
    other.start()
    while not path.with_suffix(".held").exists():
        assert other.is_alive()
        time.sleep(0.01)
    said = f"{path}: another run is writing it; waiting for it to end"
    with caplog.at_level(logging.WARNING), locked(path):
        assert caplog.messages == [said] * lines
    other.join(60)
    assert other.exitcode == 0
    assert not (tmp_path / ".out.lock").exists()

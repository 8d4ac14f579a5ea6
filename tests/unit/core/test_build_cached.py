from __future__ import annotations

import multiprocessing
import os
import time
from functools import partial
from pathlib import Path

import pytest

from pipeline.core.errors import ExternalError
from pipeline.core.files import build_cached

_SPAWN = multiprocessing.get_context("spawn")


def _slowly(part: Path, log: Path, text: str = "whole") -> None:
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")
    part.write_text(text[:3])
    time.sleep(0.5)
    part.write_text(text)


def _dies(part: Path, log: Path) -> None:
    log.write_text("begun")
    part.write_text("half")
    time.sleep(0.5)
    os._exit(9)


def _fill(part: Path) -> None:
    part.mkdir()
    (part / "weights").write_text("1 2 3")


def _get(path: Path, log: Path) -> None:
    assert build_cached(path, partial(_slowly, log=log)).read_text() == "whole"


def _get_and_die(path: Path, log: Path) -> None:
    build_cached(path, partial(_dies, log=log))


def _forbidden(_: Path) -> None:
    raise AssertionError("it is there")


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "net.npz"
    build_cached(path, lambda part: path.parent.is_dir() and part.write_text("first"))
    assert build_cached(path, _forbidden).read_text() == "first"


def test_a_folder_can_be_made_too(tmp_path: Path) -> None:
    assert (build_cached(tmp_path / "net", _fill) / "weights").read_text() == "1 2 3"
    build_cached(tmp_path / "net", _forbidden)


def test_two_processes_make_it_once_and_both_see_the_whole(tmp_path: Path) -> None:
    path, log = tmp_path / "net", tmp_path / "log"
    both = [_SPAWN.Process(target=_get, args=(path, log)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(log.read_text().splitlines()) == 1
    assert path.read_text() == "whole"


@pytest.mark.parametrize("folder", [False, True])
def test_when_the_maker_dies_the_next_one_makes_it(tmp_path: Path, folder: bool) -> None:
    path, log = tmp_path / "net", tmp_path / "log"
    doomed = _SPAWN.Process(target=_get_and_die, args=(path, log))
    doomed.start()
    while not log.exists():
        assert doomed.is_alive() or log.exists()
        time.sleep(0.01)
    # Waits for the lock of the maker, which is about to die.
    build_cached(path, _fill if folder else (lambda part: part.write_text("mine") and None))
    doomed.join(120)
    assert doomed.exitcode == 9
    assert path.is_dir() if folder else path.read_text() == "mine"
    assert not list(tmp_path.glob(".net.part*"))


def test_what_a_maker_raises_is_raised_and_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken(part: Path) -> None:
        part.write_text("half")
        raise RuntimeError("no such luck")

    with pytest.raises(RuntimeError, match="no such luck"):
        build_cached(tmp_path / "net", broken)
    assert not (tmp_path / "net").exists()
    assert not list(tmp_path.glob(".net.part*"))
    assert build_cached(tmp_path / "net", lambda part: part.write_text("now") and None).exists()


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExternalError, match=r"file: .*name another folder"):
        build_cached(tmp_path / "file" / "net", _forbidden)

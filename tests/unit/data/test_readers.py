from __future__ import annotations

import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data import Recording, Segment, hapt, watch
from pipeline.data.archives import gunzip, read_tar_member, read_zip_member
from tests.unit.data import fakes


class Evil:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def read_hapt(tmp_path: Path, people: Any) -> tuple[Recording, ...]:
    return hapt.read_hapt(fakes.hapt_archive(tmp_path / "hapt.tar.gz", fakes.dump(people)))


def read_watch(tmp_path: Path, content: Any) -> tuple[Recording, ...]:
    return watch.read_watch(fakes.watch_archive(tmp_path / "watch.whl", content))


# --- what is right is read right


def test_hapt_becomes_recordings_with_people_trials_and_segments(tmp_path: Path) -> None:
    first, second, third = read_hapt(tmp_path, fakes.hapt_people())
    assert [r.session for r in (first, second, third)] == [
        "subject01/trial1",
        "subject01/trial2",
        "subject12/trial1",
    ]
    assert third.subject == "subject12"
    assert first.rate_hz == 50.0
    assert np.array_equal(first.samples, fakes.signal(84, 1).astype(np.float32))
    assert first.segments == (
        Segment(5, 25, "standing"),
        Segment(25, 31, "stand-to-sit"),
        Segment(31, 51, "sitting"),
        Segment(54, 84, "walking"),
    )
    assert third.segments == (Segment(0, 40, "lying"),)


def test_hapt_numbers_mean_what_its_authors_say() -> None:
    assert [hapt.LABELS[n] for n in range(1, 7)] == [
        "walking",
        "upstairs",
        "downstairs",
        "sitting",
        "standing",
        "lying",
    ]
    assert [hapt.LABELS[n] for n in range(7, 13)] == [
        "stand-to-sit",
        "sit-to-stand",
        "sit-to-lie",
        "lie-to-sit",
        "stand-to-lie",
        "lie-to-stand",
    ]


def test_watch_becomes_recordings_with_people_and_arms(tmp_path: Path) -> None:
    made = read_watch(tmp_path, fakes.watch_content())
    assert [(r.subject, r.session, r.segments[0].activity) for r in made] == [
        ("subject01", "subject01/left", "PEN"),
        ("subject01", "subject01/right", "ABD"),
        ("subject10", "subject10/left", "ROW"),
        ("subject10", "subject10/right", "TRAP"),
    ]
    assert np.array_equal(made[2].samples, fakes.signal(32, 2).astype(np.float32))


# --- what is wrong is refused, with its place


def with_nan() -> Any:
    samples = fakes.signal(40)
    samples[3, 5] = np.nan
    return {4: [fakes.frame(samples, [1] * 40)]}


SWAPPED = ("acc-y", "acc-x", *hapt.COLUMNS[2:])
HAPT_REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "list": (lambda: [1, 2], "dictionary"),
    "empty": (dict, "dictionary"),
    "name": (lambda: {"x": []}, "is not a person"),
    "number": (lambda: {1000: []}, "is not a person"),
    "bool": (lambda: {True: []}, "is not a person"),
    "frame": (lambda: {1: [7]}, "person 1, trial 1.*layout"),
    "state": (lambda: {1: [fakes.DataFrame({"_data": 3})]}, "person 1, trial 1.*layout"),
    "columns": (
        lambda: {1: [fakes.frame(fakes.signal(9), [1] * 9, SWAPPED)]},
        "trial 1.*columns.*acc-y",
    ),
    "five columns": (
        lambda: {1: [fakes.frame(fakes.signal(9)[:, :5], [1] * 9, hapt.COLUMNS[1:])]},
        "columns",
    ),
    "sequence": (
        lambda: {1: [fakes.frame(fakes.signal(9), [1] * 9, sequence=np.arange(1, 10))]},
        "sequence",
    ),
    "label": (
        lambda: {3: [fakes.frame(fakes.signal(9), [1] * 8 + [13])]},
        "person 3, trial 1, sample 8.*13",
    ),
    "label 0": (lambda: {3: [fakes.frame(fakes.signal(9), [0] * 9)]}, "sample 0.*number 0"),
    "nan": (with_nan, "person 4, trial 1.*sample 3, column gz"),
    "integers": (
        lambda: {1: [fakes.frame(fakes.signal(9).astype(np.int64), [1] * 9)]},
        "acc-x is int64, not float64",
    ),
    "float32": (
        lambda: {1: [fakes.frame(fakes.signal(9).astype(np.float32), [1] * 9)]},
        "'f4'",
    ),
    "objects": (
        lambda: {1: [fakes.frame(fakes.signal(9).astype(object), [1] * 9)]},
        "layout",
    ),
}


@pytest.mark.parametrize("case", HAPT_REFUSALS)
def test_hapt_refuses_with_file_and_place(tmp_path: Path, case: str) -> None:
    build, reason = HAPT_REFUSALS[case]
    with pytest.raises(InputError, match=rf"hapt\.tar\.gz, member .*HAPT\.pkl\.gz.*{reason}"):
        read_hapt(tmp_path, build())


def changed(name: str, value: Any) -> dict[str, Any]:
    return {**fakes.watch_content(), name: value}


def without(name: str) -> dict[str, Any]:
    content = fakes.watch_content()
    del content[name]
    return content


LAUGHS: list[Any] = ["ha"]
for _ in range(60):
    LAUGHS = [LAUGHS, LAUGHS]

WATCH_REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "list": (lambda: [1], "dictionary"),
    "no side": (lambda: without("side"), "'side'"),
    "columns": (lambda: changed("X_labels", list("abcdef")), "columns"),
    "activities": (lambda: changed("y_labels", ["PEN"]), "activities"),
    "nested names": (lambda: changed("y_labels", LAUGHS), "activities"),
    "label": (lambda: changed("y", np.array([0, 1, 7, 5])), "recording 2: y is 7"),
    "negative": (lambda: changed("y", np.array([0, -1, 6, 5])), "recording 1: y is -1"),
    "side": (lambda: changed("side", np.array([0.0, 0.5, 1.0, 1.0])), "recording 1: side"),
    "nan side": (lambda: changed("side", np.array([0.0, np.nan, 1.0, 1.0])), "recording 1: side"),
    "short": (lambda: changed("y", np.array([0, 1])), "'y'"),
    "object y": (lambda: changed("y", np.array([0, 1, 2, 3], dtype=object)), "'y'"),
    "five columns": (
        lambda: changed("X", [fakes.signal(9)[:, :5]] * 4),
        "recording 0: 5 columns",
    ),
    "not arrays": (lambda: changed("X", [1, 2, 3, 4]), "recording 0"),
    "nan": (lambda: changed("X", [np.full((9, 6), np.nan)] * 4), "recording 0.*not finite"),
}


@pytest.mark.parametrize("case", WATCH_REFUSALS)
def test_watch_refuses_with_file_and_place(tmp_path: Path, case: str) -> None:
    build, reason = WATCH_REFUSALS[case]
    with pytest.raises(InputError, match=rf"watch\.whl, member .*watch_dataset\.npy.*{reason}"):
        read_watch(tmp_path, build())


def test_neither_reader_runs_what_a_pickle_asks_for(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    evil = Evil(f"touch {trace}")
    with pytest.raises(InputError, match=r"HAPT\.pkl\.gz.*system"):
        hapt.read_hapt(fakes.hapt_archive(tmp_path / "a", pickle.dumps({1: [evil]})))
    with pytest.raises(InputError, match=r"watch_dataset\.npy.*system"):
        read_watch(tmp_path, evil)
    assert not trace.exists()


def test_pandas_classes_are_no_way_in(tmp_path: Path) -> None:
    for data in (
        b"ccopy_reg\n_reconstructor\n(cpandas.core.indexes.base\nIndex\nNNtR.",
        b"cpandas.core.indexes.base\n_new_Index\n(cpandas.core.frame\nDataFrame\n}tR.",
        b"ccopy_reg\n_reconstructor\n(c_codecs\nencode\nNNtR.",
        b"cpandas.io.common\nget_handle\n.",
    ):
        with pytest.raises(InputError, match="refused"):
            hapt.read_hapt(fakes.hapt_archive(tmp_path / "hapt.tar.gz", data))


# --- damaged archives


def test_a_missing_member_is_named(tmp_path: Path) -> None:
    path = fakes.hapt_archive(tmp_path / "a", b"", member="something/else")
    with pytest.raises(InputError, match=r"HAPT\.pkl\.gz.*no such member"):
        hapt.read_hapt(path)
    path = fakes.watch_archive(tmp_path / "b", {}, member="something/else")
    with pytest.raises(InputError, match=r"watch_dataset\.npy.*no such member"):
        watch.read_watch(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_a_member_that_is_a_link_or_a_folder_is_not_followed(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("m")
        info.type = kind
        info.linkname = "/etc/hostname"
        archive.addfile(info)
    with pytest.raises(InputError, match="not a regular file"):
        read_tar_member(path, "m", 100)


def test_members_longer_than_their_bound_are_refused(tmp_path: Path) -> None:
    bomb = fakes.hapt_archive(tmp_path / "a.tar.gz", b"\0" * 100_000)
    compressed = read_tar_member(bomb, hapt.MEMBER, 10_000)
    with pytest.raises(InputError, match="longer than 50000"):
        gunzip(compressed, 50_000, "x")
    with pytest.raises(InputError, match="longer than 10 "):
        read_tar_member(bomb, hapt.MEMBER, 10)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m", b"\0" * 100_000)
    with pytest.raises(InputError, match="longer than 50000"):
        read_zip_member(tmp_path / "b.zip", "m", 50_000)


def good_archive(path: Path, name: str) -> tuple[Path, Callable[[Path], tuple[Recording, ...]]]:
    if name == "hapt":
        return fakes.hapt_archive(path, fakes.dump(fakes.hapt_people())), hapt.read_hapt
    return fakes.watch_archive(path, fakes.watch_content()), watch.read_watch


@pytest.mark.parametrize("name", ["hapt", "watch"])
def test_cut_archives_are_refused(tmp_path: Path, name: str) -> None:
    path, read = good_archive(tmp_path / "archive", name)
    data = path.read_bytes()
    for share in range(20):
        path.write_bytes(data[: len(data) * share // 20])
        with pytest.raises(InputError, match="archive, member"):
            read(path)


@pytest.mark.parametrize("name", ["hapt", "watch"])
def test_flipped_bits_are_refused_or_change_nothing(tmp_path: Path, name: str) -> None:
    path, read = good_archive(tmp_path / "archive", name)
    data = path.read_bytes()
    good = read(path)
    random = np.random.default_rng(1)
    for position, bit in zip(
        random.integers(0, len(data), 150), random.integers(0, 8, 150), strict=True
    ):
        broken = bytearray(data)
        broken[position] ^= 1 << bit
        path.write_bytes(broken)
        try:
            found = read(path)
        except InputError:
            continue
        for before, after in zip(good, found, strict=True):
            assert np.array_equal(before.samples, after.samples)
            assert before.segments == after.segments


def test_a_file_that_is_not_there_is_no_bad_archive(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        hapt.read_hapt(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        watch.read_watch(tmp_path / "none")

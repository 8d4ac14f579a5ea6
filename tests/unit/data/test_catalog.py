from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import ExternalError, InputError
from pipeline.data import (
    Dataset,
    catalog,
    dataset_names,
    describe,
    fetch_dataset,
    fetching,
    hapt,
    list_sources,
    load_dataset,
)
from pipeline.data.cache import cache_directory, load_recordings, save_recordings
from tests.unit.data import fakes


class Network:
    """Stands in for the download: copies an archive, counts, or fails."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.calls = 0
        self.down = False

    def download(self, _source: object, target: Path, advance: Callable[[int], None]) -> None:
        if self.down:
            raise ExternalError("no network")
        self.calls += 1
        shutil.copy(self.archive, target)
        advance(target.stat().st_size)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    """A small HAPT as the pinned one, an empty cache, and a network that is counted."""
    archive = fakes.hapt_archive(tmp_path / "small.tar.gz", fakes.dump(fakes.hapt_people()))
    made = Network(archive)
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(catalog.SOURCES, "hapt", fakes.pinned(hapt.SOURCE, archive))
    monkeypatch.setattr(fetching, "download", made.download)
    return made


def same(one: Dataset, other: Dataset) -> bool:
    return all(
        np.array_equal(a.samples, b.samples)
        and (a.segments, a.subject, a.session, a.source, a.rate_hz)
        == (b.segments, b.subject, b.session, b.source, b.rate_hz)
        for a, b in zip(one.recordings, other.recordings, strict=True)
    )


def test_it_is_fetched_once_and_then_works_offline(network: Network) -> None:
    first = load_dataset("hapt", progress=False)
    network.down = True
    assert same(first, load_dataset("hapt", progress=False))
    assert network.calls == 1
    assert first.subjects == ("subject01", "subject12")
    assert first.activities == hapt.ACTIVITIES
    assert "CC BY 4.0" in first.terms
    assert "non-commercial" in first.terms


def test_a_lost_conversion_is_made_anew_from_the_archive_without_the_network(
    network: Network,
) -> None:
    first = load_dataset("hapt", progress=False)
    network.down = True
    (cache_directory() / "hapt.npz").unlink()
    assert same(first, load_dataset("hapt", progress=False))
    assert (cache_directory() / "hapt.npz").exists()


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "pickle", "other archive", "format"])
def test_a_damaged_conversion_is_noticed_and_made_anew(
    network: Network, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = load_dataset("hapt", progress=False)
    network.down = True
    path = cache_directory() / "hapt.npz"
    data = path.read_bytes()
    if damage == "pickle":
        np.savez(path, sha256=np.array([{"x": 1}], dtype=object))
    elif damage == "other archive":
        save_recordings(path, first.recordings, "0" * 64)
    elif damage == "format":
        with np.load(path) as stored:
            arrays = dict(stored)
        arrays["format_version"] = np.array(99)
        np.savez(path, **arrays)
    else:
        path.write_bytes({"empty": b"", "text": b"hello", "cut": data[: len(data) // 2]}[damage])
    assert same(first, load_dataset("hapt", progress=True))
    assert "making it again" in capsys.readouterr().err
    assert path.read_bytes() == data


def test_flipped_bits_in_a_conversion_are_noticed_or_change_nothing(network: Network) -> None:
    first = load_dataset("hapt", progress=False)
    path = cache_directory() / "hapt.npz"
    data = path.read_bytes()
    random = np.random.default_rng(2)
    for position in random.integers(0, len(data), 200):
        broken = bytearray(data)
        broken[position] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(broken)
        try:
            found = load_recordings(path, catalog.SOURCES["hapt"].sha256)
        except InputError:
            continue
        for before, after in zip(first.recordings, found, strict=True):
            assert np.array_equal(before.samples, after.samples)
            assert before.segments == after.segments
    assert network.calls == 1


def test_a_tampered_archive_in_the_cache_is_fetched_again(
    network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = catalog.archive_path(catalog.find_source("hapt"))
    archive.parent.mkdir()
    archive.write_bytes(b"tampered")
    load_dataset("hapt", progress=True)
    assert network.calls == 1
    assert "fetching it again" in capsys.readouterr().err


def test_a_tampered_archive_without_the_network_is_refused_and_left_alone(
    network: Network,
) -> None:
    network.down = True
    archive = catalog.archive_path(catalog.find_source("hapt"))
    archive.parent.mkdir()
    archive.write_bytes(b"tampered")
    with pytest.raises(InputError, match=r"small\.tar\.gz: its SHA-256 is .*no network"):
        load_dataset("hapt", progress=False)
    assert archive.read_bytes() == b"tampered"


def test_nothing_half_written_is_left_when_the_disk_is_full(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(ExternalError, match=r"No space left.*HAR_CACHE"):
        load_dataset("hapt", progress=False)
    assert sorted(p.name for p in cache_directory().iterdir()) == ["small.tar.gz"]
    assert network.calls == 1


def test_a_cache_that_cannot_be_made_is_a_failure_of_the_world(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ExternalError, match="HAR_CACHE"):
        load_dataset("hapt", progress=False)
    assert network.calls == 0


def test_names_and_sources(network: Network) -> None:
    assert dataset_names() == ("hapt", "watch")
    with pytest.raises(InputError, match=r"'pamap'.*hapt, watch"):
        load_dataset("pamap")
    before = {row["name"]: row["cached"] for row in list_sources()}
    result = fetch_dataset("hapt", progress=False)
    after = {row["name"]: row["cached"] for row in list_sources()}
    assert (before["hapt"], after["hapt"]) == (False, True)
    assert result["recordings"] == 3
    assert Path(result["converted"]).is_file()
    assert network.calls == 1


def test_describe_counts_people_minutes_and_windows(network: Network) -> None:
    document = describe(load_dataset("hapt", progress=False), length=10, hop=5)
    assert document["subjects"] == ["subject01", "subject12"]
    assert document["recordings"] == document["sessions"] == 3
    assert document["samples"] == 208
    rows = {row["name"]: row for row in document["activities"]}
    assert list(rows) == list(hapt.ACTIVITIES)
    assert rows["walking"] == {"name": "walking", "subjects": 1, "minutes": 0.02, "windows": 10}
    assert rows["lying"]["windows"] == 7
    assert rows["upstairs"] == {"name": "upstairs", "subjects": 0, "minutes": 0.0, "windows": 0}
    assert [row["name"] for row in document["other_activities"]] == ["stand-to-sit"]
    assert document["window"]["count"] == sum(row["windows"] for row in document["activities"])
    assert network.calls == 1


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("requests", "rich", "urllib3", "pandas", "scipy", "tensorflow", "matplotlib", "typer")
    code = f"import sys, pipeline.data; print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert answer.stdout.strip() == "[]"

"""What the real data must show. Fetches both data sets (30 MB) the first time."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data import Dataset, describe, load_dataset, make_windows, split_subjects
from pipeline.data.importers import IMPORTERS, Given, open_tree
from pipeline.data.imports import renamed
from pipeline.data.plausibility import (
    check_gravity,
    check_rotation,
    check_turning_gravity,
    turning_gravity,
)
from pipeline.data.recording import Recording
from pipeline.data.vocabulary import TRANSITIONS, canonical
from tests.support.foreign_data import write_hapt, write_ucihar

PARTS = ("train", "test")


@pytest.fixture(scope="module")
def hapt() -> Dataset:
    return load_dataset("hapt", progress=False)


@pytest.fixture(scope="module")
def watch() -> Dataset:
    return load_dataset("watch", progress=False)


def read_from(folder: Path, name: str) -> tuple[Recording, ...]:
    importer = IMPORTERS[name]
    with open_tree(folder, importer.anchor, importer.expects) as tree:
        return importer.read(tree, Given()).recordings


def test_hapt_is_complete(hapt: Dataset) -> None:
    document = describe(hapt)
    assert (len(hapt.subjects), document["recordings"]) == (30, 61)
    assert document["samples"] == 1_122_772
    assert document["minutes"] == pytest.approx(374.3, abs=0.1)
    minutes = sum(row["minutes"] for row in document["activities"])
    assert minutes == pytest.approx(249.5, abs=0.5)
    assert min(row["subjects"] for row in document["activities"]) == 30


def test_hapt_is_in_g_with_gravity(hapt: Dataset) -> None:
    at_rest = [check_gravity([(r.samples, r.rate_hz)], r.session) for r in hapt.recordings]
    assert 0.95 < min(at_rest) < max(at_rest) < 1.1


def test_hapt_labels_fit_how_bodies_move(hapt: Dataset) -> None:
    """Upright, gravity lies along x (the phone on the waist); lying, it does not; stairs shake."""
    windows = make_windows(hapt.recordings, hapt.activities)
    gravity_x = windows.x[:, :, 0].mean(axis=1)
    motion = np.linalg.norm(windows.x[:, :, :3], axis=2).std(axis=1)
    by_name = {name: windows.y == i for i, name in enumerate(hapt.activities)}
    for name in ("walking", "upstairs", "downstairs", "sitting", "standing"):
        assert np.median(gravity_x[by_name[name]]) > 0.9
    assert abs(np.median(gravity_x[by_name["lying"]])) < 0.2
    shake = {name: float(np.median(motion[mask])) for name, mask in by_name.items()}
    assert max(shake[name] for name in ("sitting", "standing", "lying")) < 0.05
    assert min(shake[name] for name in ("walking", "upstairs")) > 0.1
    assert shake["downstairs"] > 1.2 * max(shake["walking"], shake["upstairs"])


def test_hapt_gyroscope_turns_gravity_as_physics_says(hapt: Dataset) -> None:
    """Where people change posture, gravity in the body's frame obeys da/dt = -w x a.

    The slope between the two sides is 1 if rate, units and signs are right (deg/s would give 1/57),
    and only the true order of the axes explains the turn.
    """
    turning, rotation, gravity = [], [], []
    kernel = np.ones(15) / 15
    for recording in hapt.recordings:
        for segment in recording.segments:
            if segment.activity in hapt.activities:
                continue
            values = recording.samples[segment.start : segment.stop].astype(np.float64)
            smooth = np.stack([np.convolve(c, kernel, "valid") for c in values.T], axis=1)
            turning.append((smooth[2:, :3] - smooth[:-2, :3]) * recording.rate_hz / 2)
            gravity.append(smooth[1:-1, :3])
            rotation.append(smooth[1:-1, 3:])
    measured, a, w = (np.concatenate(part) for part in (turning, gravity, rotation))

    def explained(axes: tuple[int, ...]) -> tuple[float, float]:
        expected = -np.cross(w[:, axes], a)
        slope = float((expected * measured).sum() / (expected**2).sum())
        return slope, float(np.corrcoef(expected.ravel(), measured.ravel())[0, 1])

    slope, correlation = explained((0, 1, 2))
    assert slope == pytest.approx(1.0, abs=0.1)
    assert correlation > 0.7  # the rest is the body's own acceleration
    others = [axes for axes in itertools.permutations(range(3)) if axes != (0, 1, 2)]
    assert max(explained(axes)[1] for axes in others) < 0.4


def test_hapt_official_split_tests_on_nine_people(hapt: Dataset) -> None:
    split = split_subjects(hapt)
    windows = make_windows(hapt.recordings, hapt.activities)
    assert len(windows) == 10_411
    assert len(windows.for_subjects(split.test)) == 2_996
    parts = (split.train, split.validation, split.test)
    assert sum(len(windows.for_subjects(part)) for part in parts) == len(windows)


def test_watch_is_complete_and_in_g(watch: Dataset) -> None:
    document = describe(watch)
    assert (len(watch.subjects), document["recordings"], document["sessions"]) == (10, 140, 20)
    assert document["samples"] == 244_102
    size = np.concatenate([np.linalg.norm(r.samples[:, :3], axis=1) for r in watch.recordings])
    assert 0.9 < float(np.median(size)) < 1.1


def test_hapt_in_its_authors_form_imports_as_what_is_fetched(hapt: Dataset, tmp_path: Path) -> None:
    """Two people written as the original text files and imported give the same numbers."""
    people = ("subject01", "subject03")
    own = [recording for recording in hapt.recordings if recording.subject in people]
    names = (*hapt.activities, *TRANSITIONS)
    folder = write_hapt(
        tmp_path,
        [(n, int(r.subject[-2:]), r.samples) for n, r in enumerate(own, start=1)],
        [
            (n, int(r.subject[-2:]), names.index(s.activity) + 1, s.start + 1, s.stop)
            for n, r in enumerate(own, start=1)
            for s in r.segments
        ],
    )
    result = read_from(folder, "hapt")
    found = [renamed(r, {s.activity: canonical(s.activity) for s in r.segments}) for r in result]
    assert [(r.session, r.segments) for r in found] == [(r.session, r.segments) for r in own]
    for one, other in zip(found, own, strict=True):
        assert np.array_equal(one.samples, other.samples)


def test_hapt_rows_as_uci_har_publishes_them_come_back_whole(hapt: Dataset, tmp_path: Path) -> None:
    (recording, *_) = hapt.recordings
    long = [s for s in recording.segments if s.activity == "walking" and len(s) >= 320]
    stretches = [recording.samples[s.start : s.start + len(s) // 64 * 64] for s in long]
    folder = write_ucihar(tmp_path, [(part, 1, 1, x) for x in stretches for part in PARTS])
    found = read_from(folder, "ucihar")
    assert [len(r.samples) for r in found] == [len(x) for x in stretches] * 2
    for one, other in zip(found, stretches * 2, strict=True):
        np.testing.assert_allclose(one.samples, other, atol=2e-7, rtol=1e-6)


def test_turning_gravity_tells_degrees_and_a_wrong_rate_on_real_people(hapt: Dataset) -> None:
    official = split_subjects(hapt).test
    own = [r for r in hapt.recordings if r.subject not in official]
    found = turning_gravity([(r.samples, r.rate_hz) for r in own])
    assert found.factor == pytest.approx(1.0, abs=0.02)
    assert found.correlation > 0.8
    degrees = np.array([1] * 3 + [180 / np.pi] * 3, np.float32)
    for recording in own[::6]:
        assert turning_gravity([(recording.samples, 50.0)]).may_be(1.0)
        assert not turning_gravity([(recording.samples * degrees, 50.0)]).may_be(1.0)
        check_rotation(recording.samples, 50.0, "x")
        with pytest.raises(InputError, match="deg/s"):
            check_rotation(recording.samples * degrees, 50.0, "x")
    with pytest.raises(InputError, match="the rate"):
        check_turning_gravity([(r.samples, 100.0) for r in own], "x", strict=True)
    with pytest.raises(InputError, match="the rate"):
        check_turning_gravity([(r.samples, 25.0) for r in own], "x", strict=True)

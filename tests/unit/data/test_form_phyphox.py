"""Exports of phyphox: two sensors become one recording, whatever separates columns and decimals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.data import import_dataset, load_dataset
from pipeline.data.importers import Given, Reading
from pipeline.data.imports import read_own_recordings
from tests.support import foreign_data as made
from tests.support.own_forms import (
    cell,
    edit,
    read_form,
    refusal,
    write_phyphox,
    write_sensor_logger,
)

FORM = "phyphox"
SAMPLES = made.motion(20, 200, "walking", 3)


def assert_is(reading: Reading, samples: np.ndarray = SAMPLES) -> None:
    (recording,) = reading.recordings
    assert (len(recording.samples), recording.rate_hz) == (len(samples), 200.0)
    np.testing.assert_allclose(recording.samples, samples, atol=1e-6)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("delimiter", "comma"), [(",", False), ("\t", False), ("\t", True), (";", False), (";", True)]
)
def test_every_way_to_export_reads_the_same(
    tmp_path: Path, delimiter: str, comma: bool, together: bool
) -> None:
    folder = write_phyphox(
        tmp_path / "walk", SAMPLES, delimiter=delimiter, comma=comma, together=together
    )
    reading = read_form(FORM, folder, activity="walking", subject="anna")
    assert_is(reading)
    (recording,) = reading.recordings
    assert [(s.start, s.stop, s.activity) for s in recording.segments] == [(0, 4000, "walking")]
    assert recording.subject == "anna"
    assert recording.source == ("Raw Data.csv" if together else "walk")


def test_a_zip_reads_the_same(tmp_path: Path) -> None:
    folder = write_phyphox(tmp_path / "walk", SAMPLES)
    path = made.zipped(folder, tmp_path / "Walk 2024-05-01.zip")
    reading = read_form(FORM, path, activity="walking")
    assert_is(reading)
    assert reading.recordings[0].subject == "Walk 2024-05-01"


def test_sensors_at_other_times_are_joined_at_the_higher_rate(tmp_path: Path) -> None:
    times = 0.009 + np.arange(4000) / 200
    samples = np.zeros((4000, 6))
    samples[:, 0] = 1.0
    samples[:, 1] = 0.2 * np.sin(3 * times)
    samples[:, 3:] = np.sin(times)[:, None] * [0.5, 1.0, 1.5]
    others = np.arange(0.5031, 18.0, 1 / 100)
    folder = write_phyphox(tmp_path / "walk", samples, gyroscope_times=others)
    reading = read_form(FORM, folder, activity="walking")
    (recording,) = reading.recordings
    assert recording.rate_hz == 200.0
    at = others[0] + np.arange(len(recording.samples)) / 200
    assert others[-1] - 0.0051 < at[-1] <= others[-1] + 1e-6
    expected = np.sin(at)[:, None] * [0.5, 1.0, 1.5]
    np.testing.assert_allclose(recording.samples[:, 3:], expected, atol=1e-4)
    np.testing.assert_allclose(recording.samples[:, 1], 0.2 * np.sin(3 * at), atol=1e-4)
    assert any("without the other sensors are left out" in w for w in reading.warnings)


def test_several_recordings_become_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    write_phyphox(tmp_path / "all" / "one", SAMPLES)
    write_phyphox(tmp_path / "all" / "two", SAMPLES[:2000] * [1, 1, 1, 0.9, 1, 1])
    write_phyphox(tmp_path / "all" / "three", SAMPLES[2000:], together=True)
    given = Given(subject="anna", activity="walking")
    import_dataset(FORM, tmp_path / "all", name="phone", rate_hz=200.0, given=given)
    dataset = load_dataset("phone", progress=False)
    found = {recording.source: len(recording.samples) for recording in dataset.recordings}
    assert found == {"one": 4000, "two": 2000, "three/Raw Data.csv": 2000}
    assert (dataset.subjects, dataset.activities) == (("anna",), ("walking",))


def test_it_is_recognised_beside_other_apps_with_files_of_the_same_names(tmp_path: Path) -> None:
    write_phyphox(tmp_path / "a", SAMPLES)
    write_sensor_logger(tmp_path / "b", made.motion(10, 100), annotations=[(0.0, "sitting")])
    dataset, rates = read_own_recordings(tmp_path, 100.0)
    assert rates == {"a": 200.0, "b": 100.0}
    assert [len(each.samples) for each in dataset.recordings] == [2000, 1000]
    assert any("give --activity NAME" in note for note in dataset.notes)


def test_a_gap_cuts(tmp_path: Path) -> None:
    folder = write_phyphox(tmp_path / "walk", SAMPLES)
    edit(folder / "Accelerometer.csv", lambda lines: lines[:1001] + lines[1301:])
    reading = read_form(FORM, folder, activity="walking")
    assert [len(each.samples) for each in reading.recordings] == [1000, 2700]
    np.testing.assert_allclose(reading.recordings[1].samples, SAMPLES[1300:], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("Gyroscope.csv", cell(9, 3, "NaN"), "line 9, column Gyroscope z (rad/s): NaN"),
        ("Gyroscope.csv", cell(9, 3, ""), "line 9, column Gyroscope z (rad/s): ''"),
        ("Gyroscope.csv", cell(9, 0, "0.0"), "line 9: Time (s) does not increase"),
        ("Gyroscope.csv", cell(1, 3, '"Gyroscope y (rad/s)"'), "expected a time and x, y and z"),
        ("Gyroscope.csv", cell(1, 3, '"Gyroscope z (deg/s)"'), "in one unit"),
        ("Gyroscope.csv", lambda lines: lines[:1], "0 samples"),
        ("Gyroscope.csv", lambda lines: [*lines[:-1], lines[-1][:20]], "columns; expected 4"),
        ("Accelerometer.csv", cell(9, 1, "1e30"), "line 9, column Acceleration x (m/s^2): 1e30"),
        ("Accelerometer.csv", cell(9, 1, "fast"), "'fast' is not a number"),
        (
            "Accelerometer.csv",
            lambda lines: [lines[0].replace("m/s^2", "furlong"), *lines[1:]],
            "unit 'furlong': there are g, m/s2, mg",
        ),
        (
            "Accelerometer.csv",
            lambda lines: [lines[0].replace("m/s^2", "g"), *lines[1:]],
            "it looks like m/s2",
        ),
    ],
)
def test_damage_is_refused_with_file_and_line(
    tmp_path: Path, name: str, change: Callable[[list[str]], list[str]], words: str
) -> None:
    folder = write_phyphox(tmp_path / "walk", SAMPLES[:400])
    edit(folder / name, change)
    assert words in refusal(FORM, folder, activity="walking")


def test_acceleration_without_gravity_is_refused(tmp_path: Path) -> None:
    for together in (False, True):
        path = write_phyphox(tmp_path / f"w{together}", SAMPLES, linear=True, together=together)
        message = refusal(FORM, path)
        assert "gravity was taken out of it (Linear Acceleration" in message
        assert "Accelerometer and Gyroscope in phyphox" in message


@pytest.mark.parametrize(
    ("name", "what"), [("Gyroscope.csv", "gyroscope"), ("Accelerometer.csv", "acceleration")]
)
def test_a_missing_sensor_is_named(tmp_path: Path, name: str, what: str) -> None:
    folder = write_phyphox(tmp_path / "walk", SAMPLES)
    (folder / name).unlink()
    assert f"no {what} in it; give the whole folder or zip" in refusal(FORM, folder)


def test_two_recordings_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder = write_phyphox(tmp_path / "walk", SAMPLES)
    (folder / "Raw Data.csv").write_bytes((folder / "Accelerometer.csv").read_bytes())
    message = refusal(FORM, folder)
    assert "acceleration in Accelerometer.csv and in Raw Data.csv" in message


def test_the_same_recording_twice_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_phyphox(tmp_path / "all" / name, SAMPLES)
    assert "the same file as one/" in refusal(FORM, tmp_path / "all", activity="walking")

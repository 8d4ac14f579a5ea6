"""Recordings of Sensor Logger: a folder or zip is one recording, in the right signs and units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data import import_dataset, load_dataset
from pipeline.data.importers import Given, Reading
from pipeline.data.imports import read_own_recordings
from tests.support import foreign_data as made
from tests.support.own_forms import cell, edit, read_form, refusal, write_sensor_logger

FORM = "sensor-logger"
SAMPLES = made.motion(30, 100, "walking", 3)
WALK = [(0.0, "walking")]


def assert_is(reading: Reading, samples: np.ndarray, rate_hz: float = 100.0) -> None:
    (recording,) = reading.recordings
    assert (len(recording.samples), recording.rate_hz) == (len(samples), rate_hz)
    np.testing.assert_allclose(recording.samples, samples, atol=2e-6)


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize(
    ("platform", "standardisation"),
    [("android", "false"), ("android", None), ("ios", "true"), ("ios", "false"), ("ios", None)],
)
def test_every_phone_gives_what_an_accelerometer_reads(
    tmp_path: Path, platform: str, standardisation: str | None, total: bool
) -> None:
    folder = write_sensor_logger(
        tmp_path / "walk",
        SAMPLES,
        platform=platform,
        standardisation=standardisation,
        total=total,
        annotations=WALK,
    )
    reading = read_form(FORM, folder)
    assert_is(reading, SAMPLES)
    negated = any("acceleration is negated" in warning for warning in reading.warnings)
    assert negated == (platform == "ios" and standardisation != "true")


def test_sensors_with_the_same_times_are_taken_sample_for_sample(tmp_path: Path) -> None:
    (recording,) = read_form(
        FORM, write_sensor_logger(tmp_path / "w", SAMPLES, annotations=WALK)
    ).recordings
    gravity = (SAMPLES[:, :3] * made.G * (1 / made.G)).astype(np.float32)
    np.testing.assert_array_equal(recording.samples[:, :3], gravity)
    np.testing.assert_array_equal(recording.samples[:, 3:], SAMPLES[:, 3:].astype(np.float32))


def test_sensors_at_other_times_are_joined_over_what_they_have_in_common(tmp_path: Path) -> None:
    """A slow sine, so that linear interpolation is exact enough to tell a shift by one sample."""
    times = 0.25 + np.arange(3000) / 100
    samples = np.zeros((3000, 6))
    samples[:, 0] = 1.0
    samples[:, 1] = 0.2 * np.sin(3 * times)
    samples[:, 3:] = np.sin(times)[:, None] * [0.5, 1.0, 1.5]
    others = np.arange(2.003, 28.0, 1 / 52)
    folder = write_sensor_logger(
        tmp_path / "a", samples, gyroscope_times=others, annotations=[(10.0, "a")]
    )
    reading = read_form(FORM, folder)
    (recording,) = reading.recordings
    assert recording.rate_hz == 100.0
    at = others[0] + np.arange(len(recording.samples)) / 100
    assert others[-1] - 0.011 < at[-1] <= others[-1] + 1e-6
    expected = np.sin(at)[:, None] * [0.5, 1.0, 1.5]
    np.testing.assert_allclose(recording.samples[:, 3:], expected, atol=1e-3)
    (segment,) = recording.segments
    assert (segment.start, segment.stop) == (np.searchsorted(at, 10.0), len(at))
    assert any("4.0 s without the other sensors are left out" in w for w in reading.warnings)


def test_annotations_label_from_their_moment_to_the_next(tmp_path: Path) -> None:
    annotations = [(5.25, "Walking"), (15.25, ""), (20.25, "stairs up")]
    folder = write_sensor_logger(tmp_path / "a", SAMPLES, annotations=annotations)
    (recording,) = read_form(FORM, folder, activity="ignored").recordings
    found = [(s.start, s.stop, s.activity) for s in recording.segments]
    assert found == [(500, 1500, "Walking"), (2000, 3000, "stairs up")]


def test_without_annotations_the_user_says_or_it_stays_unlabelled(tmp_path: Path) -> None:
    folder = write_sensor_logger(tmp_path / "rec", SAMPLES)
    (recording,) = read_form(FORM, folder, activity="walking", subject="anna").recordings
    assert [(s.start, s.stop, s.activity) for s in recording.segments] == [(0, 3000, "walking")]
    assert (recording.subject, recording.session, recording.source) == ("anna", "rec", "rec")
    reading = read_form(FORM, folder)
    assert reading.recordings[0].segments == () and reading.recordings[0].subject == "rec"
    assert any("give --activity NAME" in warning for warning in reading.warnings)


def test_a_zip_and_a_folder_of_folders_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    one = write_sensor_logger(tmp_path / "all" / "one", SAMPLES, annotations=WALK)
    other = made.motion(20, 100, "walking", 4)
    write_sensor_logger(tmp_path / "all" / "two", other, annotations=WALK)
    zipped = made.zipped(one, tmp_path / "Walk-2024.01.zip")
    assert_is(read_form(FORM, zipped), SAMPLES)
    assert read_form(FORM, zipped).recordings[0].source == "Walk-2024.01"
    for path in (tmp_path / "all", made.zipped(tmp_path / "all", tmp_path / "all.zip")):
        dataset, rates = read_own_recordings(path, 100.0)
        assert rates == {"one": 100.0, "two": 100.0}
        assert [len(each.samples) for each in dataset.recordings] == [3000, 2000]
        assert any("2 files name no subject" in note for note in dataset.notes)
    given = Given(subject="anna")
    import_dataset(FORM, tmp_path / "all", name="phone", rate_hz=100.0, given=given)
    dataset = load_dataset("phone", progress=False)
    assert (dataset.subjects, dataset.activities) == (("anna",), ("walking",))
    assert [len(each.samples) for each in dataset.recordings] == [3000, 2000]


def test_a_folder_of_the_zips_that_phones_send_is_read_and_an_unpacked_one_once(
    tmp_path: Path,
) -> None:
    for number, name in enumerate(("one", "two")):
        samples = made.motion(10, 100, "walking", number)
        made.zipped(
            write_sensor_logger(tmp_path / "raw" / name, samples, annotations=WALK),
            tmp_path / "raw" / f"{name}.zip",
        )
    (tmp_path / "zips").mkdir()
    for name in ("one.zip", "two.zip"):
        (tmp_path / "raw" / name).rename(tmp_path / "zips" / name)
    unpacked, _ = read_own(tmp_path / "raw")
    assert read_own(tmp_path / "zips") == (unpacked, ["one", "two"])
    (tmp_path / "raw" / "one").rename(tmp_path / "zips" / "one")
    assert read_own(tmp_path / "zips") == (unpacked, ["one", "two"])
    reading = read_form(FORM, tmp_path / "zips")
    assert [recording.source for recording in reading.recordings] == ["one", "two"]


def test_a_zip_cut_short_in_a_folder_is_named(tmp_path: Path) -> None:
    folder = write_sensor_logger(tmp_path / "raw", SAMPLES[:300], annotations=WALK)
    (tmp_path / "zips").mkdir()
    path = made.zipped(folder, tmp_path / "zips" / "one.zip")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"one\.zip: no readable zip, perhaps cut short"):
        read_own_recordings(tmp_path / "zips", 100.0)


def read_own(path: Path) -> tuple[list[bytes], list[str]]:
    """Samples and sources of what `har train --data` reads."""
    recordings = read_own_recordings(path, 100.0)[0].recordings
    return [each.samples.tobytes() for each in recordings], [each.source for each in recordings]


def test_it_is_recognised_beside_other_forms(tmp_path: Path) -> None:
    write_sensor_logger(tmp_path / "phone", SAMPLES, annotations=WALK)
    made.write_own(tmp_path / "a.csv", made.motion(10, 100, "walking"), ["walking"] * 1000, 100.0)
    dataset, rates = read_own_recordings(tmp_path, 100.0)
    assert rates == {"a.csv": 100.0, "phone": 100.0}
    assert [len(each.samples) for each in dataset.recordings] == [1000, 3000]


def test_the_same_recording_twice_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sensor_logger(tmp_path / "all" / name, SAMPLES, annotations=WALK)
    assert "the same file as one/" in refusal(FORM, tmp_path / "all")


def test_a_gap_in_one_sensor_cuts(tmp_path: Path) -> None:
    folder = write_sensor_logger(tmp_path / "a", SAMPLES, annotations=WALK)
    edit(folder / "Gyroscope.csv", lambda lines: lines[:1001] + lines[1501:])
    reading = read_form(FORM, folder)
    assert [len(each.samples) for each in reading.recordings] == [1000, 1500]
    np.testing.assert_allclose(reading.recordings[1].samples, SAMPLES[1500:], atol=1e-6)
    assert any("Gyroscope.csv: 1 gaps in time" in warning for warning in reading.warnings)


def test_lines_that_the_app_wrote_twice_are_dropped(tmp_path: Path) -> None:
    folder = write_sensor_logger(tmp_path / "a", SAMPLES, annotations=WALK)
    edit(folder / "Gyroscope.csv", lambda lines: [*lines[:9], lines[8], *lines[9:]])
    reading = read_form(FORM, folder)
    assert_is(reading, SAMPLES)
    assert any("1 lines that repeat" in warning for warning in reading.warnings)


def test_no_metadata_is_taken_as_android_and_said(tmp_path: Path) -> None:
    folder = write_sensor_logger(tmp_path / "a", SAMPLES, annotations=WALK)
    (folder / "Metadata.csv").unlink()
    reading = read_form(FORM, folder)
    assert_is(reading, SAMPLES)
    assert any("no Metadata.csv that says Android or iOS" in w for w in reading.warnings)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("Gyroscope.csv", cell(9, 4, "nan"), "line 9, column x: nan is no usable number"),
        ("Gyroscope.csv", cell(9, 2, ""), "line 9, column z: '' is not a number"),
        ("Gyroscope.csv", cell(9, 1, "0"), "line 9: seconds_elapsed does not increase"),
        ("Gyroscope.csv", cell(1, 4, "w"), "line 1: no column x"),
        ("Gyroscope.csv", lambda lines: lines[:1], "0 samples"),
        ("Gyroscope.csv", lambda lines: [*lines[:-1], lines[-1][:15]], "1 columns; expected 5"),
        ("TotalAcceleration.csv", cell(9, 3, "1e80"), "line 9, column y: 1e80"),
        ("TotalAcceleration.csv", cell(1, 1, "elapsed"), "line 1: no column seconds_elapsed"),
        ("Metadata.csv", cell(2, 5, "perhaps"), "column standardisation: 'perhaps' is neither"),
        ("Metadata.csv", lambda lines: lines[:1], "one line of values"),
        ("Annotation.csv", cell(2, 2, "a" * 40), "line 2: 'aaaa"),
        ("Annotation.csv", cell(2, 1, "soon"), "line 2, column seconds_elapsed: 'soon'"),
    ],
)
def test_damage_is_refused_with_file_and_line(
    tmp_path: Path, name: str, change: Callable[[list[str]], list[str]], words: str
) -> None:
    folder = write_sensor_logger(tmp_path / "walk", SAMPLES[:300], annotations=WALK)
    edit(folder / name, change)
    message = refusal(FORM, folder)
    assert name in message and words in message


@pytest.mark.parametrize("name", ["Gyroscope.csv", "Gravity.csv", "Accelerometer.csv"])
def test_a_missing_sensor_is_named(tmp_path: Path, name: str) -> None:
    folder = write_sensor_logger(tmp_path / "walk", SAMPLES[:300], total=False)
    (folder / name).unlink()
    assert f"no {name} in it; give the whole folder or zip" in refusal(FORM, folder)


def test_a_single_file_of_it_is_refused_with_what_to_give(tmp_path: Path) -> None:
    folder = write_sensor_logger(tmp_path / "walk", SAMPLES[:300])
    with pytest.raises(InputError, match=r"no Gyroscope\.csv in it; give the whole folder or zip"):
        read_own_recordings(folder / "TotalAcceleration.csv", 50.0)


def test_sensors_of_other_hours_are_refused(tmp_path: Path) -> None:
    late = 1000 + np.arange(300) / 100
    folder = write_sensor_logger(tmp_path / "walk", SAMPLES[:300], gyroscope_times=late)
    assert "its sensors have no time in common" in refusal(FORM, folder)


def test_times_in_other_units_and_other_rates_are_refused(tmp_path: Path) -> None:
    slow = write_sensor_logger(tmp_path / "walk", SAMPLES[:300], rate_hz=0.1)
    assert "as milliseconds it would be 100 Hz" in refusal(FORM, slow)
    folder = write_sensor_logger(tmp_path / "walk", SAMPLES[:300])
    assert "says 50 Hz but seconds_elapsed says 100 Hz" in refusal(FORM, folder, recorded_rate=50.0)
    assert "--recorded-rate" not in str(read_form(FORM, folder, recorded_rate=100.0).warnings)


def test_another_unit_is_refused_with_the_option_and_taken_with_it(tmp_path: Path) -> None:
    in_g = SAMPLES / ([made.G] * 3 + [1] * 3)
    folder = write_sensor_logger(tmp_path / "walk", in_g, annotations=WALK)
    assert "acceleration was read as m/s2, --accel-unit says otherwise" in refusal(FORM, folder)
    (recording,) = read_form(FORM, folder, accel_unit="g").recordings
    np.testing.assert_allclose(recording.samples, SAMPLES, atol=1e-6)


def test_times_of_arrival_want_the_rate_and_take_it(tmp_path: Path) -> None:
    folder = write_sensor_logger(tmp_path / "walk", SAMPLES, annotations=WALK)

    def stamped(lines: list[str]) -> list[str]:
        rows = [line.split(",") for line in lines[1:]]
        return [
            lines[0],
            *(",".join([r[0], rows[i // 10 * 10][1], *r[2:]]) for i, r in enumerate(rows)),
        ]

    for name in ("TotalAcceleration.csv", "Gyroscope.csv"):
        edit(folder / name, stamped)
    assert "give --recorded-rate 100 to har data import" in refusal(FORM, folder)
    reading = read_form(FORM, folder, recorded_rate=100.0)
    assert_is(reading, SAMPLES)
    assert any("stamped on arrival" in warning for warning in reading.warnings)

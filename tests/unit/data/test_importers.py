"""Each published form, read from small files of that form."""

from __future__ import annotations

import itertools
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.data import Segment, make_windows
from pipeline.data.importers import IMPORTERS, OWN_FORMS, Given, Reading, open_tree
from pipeline.data.plausibility import turning_gravity
from tests.support import foreign_data as made

OWN = {form.name for form in OWN_FORMS}


def read(name: str, path: Path, unit: str = "") -> Reading:
    importer = IMPORTERS[name]
    with open_tree(path, importer.anchor, importer.expects) as tree:
        return importer.read(tree, Given(unit=unit))


def refused(name: str, path: Path, unit: str = "") -> str:
    with pytest.raises(InputError) as caught:
        read(name, path, unit)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- UCI HAR -------------------------------------------------------------------------------------


@pytest.fixture
def ucihar(tmp_path: Path) -> Path:
    return made.write_ucihar(
        tmp_path,
        [
            ("train", 1, 5, made.motion(12.8, 50, seed=1)),  # 640 samples: 9 rows
            ("train", 1, 1, made.motion(6.4, 50, "walking", 2)),  # 4 rows
            ("train", 1, 1, made.motion(6.4, 50, "walking", 3)),  # same label, other recording
            ("train", 3, 6, made.motion(6.4, 50, seed=4)),
            ("test", 2, 2, made.motion(2.56, 50, "upstairs", 5)),  # one row
        ],
    )


def test_ucihar_rows_are_put_together_where_they_overlap(ucihar: Path) -> None:
    recordings = read("ucihar", ucihar).recordings
    found = [(r.subject, len(r.samples), r.segments[0].activity) for r in recordings]
    assert found == [
        ("subject01", 640, "STANDING"),
        ("subject01", 320, "WALKING"),
        ("subject01", 320, "WALKING"),
        ("subject02", 128, "WALKING_UPSTAIRS"),
        ("subject03", 320, "LAYING"),
    ]
    assert {recording.rate_hz for recording in recordings} == {50.0}
    np.testing.assert_allclose(recordings[0].samples, made.motion(12.8, 50, seed=1), atol=1e-6)
    assert recordings[1].source == "UCI HAR, train, rows 10-13"


def test_ucihar_windows_are_the_published_rows(ucihar: Path) -> None:
    recordings = [r for r in read("ucihar", ucihar).recordings if r.subject != "subject02"]
    names = ("STANDING", "WALKING", "LAYING")
    windows = make_windows(recordings, names, 128, 64)
    signals = ucihar / "train" / "Inertial Signals"
    assert np.allclose(windows.x[:, :, 0], np.loadtxt(signals / "total_acc_x_train.txt"))
    assert np.allclose(windows.x[:, :, 5], np.loadtxt(signals / "body_gyro_z_train.txt"))
    assert len(windows) == 9 + 4 + 4 + 4


def test_ucihar_other_people_never_share_a_recording(tmp_path: Path) -> None:
    """Two people whose rows would fit by chance: a constant signal."""
    still = np.tile([1.0, 0, 0, 0, 0, 0], (256, 1))
    folder = made.write_ucihar(
        tmp_path, [("train", 1, 4, still), ("train", 2, 4, still), ("test", 5, 4, still)]
    )
    found = [(r.subject, len(r.samples)) for r in read("ucihar", folder).recordings]
    assert found == [("subject01", 256), ("subject02", 256), ("subject05", 256)]


def test_ucihar_a_missing_file_is_named(ucihar: Path) -> None:
    (ucihar / "test" / "Inertial Signals" / "body_gyro_y_test.txt").unlink()
    assert "body_gyro_y_test.txt: no such file" in refused("ucihar", ucihar)


def test_ucihar_files_that_do_not_fit_each_other_are_refused(ucihar: Path) -> None:
    labels = ucihar / "train" / "y_train.txt"
    kept = labels.read_text()
    labels.write_text(kept[: kept.index("\n") + 1])
    assert "21 people and 1 labels" in refused("ucihar", ucihar)
    labels.write_text(kept.replace("5", "9"))
    assert "out of range" in refused("ucihar", ucihar)
    labels.write_text(kept)
    (ucihar / "train" / "Inertial Signals" / "total_acc_z_train.txt").write_text("1 2 3\n")
    assert "line 1: 3 columns; expected 128" in refused("ucihar", ucihar)


# ---- the zip, the folder -------------------------------------------------------------------------


def test_a_zip_gives_what_the_folder_gives(ucihar: Path, tmp_path: Path) -> None:
    archive = made.zipped(ucihar, tmp_path / "UCI HAR Dataset.zip", "UCI HAR Dataset/")
    outer = tmp_path / "human+activity.zip"
    with zipfile.ZipFile(outer, "w") as file:
        file.write(archive, archive.name)
        file.writestr("UCI HAR Dataset.names", "about")
    importer = IMPORTERS["ucihar"]
    hashes = []
    for path in (ucihar, ucihar.parent, archive, outer):
        with open_tree(path, importer.anchor, importer.expects) as tree:
            assert len(importer.read(tree, Given()).recordings) == 5
            hashes.append(tree.sha256())
    assert len(set(hashes)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "UCI HAR Dataset",
        "UCI HAR Dataset.zip",
        "human+activity.zip",
    ]


@pytest.mark.parametrize("part", [0.2, 0.6, 0.999])
def test_a_truncated_zip_is_one_clear_line(ucihar: Path, tmp_path: Path, part: float) -> None:
    archive = made.zipped(ucihar, tmp_path / "u.zip")
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * part)])
    assert re.search(r"u\.zip: no readable zip, perhaps cut short", refused("ucihar", archive))


def test_a_damaged_member_is_one_clear_line(ucihar: Path, tmp_path: Path) -> None:
    archive = made.zipped(ucihar, tmp_path / "u.zip")
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        info = file.getinfo("train/Inertial Signals/total_acc_x_train.txt")
    data[info.header_offset + 2000] ^= 0xFF
    archive.write_bytes(data)
    assert "total_acc_x_train.txt: damaged" in refused("ucihar", archive)


def test_a_zip_that_would_fill_the_memory_is_refused(
    ucihar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = made.zipped(ucihar, tmp_path / "u.zip")
    monkeypatch.setattr("pipeline.data.importers.tree.MAX_TOTAL_BYTES", 100_000)
    assert "longer than any file of this data" in refused("ucihar", archive)


def test_names_that_lead_outside_write_nothing(ucihar: Path, tmp_path: Path) -> None:
    archive = made.zipped(ucihar, tmp_path / "u.zip")
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("../escaped.txt", "x")
    assert len(read("ucihar", archive).recordings) == 5
    assert not (tmp_path.parent / "escaped.txt").exists()


def test_what_is_not_the_data_says_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, importer in IMPORTERS.items():
        message = refused(name, tmp_path / "empty")
        assert importer.expects in message
    assert "no such file or folder" in refused("ucihar", tmp_path / "nothing")
    (tmp_path / "x.tar.gz").write_bytes(b"\x1f\x8b\x08\x00")
    assert "unpack it" in refused("wisdm", tmp_path / "x.tar.gz")


def test_two_copies_in_one_folder_are_not_guessed_between(ucihar: Path, tmp_path: Path) -> None:
    made.write_ucihar(tmp_path / "old", [(p, 1, 1, made.motion(3, 50)) for p in ("train", "test")])
    assert ucihar.parent == tmp_path
    assert "several copies" in refused("ucihar", tmp_path)


# ---- HAPT ----------------------------------------------------------------------------------------


def test_hapt_labels_count_from_one_and_include_the_last(tmp_path: Path) -> None:
    samples = [made.motion(10, 50, seed=seed) for seed in range(3)]
    folder = made.write_hapt(
        tmp_path,
        [(1, 1, samples[0]), (2, 1, samples[1]), (3, 7, samples[2])],
        [(1, 1, 5, 1, 200), (1, 1, 7, 201, 260), (1, 1, 4, 301, 500), (3, 7, 2, 100, 500)],
    )
    first, second, third = read("hapt", folder).recordings
    assert first.segments == (
        Segment(0, 200, "STANDING"),
        Segment(200, 260, "STAND_TO_SIT"),
        Segment(300, 500, "SITTING"),
    )
    assert second.segments == ()
    assert third.segments == (Segment(99, 500, "WALKING_UPSTAIRS"),)
    assert [r.session for r in (first, second, third)] == [
        "subject01/trial1",
        "subject01/trial2",
        "subject07/trial1",
    ]
    np.testing.assert_allclose(third.samples, samples[2], atol=1e-6)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ((2, 1, 1, 1, 9), "line 1: there is no acc_exp02_user01.txt"),
        ((1, 1, 99, 1, 9), "line 1: unknown activity 99"),
        ((1, 1, 1, 0, 9), "segment -1..9"),
        ((1, 1, 1, 9, 501), "labelled to sample 501 and has 500"),
    ],
)
def test_hapt_labels_that_cannot_be_are_refused(
    tmp_path: Path, label: tuple[int, int, int, int, int], message: str
) -> None:
    folder = made.write_hapt(tmp_path, [(1, 1, made.motion(10, 50))], [label])
    assert message in refused("hapt", folder)


def test_hapt_without_its_gyroscope_file_is_refused(tmp_path: Path) -> None:
    folder = made.write_hapt(tmp_path, [(1, 1, made.motion(10, 50))], [(1, 1, 1, 1, 9)])
    (folder / "RawData" / "gyro_exp01_user01.txt").unlink()
    assert "gyro_exp01_user01.txt: no such file" in refused("hapt", folder)


# ---- PAMAP2 --------------------------------------------------------------------------------------


def test_pamap2_takes_the_hand_in_g_and_rads(tmp_path: Path) -> None:
    samples = made.motion(20, 100)
    numbers = np.repeat([0, 3, 0, 12], 500)
    folder = made.write_pamap2(tmp_path, 105, samples, numbers)
    reading = read("pamap2", folder)
    (recording,) = reading.recordings
    assert (recording.subject, recording.rate_hz) == ("subject105", 100.0)
    np.testing.assert_allclose(recording.samples, samples, atol=1e-5)
    assert recording.segments == (
        Segment(500, 1000, "standing"),
        Segment(1500, 2000, "ascending-stairs"),
    )


def test_pamap2_bridges_short_gaps_and_cuts_at_long_ones(tmp_path: Path) -> None:
    samples = made.motion(20, 100)
    lost = [(0, 3), (300, 310), (700, 711), (1000, 1200), (1250, 1400)]
    folder = made.write_pamap2(tmp_path, 101, samples, np.full(2000, 4), lost)
    reading = read("pamap2", folder)
    assert [len(r.samples) for r in reading.recordings] == [697, 289, 600]
    assert dict(reading.counts) == {
        "samples bridged": 10,
        "samples in gaps": 3 + 11 + 200 + 150,
        "samples in short stretches": 50,
    }
    first = reading.recordings[0].samples
    np.testing.assert_allclose(first, samples[3:700], atol=0.05)
    line = first[296:308].astype(np.float64)  # from the sample before the gap to the one behind
    np.testing.assert_allclose(np.diff(line, 2, axis=0), 0, atol=1e-6)


def test_pamap2_wrong_rate_columns_or_activities_are_refused(tmp_path: Path) -> None:
    samples, numbers = made.motion(5, 100), np.full(500, 4)
    slow = made.write_pamap2(tmp_path / "a", 101, samples, numbers, rate_hz=50)
    assert "50 Hz by its times; PAMAP2 has 100 Hz" in refused("pamap2", slow)
    odd = made.write_pamap2(tmp_path / "b", 101, samples, np.full(500, 8))
    assert "unknown activity 8" in refused("pamap2", odd)
    file = odd / "Protocol" / "subject101.dat"
    file.write_text(file.read_text().replace(" 30.5 ", " "))
    assert "line 1: 51 columns; expected 54" in refused("pamap2", odd)
    file.write_text("")
    assert "0 columns; expected 54" in refused("pamap2", odd)


def test_pamap2_a_word_for_a_number_is_refused(tmp_path: Path) -> None:
    folder = made.write_pamap2(tmp_path, 101, made.motion(2, 100), np.full(200, 4))
    file = folder / "Protocol" / "subject101.dat"
    lines = file.read_text().splitlines()
    cells = lines[7].split()
    cells[4] = "fast"
    lines[7] = " ".join(cells)
    file.write_text("\n".join(lines))
    assert "fast" in refused("pamap2", folder)


# ---- MotionSense ---------------------------------------------------------------------------------


def test_motionsense_adds_gravity_and_turns_the_sign(tmp_path: Path) -> None:
    samples = made.motion(10, 50, "walking")
    made.write_motionsense(tmp_path, "wlk", 7, 3, samples)
    folder = made.write_motionsense(tmp_path, "sit", 13, 24, made.motion(10, 50))
    sitting, walking = sorted(read("motionsense", folder).recordings, key=lambda r: r.source)
    assert (walking.subject, walking.session) == ("subject03", "subject03/trial07")
    assert (sitting.subject, sitting.session) == ("subject24", "subject24/trial13")
    assert walking.segments == (Segment(0, 500, "walking"),)
    np.testing.assert_allclose(walking.samples, samples, atol=1e-5)


def test_motionsense_columns_are_found_by_name(tmp_path: Path) -> None:
    folder = made.write_motionsense(tmp_path, "std", 6, 1, made.motion(2, 50))
    path = folder / "std_6" / "sub_1.csv"
    path.write_text(path.read_text().replace("userAcceleration.z", "magnet.z"))
    assert "no column userAcceleration.z" in refused("motionsense", folder)


# ---- WISDM ---------------------------------------------------------------------------------------


def test_wisdm_is_in_g_without_a_gyroscope(tmp_path: Path) -> None:
    samples = made.motion(30, 20)
    folder = made.write_wisdm(tmp_path, made.wisdm_records(33, "Sitting", samples))
    for path in (folder, folder / "WISDM_ar_v1.1_raw.txt"):
        (recording,) = read("wisdm", path).recordings
        assert (recording.subject, recording.rate_hz) == ("user33", 20.0)
        assert recording.segments == (Segment(0, 600, "Sitting"),)
        np.testing.assert_allclose(recording.samples[:, :3], samples[:, :3], atol=1e-4)
        assert not recording.samples[:, 3:].any()


def test_wisdm_dirty_lines_are_dropped_and_counted(tmp_path: Path) -> None:
    good = made.wisdm_records(33, "Walking", made.motion(30, 20, "walking"))
    dirty = [
        *good[:100],
        good[100] + ";" + good[101],  # two in a line
        good[102] + ",",  # a comma too many: still whole
        "",
        "33,Walking,49110110000000,-0.3;",
        "33,Walking,49110120000000,-0.3,9.1,abc",
        "33,Napping,49110130000000,-0.3,9.1,0.4",
        "33,Walking,49110140000000,-0.3,1e300,0.4",
        "33,Walking,0,0,0,0.0",
        good[102],
        *good[103:],
    ]
    reading = read("wisdm", made.write_wisdm(tmp_path, dirty))
    assert [len(r.samples) for r in reading.recordings] == [600]
    assert dict(reading.counts) == {
        "records": 606,
        "records dropped": 6,
        "records cut or run together": 1,
        "records with a word for a number": 1,
        "records with an impossible number": 1,
        "records of an unknown activity or person": 1,
        "records without a time": 1,
        "records of a moment that was there": 1,
    }


def test_wisdm_people_activities_and_gaps_cut(tmp_path: Path) -> None:
    motion = made.motion(10, 20)
    records = [
        *made.wisdm_records(1, "Sitting", motion, 100),
        *made.wisdm_records(1, "Sitting", motion, 110.4),  # 0.45 s after the last
        *made.wisdm_records(1, "Standing", motion, 120.4),
        *made.wisdm_records(2, "Standing", motion[:19], 130.4),  # 0.9 s
        *made.wisdm_records(2, "Standing", motion, 50),
    ]
    reading = read("wisdm", made.write_wisdm(tmp_path, records))
    assert [(r.subject, len(r.samples)) for r in reading.recordings] == [
        ("user01", 200),
        ("user01", 200),
        ("user01", 200),
        ("user02", 200),
    ]
    assert reading.counts["samples in short stretches"] == 19


def test_wisdm_uneven_times_are_put_on_an_even_grid(tmp_path: Path) -> None:
    """Half of the records are missing for ten seconds, as on the phones that gave 10 Hz."""
    motion = made.motion(30, 20)
    records = made.wisdm_records(1, "Sitting", motion)
    kept = [record for i, record in enumerate(records) if not (200 < i < 400 and i % 2)]
    (recording,) = read("wisdm", made.write_wisdm(tmp_path, kept)).recordings
    assert len(recording.samples) == 600
    np.testing.assert_allclose(recording.samples[:, :3], motion[:, :3], atol=0.03)


def test_wisdm_at_a_wrong_rate_or_of_other_lines_is_refused(tmp_path: Path) -> None:
    fast = made.wisdm_records(1, "Sitting", made.motion(5, 100), rate_hz=100)
    assert "100 Hz by its times; WISDM has 20 Hz" in refused(
        "wisdm", made.write_wisdm(tmp_path / "a", fast)
    )
    words = ["a,b,c,d,e,f"] * 50 + made.wisdm_records(1, "Sitting", made.motion(5, 20))
    assert "50 of 150 records cannot be read" in refused(
        "wisdm", made.write_wisdm(tmp_path / "b", words)
    )
    assert "no record like" in refused("wisdm", made.write_wisdm(tmp_path / "c", []))


# ---- WISDM 2019 ----------------------------------------------------------------------------------


STRETCHES = [("A", made.motion(20, 20, "walking", 1)), ("F", made.motion(30, 20, seed=2))]


@pytest.mark.parametrize("unit", ["watch", "phone"])
def test_wisdm2019_takes_the_unit_that_is_named(tmp_path: Path, unit: str) -> None:
    other = {"watch": "phone", "phone": "watch"}[unit]
    folder = made.write_wisdm2019(tmp_path, unit, 1600, STRETCHES)
    made.write_wisdm2019(tmp_path, other, 1650, [("D", made.motion(5, 20))])
    reading = read("wisdm2019", folder, unit)
    assert [(r.subject, r.segments) for r in reading.recordings] == [
        ("p1600", (Segment(0, 400, "walking"),)),
        ("p1600", (Segment(0, 600, "typing"),)),
    ]
    for recording, (letter, samples) in zip(reading.recordings, STRETCHES, strict=True):
        np.testing.assert_allclose(recording.samples, samples, atol=1e-4)
        assert (recording.rate_hz, recording.source) == (20.0, f"WISDM 2019, {unit}, {letter}")
    assert reading.counts["records"] == 2000
    assert any("1 of 51 people" in warning for warning in reading.warnings)


def test_wisdm2019_sensors_meet_where_both_recorded_the_same_activity(tmp_path: Path) -> None:
    folder = made.write_wisdm2019(tmp_path, "watch", 1600, STRETCHES, gyroscope_delay_s=5.013)
    walking, typing = read("wisdm2019", folder, "watch").recordings
    # 20 s and 30 s, both but for the first 5.013 s of acceleration and the last of the gyroscope.
    assert (len(walking.samples), len(typing.samples)) == (299, 499)
    np.testing.assert_allclose(typing.samples[:, 3:], STRETCHES[1][1][:499, 3:], atol=1e-4)
    times = 5.013 + np.arange(499) / 20
    expected = np.interp(times, np.arange(600) / 20, STRETCHES[1][1][:, 0])
    np.testing.assert_allclose(typing.samples[:, 0], expected, atol=1e-4)


def test_wisdm2019_gap_and_restart_of_the_clock_cut(tmp_path: Path) -> None:
    folder = made.write_wisdm2019(tmp_path, "watch", 1600, [("A", made.motion(30, 20))])
    gyro = folder / "raw/watch/gyro/data_1600_gyro_watch.txt"
    lines = gyro.read_text().splitlines()
    gyro.write_text("\n".join(lines[:200] + lines[240:]) + "\n")
    found = [len(r.samples) for r in read("wisdm2019", folder, "watch").recordings]
    assert found == [200, 360]
    gyro.write_text("\n".join(lines[300:] + lines[:300]) + "\n")
    found = [len(r.samples) for r in read("wisdm2019", folder, "watch").recordings]
    assert found == [300, 300]


def test_wisdm2019_jogging_is_running_and_letters_are_words() -> None:
    importer = IMPORTERS["wisdm2019"].of_unit("phone")
    assert (importer.word("jogging"), importer.word("stairs")) == ("running", "stairs")
    assert (importer.dataset, importer.placement) == ("wisdm2019-phone", "pocket")


def test_wisdm2019_damage_is_dropped_and_counted_or_refused(tmp_path: Path) -> None:
    folder = made.write_wisdm2019(tmp_path, "watch", 1600, STRETCHES)
    accel = folder / "raw/watch/accel/data_1600_accel_watch.txt"
    lines = accel.read_text().splitlines()
    changed = [lines[0].replace(",A,", ",N,"), lines[1].replace("1600", "1601"), *lines[2:]]
    accel.write_text("\n".join(changed) + "\n")
    assert (
        read("wisdm2019", folder, "watch").counts["records of an unknown activity or person"] == 2
    )
    accel.write_text("\n".join(lines).replace("1600,", "1601,"))
    assert "data_1600_accel_watch.txt: no record like" in refused("wisdm2019", folder, "watch")
    accel.write_text("\n".join(line.replace(",A,", ",N,") for line in lines))
    assert "400 of 1000 records cannot be read" in refused("wisdm2019", folder, "watch")
    accel.write_text("\n".join(lines[::4]))
    assert "5 Hz by its times; WISDM has 20 Hz" in refused("wisdm2019", folder, "watch")
    accel.unlink()
    reading = read("wisdm2019", folder, "watch")
    assert reading.counts["people with one of the two sensors"] == 1
    assert reading.recordings == ()
    assert "no file of the phone in it" in refused("wisdm2019", folder, "phone")


# ---- DSADS ---------------------------------------------------------------------------------------


def dsads_segments(
    seconds: float, activity: str = "walking", seed: int = 0
) -> list[dict[str, npt.NDArray[np.float64]]]:
    """Segments of 125 samples that follow each other, of all units; each unit moves in its way."""
    motions = {
        unit: made.motion(seconds, 25, activity, seed + index)
        for index, unit in enumerate(made.DSADS_UNITS)
    }
    return [
        {unit: samples[at : at + 125] for unit, samples in motions.items()}
        for at in range(0, round(seconds * 25), 125)
    ]


def test_dsads_takes_the_unit_that_is_named_in_g_and_rads(tmp_path: Path) -> None:
    folder = made.write_dsads(tmp_path, 10, 3, dsads_segments(20))
    for index, unit in enumerate(("torso", "right_arm", "left_arm", "right_leg", "left_leg")):
        (recording,) = read("dsads", folder, unit).recordings
        assert (recording.subject, recording.rate_hz) == ("p3", 25.0)
        assert recording.session == f"p3/{unit}"
        assert recording.segments == (Segment(0, 500, "walking"),)
        assert recording.source == "DSADS, p3/a10, treadmill at 4 km/h, flat"
        mirror = [1, -1, 1, -1, 1, -1] if unit == "left_arm" else [1] * 6
        expected = made.motion(20, 25, "walking", index) * mirror
        np.testing.assert_allclose(recording.samples, expected, atol=1e-4)


def test_dsads_arms_are_both_in_the_right_arms_frame(tmp_path: Path) -> None:
    """The same motion of both arms, mirrored in the plane of x and z, reads the same."""
    motion = made.motion(5, 25, "walking")
    axial = np.array([1, -1, 1, -1, 1, -1])
    segment = dict.fromkeys(made.DSADS_UNITS, motion) | {"left_arm": motion * axial}
    right, left = read("dsads", made.write_dsads(tmp_path, 9, 1, [segment]), "arms").recordings
    assert (right.session, left.session) == ("p1/right_arm", "p1/left_arm")
    np.testing.assert_allclose(left.samples, right.samples, atol=1e-6)
    # The mirror of a motion that obeys physics obeys physics: a wrong sign would break it.
    samples = made.motion(40, 25) * axial
    assert turning_gravity([(samples.astype(np.float32), 25.0)]).may_be(1.0)


def test_dsads_rows_have_common_words_and_stay_apart_in_source_and_recording(
    tmp_path: Path,
) -> None:
    for activity in range(1, 20):
        folder = made.write_dsads(tmp_path, activity, 2, dsads_segments(5, seed=activity))
    reading = read("dsads", folder, "torso")
    words = [recording.segments[0].activity for recording in reading.recordings]
    assert words == [
        *("sitting", "standing", "lying", "lying", "upstairs", "downstairs"),
        *("walking", "walking", "walking", "running", "stepper", "cross-trainer"),
        *("cycling", "cycling", "rowing", "jumping", "basketball"),
    ]
    assert len({recording.source for recording in reading.recordings}) == 17
    assert reading.counts["segments in a lift"] == 2


def test_dsads_the_recording_that_two_people_share_is_taken_once(tmp_path: Path) -> None:
    for activity, person in itertools.product((17, 18), (4, 8)):
        folder = made.write_dsads(tmp_path, activity, person, dsads_segments(10))
    reading = read("dsads", folder, "torso")
    assert [recording.subject for recording in reading.recordings] == ["p4", "p4"]
    assert reading.counts["segments that p4 has, too"] == 4


def test_dsads_missing_seconds_are_cut(tmp_path: Path) -> None:
    """The last second of a segment is zero, or a piece that another segment has, too."""
    segments = dsads_segments(30)
    for unit in made.DSADS_UNITS:
        segments[1][unit] = np.vstack([segments[1][unit][:100], np.zeros((25, 6))])
        piece = segments[4][unit][35:60]
        segments[3][unit] = np.vstack([segments[3][unit][:100], piece])
    reading = read("dsads", made.write_dsads(tmp_path, 9, 1, segments), "right_leg")
    assert [len(recording.samples) for recording in reading.recordings] == [225, 225, 250]
    assert reading.counts["samples that are missing"] == 50
    for recording in reading.recordings:
        assert recording.segments == (Segment(0, len(recording.samples), "walking"),)
        assert recording.samples.any(axis=1).all()


def test_dsads_segments_are_joined_unless_the_step_between_is_out_of_the_ordinary(
    tmp_path: Path,
) -> None:
    segments = dsads_segments(40, "sitting")
    for segment in segments[3:]:  # turned round between two segments
        for unit in made.DSADS_UNITS:
            segment[unit] = segment[unit] * [-1, -1, 1, -1, -1, 1]
    reading = read("dsads", made.write_dsads(tmp_path / "one", 12, 1, segments), "torso")
    assert [len(recording.samples) for recording in reading.recordings] == [375, 625]
    assert reading.counts["segments that do not follow the one before"] == 1

    apart = dsads_segments(200, "sitting")[::2]  # every other one, numbered without a hole
    reading = read("dsads", made.write_dsads(tmp_path / "none", 12, 1, apart), "torso")
    assert [len(recording.samples) for recording in reading.recordings] == [125] * 20


@pytest.mark.parametrize(("activity", "person"), [(5, 2), (6, 5), (1, 8), (2, 6), (13, 3), (18, 3)])
def test_dsads_segments_that_are_known_not_to_join_are_not_joined(
    tmp_path: Path, activity: int, person: int
) -> None:
    folder = made.write_dsads(tmp_path, activity, person, dsads_segments(15))
    reading = read("dsads", folder, "torso")
    assert [len(recording.samples) for recording in reading.recordings] == [125] * 3
    assert reading.counts["segments that do not follow the one before"] == 2


def test_dsads_a_missing_file_cuts_and_is_said(tmp_path: Path) -> None:
    folder = made.write_dsads(tmp_path, 9, 1, dsads_segments(25))
    (folder / "a09" / "p1" / "s03.txt").unlink()
    reading = read("dsads", folder, "torso")
    assert [len(recording.samples) for recording in reading.recordings] == [250, 250]
    (warning,) = reading.warnings
    assert "4 of 9,120 segments" in warning


def test_dsads_a_zip_with_data_above_gives_what_the_folder_gives(tmp_path: Path) -> None:
    folder = made.write_dsads(tmp_path / "copy", 9, 1, dsads_segments(10))
    archive = made.zipped(folder, tmp_path / "dsads.zip", "data/")
    for path in (folder, folder.parent, archive):
        (recording,) = read("dsads", path, "torso").recordings
        assert len(recording.samples) == 250


def test_dsads_files_of_another_form_are_refused(tmp_path: Path) -> None:
    folder = made.write_dsads(tmp_path, 9, 1, dsads_segments(10))
    path = folder / "a09" / "p1" / "s02.txt"
    lines = path.read_text().splitlines()
    for content, message in (
        ([line.rpartition(",")[0] for line in lines], "line 1: 44 columns; expected 45"),
        ([*lines[:50], "1,2,3", *lines[51:]], "s02.txt: "),
        (lines[:-1], "s02.txt: 124 lines; expected 125"),
        ([*lines, lines[0]], "s02.txt: 126 lines; expected 125"),
        ([lines[0].replace(",", ",nan,", 1).rpartition(",")[0], *lines[1:]], "not all are finite"),
    ):
        path.write_text("\n".join(content) + "\n")
        assert message in refused("dsads", folder, "torso")


# ---- one's own -----------------------------------------------------------------------------------


def test_own_files_of_a_folder_are_recordings_and_gaps_cut(tmp_path: Path) -> None:
    samples = made.motion(10, 50)
    made.write_own(tmp_path / "anna" / "one.csv", samples, ["sitting"] * 500, subject="anna")
    made.write_own(tmp_path / "bob" / "one.csv", samples, ["Sitting"] * 250 + [""] * 250)
    path = tmp_path / "bob" / "one.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:101], *lines[131:]]))
    reading = read("csv", tmp_path)
    assert [(r.subject, len(r.samples), r.segments) for r in reading.recordings] == [
        ("anna", 500, (Segment(0, 500, "sitting"),)),
        ("bob/one", 100, (Segment(0, 100, "Sitting"),)),
        ("bob/one", 370, (Segment(0, 120, "Sitting"),)),
    ]
    assert any("1 gaps in time" in warning for warning in reading.warnings)


def test_own_files_that_are_wrong_say_which_line(tmp_path: Path) -> None:
    path = made.write_own(tmp_path / "x.csv", made.motion(4, 50), ["sitting"] * 200)
    path.write_text(path.read_text().replace("0.06000,", "zero,"))
    assert "x.csv, line 5, column time_s" in refused("csv", path)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_damage_is_read_or_is_one_clear_line(tmp_path: Path, data: st.DataObject) -> None:
    root = tmp_path / "any"
    name = data.draw(st.sampled_from(sorted(set(IMPORTERS) - OWN)))
    folder = SMALL[name](root)
    file = data.draw(st.sampled_from(sorted(p for p in folder.rglob("*.*") if p.is_file())))
    whole = file.read_bytes()
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        put = data.draw(
            st.sampled_from([b"9" * 400, b"1e300", b"nan", b"-"]) | st.binary(max_size=4)
        )
        content[at : at + data.draw(st.integers(0, 3))] = put
    file.write_bytes(content)
    try:
        read(name, folder, {"dsads": "arms", "wisdm2019": "watch"}.get(name, ""))
    except InputError as error:
        assert len(str(error).splitlines()) == 1
    finally:
        file.write_bytes(whole)


SMALL: dict[str, Callable[[Path], Path]] = {
    "ucihar": lambda root: made.write_ucihar(
        root, [(part, 1, 1, made.motion(2.56, 50)) for part in ("train", "test")]
    ),
    "hapt": lambda root: made.write_hapt(
        root, [(1, 1, made.motion(2, 50))], [(1, 1, 1, 1, 40), (1, 1, 2, 41, 100)]
    ),
    "pamap2": lambda root: made.write_pamap2(root, 101, made.motion(2, 100), np.full(200, 4)),
    "motionsense": lambda root: made.write_motionsense(root, "wlk", 7, 1, made.motion(2, 50)),
    "dsads": lambda root: made.write_dsads(root, 9, 1, dsads_segments(10)),
    "wisdm2019": lambda root: made.write_wisdm2019(
        root, "watch", 1600, [("A", made.motion(3, 20))]
    ),
    "wisdm": lambda root: made.write_wisdm(
        root, made.wisdm_records(1, "Sitting", made.motion(3, 20))
    ),
}


def test_every_importer_says_how_it_was_worn_and_whom_to_cite() -> None:
    for name, importer in IMPORTERS.items():
        assert importer.axes and importer.terms and importer.people
        worn = [importer.placement, *(unit.placement for unit in importer.units.values())]
        assert all(worn[bool(importer.units) :]) or name in OWN
        assert importer.citation or name in OWN
        assert isinstance(importer.anchor.search(""), type(None))

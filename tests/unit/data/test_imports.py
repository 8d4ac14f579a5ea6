"""`har data import`: checked, converted, kept under a name, found by everything that loads."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner

from pipeline.cli.data import app
from pipeline.core.errors import ExternalError, InputError
from pipeline.data import (
    Segment,
    dataset_names,
    describe,
    identities,
    import_dataset,
    list_sources,
    load_dataset,
    make_windows,
)
from pipeline.data.cache import load_about, load_recordings, save_recordings
from pipeline.data.catalog import imported_path
from pipeline.data.importers import Given
from tests.support import foreign_data as made


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def ucihar(tmp_path: Path) -> Path:
    return made.write_ucihar(
        tmp_path / "copy",
        [
            (part, person, number, made.motion(12.8, 50, made.UCI_NAMES[number - 1], person))
            for part, person in (("train", 1), ("train", 3), ("test", 2))
            for number in (1, 4, 6)
        ],
    )


@pytest.fixture
def motionsense(tmp_path: Path) -> Path:
    for person in (1, 2):
        for trial, (code, activity) in enumerate([("wlk", "walking"), ("jog", "running")], 7):
            samples = made.motion(10, 50, activity, person)
            made.write_motionsense(tmp_path / "copy", code, trial, person, samples)
        made.write_motionsense(tmp_path / "copy", "sit", 5, person, made.motion(30, 50, seed=9))
    return tmp_path / "copy" / "A_DeviceMotion_data"


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


# ---- the way into the cache ----------------------------------------------------------------------


def test_what_was_imported_loads_by_its_name(ucihar: Path) -> None:
    result = import_dataset("ucihar", ucihar)
    dataset = load_dataset("ucihar", progress=False)
    assert dataset.activities == ("walking", "sitting", "lying")
    assert dataset.subjects == ("subject01", "subject02", "subject03")
    assert (dataset.rate_hz, dataset.sha256) == (50.0, result["sha256"])
    assert len(make_windows(dataset.recordings, dataset.activities)) == 9 * 9
    first = dataset.recordings[0]
    assert first.segments == (Segment(0, 640, "walking"),)
    np.testing.assert_allclose(first.samples, made.motion(12.8, 50, "walking", 1), atol=1e-6)
    assert result["labels"] == {"WALKING": "walking", "SITTING": "sitting", "LAYING": "lying"}
    assert "non-commercial" in dataset.terms
    assert "ucihar" in dataset_names()
    assert [row["origin"] for row in list_sources()] == ["package", "package", "import"]


def test_the_same_import_again_changes_nothing_and_another_needs_force(
    ucihar: Path, tmp_path: Path
) -> None:
    first = import_dataset("ucihar", ucihar)
    before = imported_path("ucihar").read_bytes()
    again = import_dataset("ucihar", made.zipped(ucihar, tmp_path / "u.zip"))
    assert (first["already_there"], again["already_there"]) == (False, True)
    assert imported_path("ucihar").read_bytes() == before
    with pytest.raises(InputError, match=r"--force.*--as"):
        import_dataset("ucihar", ucihar, rate_hz=25.0)
    assert imported_path("ucihar").read_bytes() == before
    import_dataset("ucihar", ucihar, rate_hz=25.0, force=True)
    assert load_dataset("ucihar").rate_hz == 25.0
    import_dataset("ucihar", ucihar, name="ucihar-50")
    assert dataset_names()[-2:] == ("ucihar", "ucihar-50")


def test_names_that_cannot_be_are_refused(ucihar: Path) -> None:
    for name in ("hapt", "watch"):
        with pytest.raises(InputError, match="can be fetched under that name"):
            import_dataset("ucihar", ucihar, name=name)
    for name in ("../x", "a+b", ".hidden", "a/b", "x" * 65):
        with pytest.raises(InputError, match="is not a name"):
            import_dataset("ucihar", ucihar, name=name)
    with pytest.raises(InputError, match="no importer 'opportunity'; there are: ucihar"):
        import_dataset("opportunity", ucihar)
    assert dataset_names() == ("hapt", "watch")


def test_a_damaged_import_is_one_clear_line_and_force_replaces_it(ucihar: Path) -> None:
    import_dataset("ucihar", ucihar)
    data = imported_path("ucihar").read_bytes()
    for broken in (b"", b"hello", data[: len(data) // 2]):
        imported_path("ucihar").write_bytes(broken)
        with pytest.raises(InputError, match=r"ucihar\.npz.*(damaged|delete it)"):
            load_dataset("ucihar")
        assert list_sources()[-1]["damaged"]
        with pytest.raises(InputError, match="--force"):
            import_dataset("ucihar", ucihar)
    import_dataset("ucihar", ucihar, force=True)
    assert imported_path("ucihar").read_bytes() == data


def test_a_full_disk_leaves_what_was_there(ucihar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_dataset("ucihar", ucihar)
    before = imported_path("ucihar").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(ExternalError, match="No space left"):
        import_dataset("ucihar", ucihar, rate_hz=25.0, force=True)
    assert imported_path("ucihar").read_bytes() == before
    files = sorted(path.name for path in imported_path("ucihar").parent.iterdir())
    assert files == ["ucihar.npz"]


# ---- several sensor units ------------------------------------------------------------------------


def write_dsads(root: Path) -> Path:
    for person, activity in itertools.product((1, 2), (1, 10, 12)):
        words = {1: "sitting", 10: "walking", 12: "jogging"}
        units = dict.fromkeys(made.DSADS_UNITS, made.motion(20, 25, words[activity], person))
        segments = [
            {unit: samples[at : at + 125] for unit, samples in units.items()}
            for at in range(0, 500, 125)
        ]
        folder = made.write_dsads(root, activity, person, segments)
    return folder


@pytest.mark.parametrize(
    ("unit", "placement", "recordings"),
    [
        ("right_arm", "wrist", 6),
        ("arms", "wrist", 12),
        ("torso", "torso", 6),
        ("left_leg", "leg", 6),
    ],
)
def test_a_unit_gives_name_placement_and_axes(
    tmp_path: Path, unit: str, placement: str, recordings: int
) -> None:
    folder = write_dsads(tmp_path)
    code, out, err = run("import", "dsads", folder, "--unit", unit, "--rate", 25, "--json")
    document = json.loads(out)
    assert (code, err.count("\n")) == (0, 0)
    assert (document["name"], document["placement"]) == (f"dsads-{unit}", placement)
    assert document["recordings"] == recordings
    assert f"DSADS: daily and sports activities, {unit.replace('_', ' ')}" in document["title"]
    assert ("negated" in document["import"]["axes"]) == (unit == "arms")
    dataset = load_dataset(f"dsads-{unit}")
    assert (dataset.placement, dataset.subjects) == (placement, ("p1", "p2"))
    code, out, _ = run("info", f"dsads-{unit}")
    assert code == 0
    assert re.search(rf"worn +{placement}", out)


def test_a_unit_is_refused_in_one_line_where_it_is_missing_wrong_or_has_no_meaning(
    tmp_path: Path, ucihar: Path
) -> None:
    folder = write_dsads(tmp_path)
    units = "give --unit right_arm, left_arm, arms, torso, right_leg, left_leg"
    for arguments, message in (
        (("dsads", folder), f"dsads: several sensor units; {units}"),
        (("dsads", folder, "--unit", "nose"), f"dsads: no unit 'nose'; {units}"),
        (
            ("ucihar", ucihar, "--unit", "torso"),
            "ucihar has one sensor; --unit torso has no meaning there",
        ),
    ):
        code, out, err = run("import", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
    assert dataset_names() == ("hapt", "watch")


def test_two_units_of_the_same_people_are_not_mixed(tmp_path: Path, ucihar: Path) -> None:
    folder = write_dsads(tmp_path)
    for unit in ("torso", "right_arm"):
        import_dataset("dsads", folder, given=Given(unit=unit))
    with pytest.raises(InputError, match="the same people"):
        load_dataset("dsads-torso+dsads-right_arm")
    assert identities("dsads-torso", ["p1"]) == identities("dsads-right_arm", ["p1"])
    imported_path("dsads-torso").unlink()
    assert identities("dsads-torso", ["p1"]) == identities("dsads-right_arm", ["p1"])
    import_dataset("ucihar", ucihar)
    import_dataset("dsads", folder, given=Given(unit="torso"))
    assert load_dataset("ucihar+dsads-torso").placement == "waist and torso"


def test_an_import_from_before_placements_is_the_same_import(ucihar: Path) -> None:
    import_dataset("ucihar", ucihar)
    path = imported_path("ucihar")
    about = load_about(path)
    about.pop("placement")
    save_recordings(path, load_recordings(path, about["sha256"]), about["sha256"], about)
    assert load_dataset("ucihar").placement == "waist"
    assert import_dataset("ucihar", ucihar)["already_there"]


# ---- rate and labels -----------------------------------------------------------------------------


def test_pamap2_comes_to_50_hz_without_aliases_and_without_activity_0(tmp_path: Path) -> None:
    samples = made.motion(40, 100)
    time_s = np.arange(4000) / 100
    samples[:, 0] += 0.3 * np.sin(2 * np.pi * 40 * time_s)  # would fold to 10 Hz
    numbers = np.repeat([0, 2, 0, 12], 1000)
    folder = made.write_pamap2(tmp_path, 101, samples, numbers)
    result = import_dataset("pamap2", folder)
    dataset = load_dataset("pamap2")
    assert [(len(r.samples), r.rate_hz) for r in dataset.recordings] == [(500, 50.0), (500, 50.0)]
    assert [r.segments[0].activity for r in dataset.recordings] == ["sitting", "upstairs"]
    assert result["labels"]["ascending-stairs"] == "upstairs"
    x = dataset.recordings[0].samples[:, 0].astype(np.float64)
    x = (x - np.convolve(x, np.ones(25) / 25, "same"))[25:-25]
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x))))
    hertz = np.fft.rfftfreq(len(x), 1 / 50)
    assert spectrum[abs(hertz - 10) < 1].max() < 0.02 * 0.3 * len(x) / 4


@pytest.mark.parametrize("rate_hz", [20.0, 50.0, 104.0])
def test_any_rate_keeps_time_and_segments(tmp_path: Path, rate_hz: float) -> None:
    labels = ["sitting"] * 750 + ["standing"] * 750
    made.write_own(tmp_path / "own" / "a.csv", made.motion(30, 50), labels, subject="anna")
    import_dataset("csv", tmp_path / "own", rate_hz=rate_hz)
    (recording,) = load_dataset("own").recordings
    assert recording.duration_s == pytest.approx(30, abs=1 / rate_hz)
    border = round(15 * rate_hz)
    assert recording.segments == (
        Segment(0, border, "sitting"),
        Segment(border, len(recording.samples), "standing"),
    )
    moments = np.arange(len(recording.samples)) / rate_hz
    wanted = np.interp(moments, np.arange(1500) / 50, made.motion(30, 50)[:, 1])
    np.testing.assert_allclose(recording.samples[:, 1], wanted, atol=0.03)


def test_a_label_map_renames_and_drops_and_is_kept(ucihar: Path) -> None:
    labels = {"WALKING": "gait", "lying": ""}
    result = import_dataset("ucihar", ucihar, labels=labels)
    assert result["labels"] == {"WALKING": "gait", "SITTING": "sitting", "LAYING": ""}
    dataset = load_dataset("ucihar")
    assert dataset.activities == ("sitting", "gait")
    assert sum(not recording.segments for recording in dataset.recordings) == 3
    with pytest.raises(InputError, match="no label 'flying' here; there are: WALKING, SITTING"):
        import_dataset("ucihar", ucihar, labels={"flying": "x"}, force=True)


def test_transitions_are_labels_and_no_classes(tmp_path: Path) -> None:
    folder = made.write_hapt(
        tmp_path,
        [(1, 1, made.motion(60, 50))],
        [(1, 1, 4, 1, 1000), (1, 1, 8, 1001, 1100), (1, 1, 5, 1101, 3000)],
    )
    assert import_dataset("hapt", folder)["name"] == "hapt-original"
    dataset = load_dataset("hapt-original")
    assert dataset.activities == ("sitting", "standing")
    assert [s.activity for s in dataset.recordings[0].segments][1] == "sit-to-stand"


# ---- wrong units, wrong rate ---------------------------------------------------------------------


def scaled(acceleration: float = 1.0, rotation: float = 1.0) -> npt.NDArray[np.float64]:
    return made.motion(60, 50) * np.array([acceleration] * 3 + [rotation] * 3)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (scaled(acceleration=9.80665), r"\|a\| at rest is 9\.8.*m/s2"),
        (scaled(acceleration=1000), "milli-g"),
        (scaled(acceleration=1 / 9.80665), "it was in g already"),
        (scaled(acceleration=0.5), "not about 1 g"),
        (scaled(rotation=180 / np.pi), "looks like deg/s"),
    ],
)
def test_wrong_units_are_refused(
    tmp_path: Path, samples: npt.NDArray[np.float64], message: str
) -> None:
    folder = made.write_hapt(tmp_path, [(1, 1, samples)], [(1, 1, 4, 1, 3000)])
    with pytest.raises(InputError, match=message):
        import_dataset("hapt", folder)
    assert dataset_names() == ("hapt", "watch")


def test_one_persons_wrong_units_are_refused_by_name(tmp_path: Path) -> None:
    folder = made.write_hapt(
        tmp_path,
        [(n, n, scaled(9.8 if n == 7 else 1.0)) for n in range(1, 12)],
        [(n, n, 4, 1, 3000) for n in range(1, 12)],
    )
    with pytest.raises(InputError, match=r"subject07: \|a\| at rest is 9\.8"):
        import_dataset("hapt", folder)


@pytest.mark.parametrize(("true_hz", "factor"), [(100, "0.5"), (25, "2")])
def test_a_wrong_rate_shows_in_how_fast_gravity_turns(
    tmp_path: Path, true_hz: float, factor: str
) -> None:
    samples = made.motion(120, true_hz)
    folder = made.write_hapt(tmp_path, [(1, 1, samples)], [(1, 1, 4, 1, len(samples))])
    with pytest.raises(InputError, match=rf"gravity turns {factor}\S* times.*rate"):
        import_dataset("hapt", folder)


def test_axes_that_do_not_belong_together_are_told_and_taken(tmp_path: Path) -> None:
    folder = made.write_hapt(tmp_path, [(1, 1, scaled(rotation=-1))], [(1, 1, 4, 1, 3000)])
    assert "inverted or swapped" in import_dataset("hapt", folder)["warnings"][0]


def test_what_the_checks_found_is_kept(ucihar: Path) -> None:
    checks = import_dataset("ucihar", ucihar)["checks"]
    assert checks["resting_acceleration_g"] == pytest.approx(1.0, abs=0.02)
    assert checks["turning_gravity_factor"] == pytest.approx(1.0, abs=0.1)
    assert checks["turning_gravity_correlation"] > 0.9


# ---- no gyroscope --------------------------------------------------------------------------------


def test_wisdm_is_refused_unless_asked_for_and_then_says_so_everywhere(tmp_path: Path) -> None:
    folder = made.write_wisdm(tmp_path, made.wisdm_records(1, "Sitting", made.motion(30, 20)))
    code, out, err = run("import", "wisdm", folder)
    assert (code, out) == (2, "")
    assert "--allow-missing-gyro" in err
    code, out, err = run("import", "wisdm", folder, "--allow-missing-gyro", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["import"]["missing_gyroscope"]
    assert document["import"]["counts"]["records"] == 600
    assert "no gyroscope" in document["warnings"][0]
    dataset = load_dataset("wisdm")
    assert not dataset.recordings[0].samples[:, 3:].any()
    assert len(dataset.recordings[0].samples) == 1500
    assert dataset.notes == ("no gyroscope: gx, gy and gz are 0",)
    for told in (dataset.title, dataset.terms, dataset.units["angular_rate"]):
        assert "no gyroscope" in told
    code, out, err = run("info", "wisdm")
    assert (code, "no gyroscope" in err, "no gyroscope" in out) == (0, True, True)


# ---- the command ---------------------------------------------------------------------------------


def test_the_command_imports_lists_and_describes(ucihar: Path) -> None:
    code, out, err = run("import", "ucihar", ucihar, "--label-map", "LAYING=resting")
    assert (code, err) == (0, "")
    for text in ("written to", "LAYING -> resting", "WALKING -> walking", "waist", "resting"):
        assert text in out
    assert (
        "was there already" in run("import", "ucihar", ucihar, "--label-map", "LAYING=resting")[1]
    )
    code, out, _ = run("list", "--json")
    assert [row["name"] for row in json.loads(out)] == ["hapt", "watch", "ucihar"]
    assert "har data import ucihar" in run("list")[1]
    code, out, _ = run("info", "ucihar", "--json")
    assert (code, json.loads(out)["activities"][0]["windows"]) == (0, 27)
    code, out, err = run("fetch", "ucihar")
    assert (code, "ucihar was imported" in err) == (2, True)


def test_the_command_gives_one_json_document(motionsense: Path) -> None:
    code, out, _ = run("import", "motionsense", motionsense, "--as", "pocket", "--json")
    document = json.loads(out)
    assert (code, document["name"], document["rate_hz"]) == (0, "pocket", 50.0)
    assert document["subjects"] == ["subject01", "subject02"]
    assert document["sessions"] == 6
    assert [row["name"] for row in document["activities"]] == ["walking", "sitting", "running"]
    assert document["import"]["labels"] == {
        name: name for name in ("sitting", "walking", "running")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import", "ucihar", "nowhere"], "no such file or folder"),
        (["import", "nobody", "nowhere"], "no importer 'nobody'"),
        (["import", "ucihar", "{copy}", "--rate", "0"], "rate 0 Hz"),
        (["import", "ucihar", "{copy}", "--rate", "nan"], "rate nan Hz"),
        (["import", "ucihar", "{copy}", "--label-map", "WALKING"], "OLD=NEW"),
        (["import", "ucihar", "{copy}", "--label-map", "A=b,A=c"], "each OLD once"),
    ],
)
def test_refusals_are_one_line(ucihar: Path, arguments: list[str], message: str) -> None:
    code, out, err = run(*(argument.format(copy=ucihar) for argument in arguments))
    lines = [line for line in err.splitlines() if line.startswith("har: ")]
    assert (code, out, len(lines)) == (2, "", 1)
    assert message in lines[0]


def test_a_recording_too_short_for_a_window_is_told(tmp_path: Path) -> None:
    short = made.write_own(tmp_path / "a.csv", made.motion(2, 50), ["sitting"] * 50 + ["x"] * 50)
    code, out, err = run("info", short, "--json")
    assert (code, json.loads(out)["window"]["count"]) == (0, 0)
    assert "har: 0 windows: nothing was done for 128 samples (2.56 s) at a stretch" in err
    code, out, err = run("import", "csv", short)
    assert (code, "0 windows" in err) == (0, True)
    assert load_dataset("a").activities == ("sitting", "x")
    labels = ["sitting"] * 100 + ["standing"] * 200
    part = made.write_own(tmp_path / "b.csv", made.motion(6, 50), labels)
    assert "0 windows of sitting:" in run("info", part)[2]


def test_info_takes_a_folder_of_own_files(tmp_path: Path) -> None:
    for name in ("anna", "bob"):
        labels = ["sitting"] * 150 + ["walking"] * 150
        made.write_own(tmp_path / "own" / f"{name}.csv", made.motion(6, 50), labels)
    code, out, err = run("info", tmp_path / "own", "--json")
    assert (code, err, json.loads(out)["subjects"]) == (0, "", ["anna", "bob"])
    made.write_own(tmp_path / "own" / "c.csv", made.motion(6, 25), ["sitting", "walking"] * 75, 25)
    code, out, err = run("info", tmp_path / "own")
    assert (code, "har data import csv" in err) == (2, True)


# ---- several as one ------------------------------------------------------------------------------


def test_two_sources_train_as_one(ucihar: Path, motionsense: Path) -> None:
    import_dataset("ucihar", ucihar)
    import_dataset("motionsense", motionsense)
    both = load_dataset("ucihar+motionsense", progress=False)
    assert both.activities == ("walking", "sitting", "lying", "running")
    assert both.subjects == (
        "motionsense/subject01",
        "motionsense/subject02",
        "ucihar/subject01",
        "ucihar/subject02",
        "ucihar/subject03",
    )
    windows = make_windows(both.recordings, both.activities)
    walking = windows.subset(windows.y == 0)
    assert {subject.split("/")[0] for subject in walking.subjects} == {"ucihar", "motionsense"}
    alone = [describe(load_dataset(name))["window"]["count"] for name in ("ucihar", "motionsense")]
    assert len(windows) == sum(alone)
    assert "ESANN" in both.citation and "IoTDI" in both.citation
    code, out, _ = run("info", "ucihar+motionsense", "--json")
    assert (code, json.loads(out)["name"]) == (0, "ucihar+motionsense")


def test_the_same_people_are_not_mixed(ucihar: Path, motionsense: Path, tmp_path: Path) -> None:
    import_dataset("ucihar", ucihar)
    folder = made.write_hapt(tmp_path, [(1, 1, scaled())], [(1, 1, 4, 1, 3000)])
    import_dataset("hapt", folder)
    import_dataset("motionsense", motionsense)
    import_dataset("motionsense", motionsense, name="again")
    for name in ("ucihar+hapt-original", "motionsense+again"):
        with pytest.raises(InputError, match="recorded the same people"):
            load_dataset(name)
    with pytest.raises(InputError, match="ucihar is named twice"):
        load_dataset("ucihar+ucihar")
    with pytest.raises(InputError, match="no data set 'nobody'"):
        load_dataset("ucihar+nobody")


def test_fetched_hapt_and_imported_ucihar_are_the_same_people() -> None:
    from pipeline.data import hapt
    from pipeline.data.importers import IMPORTERS

    assert hapt.SOURCE.people == IMPORTERS["ucihar"].people == IMPORTERS["hapt"].people != ""


def test_own_recordings_mix_unless_somebody_is_in_both(tmp_path: Path) -> None:
    for name, person in (("one", "anna"), ("two", "bob"), ("three", "anna")):
        labels = ["sitting"] * 1500
        made.write_own(tmp_path / name / "x.csv", made.motion(30, 50), labels, subject=person)
        import_dataset("csv", tmp_path / name)
    assert load_dataset("one+two").subjects == ("one/anna", "two/bob")
    with pytest.raises(InputError, match=r"anna is in one and in three.*one folder"):
        load_dataset("one+three")


def test_several_rates_do_not_mix(ucihar: Path, motionsense: Path) -> None:
    import_dataset("ucihar", ucihar, rate_hz=25.0)
    import_dataset("motionsense", motionsense)
    with pytest.raises(InputError, match=r"several rates \(ucihar 25 Hz, motionsense 50 Hz\)"):
        load_dataset("ucihar+motionsense")


def test_a_missing_gyroscope_is_told_of_the_mixture_too(ucihar: Path, tmp_path: Path) -> None:
    import_dataset("ucihar", ucihar)
    folder = made.write_wisdm(tmp_path, made.wisdm_records(1, "Sitting", made.motion(30, 20)))
    import_dataset("wisdm", folder, allow_missing_gyro=True)
    assert load_dataset("ucihar+wisdm").notes == ("wisdm: no gyroscope: gx, gy and gz are 0",)

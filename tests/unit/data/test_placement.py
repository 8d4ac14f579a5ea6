"""Where a recording was worn: named, written, read back, kept by imports and exports."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.board.recording import Plan
from pipeline.cli.data import app
from pipeline.core.errors import InputError
from pipeline.data import (
    Dataset,
    import_dataset,
    load_dataset,
    read_csv,
    read_csv_dataset,
    read_own_recordings,
)
from pipeline.data.cache import load_recordings
from pipeline.data.csv_writer import rescue_recordings
from pipeline.data.exports import export_dataset
from pipeline.data.importers import Given
from pipeline.data.mixed import add_own, mix
from pipeline.data.placement import check_placement, join_placements, split_placements
from tests.support import forms
from tests.support.foreign_data import motion, write_own, write_ucihar
from tests.support.own_forms import edit, write_phyphox, write_sensor_logger

WHEN = datetime(2026, 1, 31, 12, 0, 5)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


def write(path: Path, placement: str | None, seed: int = 0) -> Path:
    """A recording of 20 s; None for no column."""
    samples = motion(20, 50, seed=seed)
    write_own(path, samples, ["walking"] * len(samples), subject="anna")
    if placement is not None:
        edit(path, lambda lines: [*lines[:1], f"{lines[1]},placement", *lines[2:]])
        edit(path, lambda lines: [*lines[:2], *(f"{line},{placement}" for line in lines[2:])])
    return path


def worn(dataset: Dataset) -> dict[str, str]:
    return {each.source: each.placement for each in dataset.recordings}


# ---- names ---------------------------------------------------------------------------------------


def test_a_name_is_lower_case_with_single_blanks_and_none_is_unknown() -> None:
    assert check_placement(" Left  Wrist ") == "left wrist"
    assert check_placement("  ") == ""


@pytest.mark.parametrize("name", ["w" * 32, "wri\x07st", "unknown", "waist and wrist"])
def test_what_can_be_no_placement_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match="placement") as refused:
        check_placement(name)
    assert "\n" not in str(refused.value) and "activity" not in str(refused.value)


def test_several_are_joined_once_each_and_split_again() -> None:
    assert join_placements(["waist", "", "waist and torso", "torso"]) == "waist and torso"
    assert split_placements("waist and torso") == ("waist", "torso")
    assert split_placements("") == ()


# ---- the column ----------------------------------------------------------------------------------


def test_the_column_is_read_and_none_or_an_empty_one_is_unknown(tmp_path: Path) -> None:
    assert read_csv(write(tmp_path / "a.csv", "Wrist")).placement == "wrist"
    assert read_csv(write(tmp_path / "b.csv", "")).placement == ""
    assert read_csv(write(tmp_path / "c.csv", None)).placement == ""


def test_the_column_may_stand_anywhere(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", None)
    edit(path, lambda lines: [lines[0], f"Placement,{lines[1]}", *lines[2:]])
    edit(path, lambda lines: [*lines[:2], *(f"wrist,{line}" for line in lines[2:])])
    recording = read_csv(path)
    assert (recording.placement, recording.segments[0].activity) == ("wrist", "walking")


@pytest.mark.parametrize(
    ("line", "cell", "words"),
    [
        (500, "waist", "placement 'waist' after 'wrist'"),
        (500, "", "placement '' after 'wrist'"),
        (3, "unknown", "no placement can be called 'unknown'"),
        (4, "w" * 32, "can be no placement's name"),
    ],
)
def test_two_values_in_a_file_or_no_name_are_refused_with_file_and_line(
    tmp_path: Path, line: int, cell: str, words: str
) -> None:
    path = write(tmp_path / "a.csv", "wrist")
    edit(
        path,
        lambda lines: [
            text.removesuffix("wrist") + cell if at == line else text
            for at, text in enumerate(lines, start=1)
        ],
    )
    with pytest.raises(InputError, match=words) as refused:
        read_csv(path)
    assert str(refused.value).startswith(f"{path}, line {line}: ")
    assert "\n" not in str(refused.value)


def test_two_columns_of_the_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "wrist")
    edit(path, lambda lines: [lines[0], *(f"{line},placement" for line in lines[1:])])
    with pytest.raises(InputError, match="line 2: the header is"):
        read_csv(path)


def test_pieces_between_gaps_are_all_worn_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "wrist")
    edit(path, lambda lines: [*lines[:400], *lines[450:]])
    dataset, _ = read_own_recordings(tmp_path, 25.0)
    assert [each.placement for each in dataset.recordings] == ["wrist", "wrist"]
    assert dataset.placement == "wrist"


def test_a_data_set_of_several_names_them_all(tmp_path: Path) -> None:
    for seed, placement in enumerate(("wrist", "waist", None, "wrist")):
        write(tmp_path / f"{seed}.csv", placement, seed)
    assert read_csv_dataset(tmp_path).placement == "wrist and waist"
    assert read_own_recordings(tmp_path, 50.0)[0].placement == "wrist and waist"


# ---- what records --------------------------------------------------------------------------------


def plan(folder: Path, placement: str = "Wrist") -> Plan:
    return Plan("walking", 4.0, folder, placement=placement)


def samples_of(count: int) -> np.ndarray:
    samples = np.random.default_rng(0).normal(0, 0.1, (count, 6)).astype(np.float32)
    samples[:, 2] += 1
    return samples


def test_a_recording_says_where_it_was_worn(tmp_path: Path) -> None:
    writer = plan(tmp_path).open(WHEN, 50.0, {"subject": "me"})
    writer.write(0, samples_of(100))
    writer.close()
    recording = read_csv(writer.path)
    assert recording.placement == "wrist"
    assert recording.samples.tobytes() == samples_of(100).tobytes()


def test_without_a_placement_the_file_is_what_it_was(tmp_path: Path) -> None:
    writer = plan(tmp_path, "").open(WHEN, 50.0, {"subject": "me"})
    writer.write(0, samples_of(10))
    writer.close()
    assert "placement" not in writer.path.read_text()


def test_an_interrupted_one_is_rescued_with_its_placement(tmp_path: Path) -> None:
    writer = plan(tmp_path).open(WHEN, 50.0, {"subject": "me"})
    writer.write(0, samples_of(100))
    writer._write("2.0,0.1,0")
    writer._file.close()
    (path,) = rescue_recordings(tmp_path)
    recording = read_csv(path)
    assert (recording.placement, len(recording.samples)) == ("wrist", 100)


@pytest.mark.parametrize("placement", ["wrist, left", "unknown", "a\nb\x00"])
def test_what_no_file_can_hold_is_refused_before_recording(tmp_path: Path, placement: str) -> None:
    with pytest.raises(InputError, match="placement"):
        plan(tmp_path, placement)


# ---- imports and exports -------------------------------------------------------------------------


def own_form(name: str, root: Path) -> Path:
    """A recording in the form of that name."""
    samples = motion(20, 50)
    if name == "edge-impulse":
        return forms.write_edge_folder(root)
    if name == "sensiml":
        return forms.write_sensiml_folder(root)
    if name == "sensor-logger":
        return write_sensor_logger(root / "walk", samples, 50.0, annotations=[(0.0, "walking")])
    if name == "phyphox":
        return write_phyphox(root / "walk", samples, 50.0)
    if name == "arduino":
        rows = (samples * [1, 1, 1, *[180 / np.pi] * 3]).tolist()
        return forms.write_table(root / "walking.csv", ("aX", "aY", "aZ", "gX", "gY", "gZ"), rows)
    return write(root / "walk.csv", None)


@pytest.mark.parametrize(
    ("form", "given"),
    [
        ("csv", Given()),
        ("edge-impulse", Given(gyro_unit="deg/s")),
        ("phyphox", Given(activity="walking")),
        ("sensor-logger", Given()),
        ("arduino", Given(recorded_rate=50.0)),
        ("sensiml", Given(recorded_rate=50.0, accel_unit="m/s2", gyro_unit="rad/s")),
    ],
)
def test_a_stated_placement_is_that_of_files_that_do_not_know(
    tmp_path: Path, form: str, given: Given
) -> None:
    path = own_form(form, tmp_path / "in")
    given = dataclasses.replace(given, placement=" Wrist")
    result = import_dataset(form, path, name="mine", given=given)
    assert result["placement"] == "wrist"
    mine = load_dataset("mine")
    assert mine.placement == "wrist" and set(worn(mine).values()) == {"wrist"}


def test_the_command_shows_it_in_its_notes_and_in_json(tmp_path: Path) -> None:
    path = write(tmp_path / "in" / "a.csv", None)
    arguments = ["import", "csv", str(path), "--as", "mine", "--placement", "wrist"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "worn: wrist; as you wore it" in done.stdout
    done = CliRunner().invoke(app, [*arguments, "--json"])
    document = json.loads(done.stdout)
    assert document["placement"] == document["import"]["placement"] == "wrist"
    done = CliRunner().invoke(app, ["info", str(write(tmp_path / "b.csv", "pocket"))])
    assert "pocket" in done.stdout


def test_what_a_file_says_stays_and_another_placement_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", "wrist")
    write(tmp_path / "in" / "b.csv", None, seed=1)
    import_dataset("csv", tmp_path / "in", name="mine")
    mine = load_dataset("mine")
    assert worn(mine) == {"a.csv": "wrist", "b.csv": ""} and mine.placement == "wrist"
    with pytest.raises(InputError, match=r"a\.csv: worn at the wrist, .* --placement says waist"):
        import_dataset("csv", tmp_path / "in", name="other", given=Given(placement="waist"))


def test_an_importer_that_knows_refuses_another_and_takes_the_same(tmp_path: Path) -> None:
    samples = motion(12.8, 50)
    copy = write_ucihar(tmp_path / "copy", [("train", 1, 1, samples), ("test", 2, 1, samples)])
    with pytest.raises(InputError, match="ucihar: worn at the waist, but --placement says wrist"):
        import_dataset("ucihar", copy, given=Given(placement="wrist"))
    import_dataset("ucihar", copy, given=Given(placement="Waist"))
    assert set(worn(load_dataset("ucihar")).values()) == {"waist"}


def test_an_import_from_before_placements_were_kept_is_worn_as_it_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", None)
    result = import_dataset("csv", path, name="mine", given=Given(placement="wrist"))
    cached = Path(result["path"])
    with np.load(cached) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "placements"}
    np.savez(cached, **arrays)
    assert set(worn(load_dataset("mine")).values()) == {"wrist"}
    (recording,) = load_recordings(cached, result["sha256"])
    assert recording.placement == ""


def test_an_export_as_csv_keeps_the_placement_of_each_recording(tmp_path: Path) -> None:
    for seed, placement in enumerate(("wrist", None, '"left, ""my"" wrist"')):
        write(tmp_path / "in" / f"{seed}.csv", placement, seed)
    import_dataset("csv", tmp_path / "in", name="mine")
    export_dataset(load_dataset("mine"), "csv", tmp_path / "out")
    again, _ = read_own_recordings(tmp_path / "out", 50.0)
    assert list(worn(again).values()) == ["wrist", "", 'left, "my" wrist']


# ---- several data sets ---------------------------------------------------------------------------


def one(tmp_path: Path, name: str, placement: str | None, seed: int) -> Dataset:
    write(tmp_path / name / "a.csv", placement, seed)
    dataset, _ = read_own_recordings(tmp_path / name, 50.0)
    return dataclasses.replace(dataset, name=name, people=name)


def test_a_mixed_set_keeps_where_each_recording_was_worn(tmp_path: Path) -> None:
    parts = [one(tmp_path, f"set{at}", worn, at) for at, worn in enumerate(("wrist", None))]
    mixed = mix(parts)
    assert mixed.placement == "wrist"
    assert [each.placement for each in mixed.recordings] == ["wrist", ""]


def test_own_recordings_add_their_placement_to_one_that_is_known(tmp_path: Path) -> None:
    own, waist, unknown = (
        one(tmp_path, f"set{at}", worn, at) for at, worn in enumerate(("wrist", "waist", None))
    )
    assert add_own(waist, own).placement == "waist and wrist"
    assert add_own(waist, unknown).placement == "waist"
    assert add_own(unknown, own).placement == ""

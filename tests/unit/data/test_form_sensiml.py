"""SensiML's files are read sample for sample, or refused in one line with the place."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data import Segment, import_dataset, load_dataset, read_own_recordings
from pipeline.data.importers import Given, Reading
from tests.support import foreign_data as made
from tests.support import forms, own_forms

N = 1500
SAMPLES = made.motion(30, 50.0, "walking")
VALUES = SAMPLES * np.array([made.G] * 3 + [180 / math.pi] * 3)
TIMED = ("timestamp", *forms.SENSIML_HEADER[1:])
LABELLED = (*TIMED, "Label")
STATED = {"accel_unit": "m/s2", "gyro_unit": "deg/s"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))


def read(path: Path, **given: Any) -> Reading:
    return own_forms.read_form("sensiml", path, **given)


def refusal(path: Path, **given: Any) -> str:
    return own_forms.refusal("sensiml", path, **given)


def rows(step: float = 1, labels: list[str] | None = None) -> list[list[Any]]:
    found: list[list[Any]] = np.column_stack([np.arange(N) * step, VALUES]).tolist()
    return [[*row, label] for row, label in zip(found, labels, strict=True)] if labels else found


def write(path: Path, header: tuple[str, ...], table: list[list[Any]]) -> Path:
    return forms.write_table(path, header, table)


def close(found: np.ndarray) -> bool:
    return bool(np.allclose(found, SAMPLES.astype(np.float32), rtol=1e-6, atol=1e-7))


@pytest.mark.parametrize("step", [0.02, 20, 20_000, 20_000_000])
def test_a_timestamp_has_the_unit_that_makes_sense_and_labels_have_a_column(
    tmp_path: Path, step: float
) -> None:
    labels = ["Punch"] * 700 + [""] * 100 + ["hook"] * 700
    reading = read(write(tmp_path / "a.csv", LABELLED, rows(step, labels)), **STATED)
    (recording,) = reading.recordings
    assert close(recording.samples) and recording.rate_hz == 50.0
    assert recording.segments == (Segment(0, 700, "Punch"), Segment(800, N, "hook"))
    assert reading.warnings == ()


def test_a_sequence_counts_at_the_stated_rate_and_a_lost_number_cuts(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", forms.SENSIML_HEADER, rows())
    assert "give --recorded-rate HZ" in refusal(path)
    (recording,) = read(path, recorded_rate=50.0, activity="rowing", **STATED).recordings
    assert close(recording.samples) and recording.segments == (Segment(0, N, "rowing"),)
    write(path, forms.SENSIML_HEADER, rows()[:700] + rows()[701:])
    parts = read(path, recorded_rate=50.0, activity="rowing", **STATED).recordings
    assert [len(each.samples) for each in parts] == [700, 799]


def dcli(folder: Path, *entries: object) -> Path:
    path = folder / "labels.dcli"
    path.write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize("whole_folder", [True, False])
def test_segments_of_a_dcli_file_include_their_end_and_name_the_person(
    tmp_path: Path, whole_folder: bool
) -> None:
    path = write(tmp_path / "d" / "a.csv", TIMED, rows(20))
    dcli(path.parent, forms.dcli_entry("a.csv", [(0, 499, "Punch"), (500, 999, "hook")], "anna"))
    (recording,) = read(path.parent if whole_folder else path, **STATED).recordings
    assert recording.segments == (Segment(0, 500, "Punch"), Segment(500, 1000, "hook"))
    assert recording.subject == "anna"


def test_what_nothing_labels_is_unlabelled_with_a_warning(tmp_path: Path) -> None:
    reading = read(write(tmp_path / "a.csv", TIMED, rows(20)), **STATED)
    assert reading.recordings[0].segments == ()
    assert any("give --activity NAME" in each for each in reading.warnings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "no list of files"),
        ("[5]", "no list of files"),
        ('[{"file_name": "a.csv", ', "cut short"),
        ('[{"file_name": "a.csv", "metadata": 5}]', "its metadata are no list"),
        ('[{"file_name": "a.csv", "sessions": [5]}]', "its sessions are no list"),
        ('[{"file_name": "a.csv", "sessions": [{"segments": 5}]}]', "its segments are no list"),
        ('[{"file_name": "a.csv"}, {"file_name": "a.csv"}]', "listed twice"),
        (json.dumps([forms.dcli_entry("a.csv", [], "x" * 65)]), "a Subject of more than 64"),
        (json.dumps([forms.dcli_entry("a.csv", [(0, N, "x")])]), f"samples are 0 to {N - 1}"),
        (json.dumps([forms.dcli_entry("a.csv", [(0, 9, "x"), (9, 12, "y")])]), "two ranges"),
        (json.dumps([forms.dcli_entry("a.csv", [(0, 9, "unknown")])]), "no activity can be"),
        ('[{"file_name": "a.csv", "sessions": [{"segments": [{"start": 1}]}]}]', "a range without"),
        (
            json.dumps(
                [{"file_name": "a.csv", "sessions": 2 * [{"segments": [{"a": 1}]}]}],
            ),
            "several sessions",
        ),
    ],
)
def test_damaged_segments_are_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = write(tmp_path / "a.csv", TIMED, rows(20))
    (tmp_path / "labels.dcli").write_text(text)
    with pytest.raises(InputError) as refused:
        read(path, **STATED)
    assert words in str(refused.value) and "dcli" in str(refused.value)


RAW = np.round(SAMPLES * 8192).tolist()


@pytest.mark.parametrize(
    ("header", "table", "words"),
    [
        (TIMED[:4], [row[:4] for row in rows(20)], "no gyrX, gyrY, gyrZ among AccelerometerX"),
        (TIMED, rows(0), "the same in every line"),
        (TIMED, rows(-20), "line 3: timestamp does not increase"),
        (TIMED, rows(20)[:1], "1 samples"),
        (TIMED, [], "0 samples"),
        (TIMED, [*rows(20)[:8], [160, "nan", *rows()[8][2:]]], "line 10, column AccelerometerX"),
        (TIMED, [*rows(20)[:8], [160, "", *rows()[8][2:]]], "line 10, column AccelerometerX: ''"),
        (TIMED, [*rows(20)[:8], [160, 1]], "line 10: 2 columns; expected 7"),
        (LABELLED, rows(20, ["unknown"] * N), "line 2: no activity can be called"),
        (TIMED, [[20 * at, *row] for at, row in enumerate(RAW)], "a sensor's raw counts"),
        ((*TIMED, "accX"), [[*row, 1] for row in rows(20)], "are the same channel"),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_line(
    tmp_path: Path, header: tuple[str, ...], table: list[list[Any]], words: str
) -> None:
    assert words in refusal(write(tmp_path / "a.csv", header, table))


@pytest.mark.parametrize("rate_hz", [0.0, -50.0, math.nan, 1e9])
def test_a_stated_rate_that_can_be_none_is_refused(tmp_path: Path, rate_hz: float) -> None:
    path = write(tmp_path / "a.csv", forms.SENSIML_HEADER, rows())
    assert "--recorded-rate" in refusal(path, recorded_rate=rate_hz)


def test_import_and_train_take_them_as_what_they_say(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write(folder / "a.csv", LABELLED, rows(20, ["walking"] * N))
    import_dataset("sensiml", folder, given=Given(subject="ben"))
    dataset, (own, _) = load_dataset("mine"), read_own_recordings(folder, 50.0)
    assert (dataset.subjects, own.subjects) == (("ben",), ("a",))
    for found in (dataset, own):
        assert close(found.recordings[0].samples) and found.activities == ("walking",)

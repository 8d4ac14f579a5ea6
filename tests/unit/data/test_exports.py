"""What an export writes is, read back, the same; and an export harms nothing that is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline.cli.data import app
from pipeline.core.errors import InputError
from pipeline.data import Dataset, Recording, Segment, import_dataset, load_dataset
from pipeline.data import read_own_recordings as read_own
from pipeline.data.exports import FORMATS, export_dataset
from pipeline.data.mixed import OWN_PEOPLE
from pipeline.data.recording import UNITS
from tests.support import foreign_data as made


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))


def recording(
    seed: int = 0,
    segments: tuple[Segment, ...] = (Segment(0, 1000, "walking"),),
    subject: str = "anna",
    rate_hz: float = 50.0,
    seconds: float = 20,
    session: str = "kitchen",
) -> Recording:
    samples = made.motion(seconds, rate_hz, "walking", seed).astype(np.float32)
    return Recording(samples, rate_hz, subject, session, f"{seed}.csv", segments)


def dataset(*recordings: Recording, **more: Any) -> Dataset:
    there = [segment.activity for each in recordings for segment in each.segments]
    facts: dict[str, Any] = {
        "name": "mine",
        "title": "mine",
        "recordings": recordings,
        "activities": tuple(dict.fromkeys(there)),
        "rate_hz": recordings[0].rate_hz,
        "units": UNITS,
        "terms": "ask anna",
        "citation": "",
        "package": "",
        "version": "",
        "sha256": "",
        "people": OWN_PEOPLE,
    }
    return Dataset(**{**facts, **more})


def same(one: Dataset, other: Dataset) -> None:
    def what(found: Dataset) -> list[object]:
        return sorted(
            (each.samples.tobytes(), each.rate_hz, each.subject, each.segments)
            for each in found.recordings
        )

    assert what(one) == what(other)


SEVERAL = dataset(
    recording(1),
    recording(2, (Segment(100, 400, "walking"), Segment(400, 900, "rowing"))),
    recording(3, (Segment(0, 500, 'say "hi", anna'),), subject="Zoë, 2: a"),
    recording(4, (Segment(0, 500, "走る"), Segment(700, 1000, "notes")), subject="hapt/subject03"),
    recording(5, (), session="a, b"),
    recording(6, (Segment(3, 999, "Info"),)),
)


@pytest.mark.parametrize("form", FORMATS)
def test_export_and_import_give_the_same_to_the_bit(tmp_path: Path, form: str) -> None:
    result = export_dataset(SEVERAL, form, tmp_path / "out")
    assert (result["files"], result["samples"], result["warnings"]) == (6, 6000, [])
    import_dataset(form, tmp_path / "out", name="again")
    same(load_dataset("again"), SEVERAL)
    same(read_own(tmp_path / "out", 50.0)[0], SEVERAL)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("rate_hz", [119.0, 62.5, 25.0, 104.7])
def test_any_rate_comes_back(tmp_path: Path, form: str, rate_hz: float) -> None:
    mine = dataset(recording(1, (Segment(7, 400, "walking"),), rate_hz=rate_hz))
    export_dataset(mine, form, tmp_path / "out")
    same(read_own(tmp_path / "out", rate_hz)[0], mine)


def test_edge_impulse_gets_a_range_for_every_sample_and_the_person_as_device(
    tmp_path: Path,
) -> None:
    mine = dataset(recording(2, (Segment(100, 400, "walking"), Segment(400, 900, "rowing"))))
    export_dataset(mine, "edge-impulse", tmp_path / "out")
    labels = json.loads((tmp_path / "out" / "structured_labels.labels").read_text())
    assert labels == {
        "version": 1,
        "type": "structured-labels",
        "structuredLabels": {
            "recording.0001.json": [
                {"startIndex": 0, "endIndex": 99, "label": "unlabeled"},
                {"startIndex": 100, "endIndex": 399, "label": "walking"},
                {"startIndex": 400, "endIndex": 899, "label": "rowing"},
                {"startIndex": 900, "endIndex": 999, "label": "unlabeled"},
            ]
        },
    }
    whole = json.loads((tmp_path / "out" / "recording.0001.json").read_text())
    assert whole["payload"]["device_name"] == "anna" and whole["payload"]["interval_ms"] == 20.0
    assert set(whole) == {"protected", "signature", "payload"}


def test_one_sample_is_left_out_and_what_an_import_would_refuse_is_said(tmp_path: Path) -> None:
    one = recording(7, (), seconds=0.02)
    heavy = recording(8)
    heavy = Recording(heavy.samples * np.float32(3), 50.0, "ben", "", "8.csv", heavy.segments)
    mine = dataset(recording(1), one, heavy, people="hapt", notes=("no gyroscope",))
    result = export_dataset(mine, "csv", tmp_path / "out")
    note, refused, short, people = result["warnings"]
    assert (result["files"], note) == (2, "no gyroscope")
    assert "would refuse 1 of these files" in refused and "8.csv" in refused
    assert "1 recordings of a single sample" in short
    assert "use one of the two" in people


@pytest.mark.parametrize(
    ("mine", "form", "words"),
    [
        (dataset(recording()), "xml", "there are csv, edge-impulse"),
        (dataset(recording(subject="")), "csv", "the subject '' cannot be written"),
        (dataset(recording(subject="a\nb")), "csv", "the subject 'a\\nb' cannot be written"),
        (dataset(recording(subject="anna,")), "edge-impulse", "the subject 'anna,' cannot"),
        (dataset(recording(subject="x" * 65)), "csv", "1 to 64 printable"),
        (dataset(recording(1, (Segment(0, 9, "x" * 32),))), "csv", "can be no activity's name"),
        (dataset(recording(1, (Segment(0, 9, "Unlabeled"),))), "edge-impulse", "no activity to"),
        (dataset(recording(rate_hz=5.0, segments=())), "csv", "5 Hz"),
        (dataset(recording(7, (), seconds=0.02)), "csv", "no recording in it"),
    ],
)
def test_what_a_form_cannot_hold_is_refused_and_leaves_nothing(
    tmp_path: Path, mine: Dataset, form: str, words: str
) -> None:
    with pytest.raises(InputError) as refused:
        export_dataset(mine, form, tmp_path / "out")
    assert words in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_only_an_earlier_export_is_replaced_and_only_with_force(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()  # an empty folder is as good as none
    export_dataset(SEVERAL, "csv", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match="--force"):
        export_dataset(dataset(recording(9)), "csv", out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    with pytest.raises(InputError, match="cannot be written"):
        export_dataset(dataset(recording(9), recording(subject="")), "csv", out, force=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    export_dataset(dataset(recording(9)), "csv", out, force=True)
    assert [path.name for path in out.iterdir()] == ["walking.0001.csv"]
    (out / "walking-20260131-120000.csv").write_text("mine")
    with pytest.raises(InputError, match="which no export wrote"):
        export_dataset(dataset(recording(9)), "csv", out, force=True)
    with pytest.raises(InputError, match="a file is there"):
        export_dataset(dataset(recording(9)), "csv", out / "walking.0001.csv", force=True)
    assert (out / "walking-20260131-120000.csv").read_text() == "mine"


def test_the_command_writes_what_was_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made.write_own(tmp_path / "own" / "a.csv", made.motion(30, 50), ["walking"] * 1500, 50, "anna")
    import_dataset("csv", tmp_path / "own")
    result = CliRunner().invoke(app, ["export", "own", "--format", "edge-impulse"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "own-edge-impulse: 1 files, 1,500 samples, 1 people" in result.stdout
    again = CliRunner().invoke(
        app, ["export", "own", "--format", "edge-impulse", "--force", "--json"]
    )
    document = json.loads(again.stdout)
    assert (document["samples"], document["subjects"]) == (1500, ["anna"])
    same(read_own(Path(document["path"]), 50.0)[0], load_dataset("own"))

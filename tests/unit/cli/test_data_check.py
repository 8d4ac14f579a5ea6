"""`har data check`: what is wrong with recordings, before anything is trained on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support import foreign_data as made
from tests.support.cli import har

PNG = b"\x89PNG\r\n\x1a\n"


def _own(path: Path, activities: list[str], seed: int = 0) -> Path:
    """Twelve seconds of each activity at 50 Hz."""
    parts = [made.motion(12, 50, each, seed) for each in activities]
    labels = [each for each in activities for _ in range(600)]
    return made.write_own(path, np.concatenate(parts), labels, subject="anna")


def test_a_good_file_is_drawn_and_nothing_is_wrong(tmp_path: Path) -> None:
    _own(tmp_path / "in" / "a.csv", ["walking", "sitting"])
    done = har("data", "check", "in", "--png", "a.png", cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "a.csv: anna, 50 Hz, 0.40 min, 0 gaps; walking 0.20 min, sitting 0.20 min" in done.stdout
    assert "nothing wrong found" in done.stdout and "walking---" in done.stdout
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)
    assert "labels are not compared" in done.stderr


def test_every_file_is_looked_at_also_where_one_is_refused(tmp_path: Path) -> None:
    _own(tmp_path / "in" / "good.csv", ["walking"])
    bad = _own(tmp_path / "in" / "bad.csv", ["walking"], seed=1)
    bad.write_text(bad.read_text().replace("\n0.10000,", "\nx,", 1))
    (tmp_path / "in" / "other.json").write_text("{}")
    done = har("data", "check", "in", "--json", cwd=tmp_path)
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert [each["file"] for each in found["files"]] == ["good.csv"]
    assert found["files"][0]["samples"] == 600 and found["files"][0]["rate_hz"] == 50
    assert found["ok"] is False and len(found["errors"]) == 2
    assert "bad.csv" in found["errors"][0] and "line" in found["errors"][0]
    assert "other.json" in found["errors"][1]


def test_a_warning_is_something_wrong(tmp_path: Path) -> None:
    path = _own(tmp_path / "a.csv", ["walking", "sitting"])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:200], *lines[250:]]) + "\n")
    done = har("data", "check", "a.csv", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert (done.exit_code, found["files"][0]["gaps"], found["errors"]) == (1, 1, [])
    assert "1 gaps in time" in found["warnings"][0]


def test_labels_that_the_model_doubts_come_first(tmp_path: Path, bundle_directory: Path) -> None:
    """Windows of the data the bundle was trained on, one stretch of them with another's label."""
    from tests.support.synthetic import synthetic_task

    recording = next(r for r in synthetic_task().dataset.recordings if len(r.segments) > 1)
    labels = np.full(len(recording.samples), "", dtype=object)
    for segment in recording.segments:
        labels[segment.start : segment.stop] = segment.activity
    first = recording.segments[0]
    wrong = next(s.activity for s in recording.segments if s.activity != first.activity)
    labels[first.start : first.stop] = wrong
    made.write_own(tmp_path / "a.csv", recording.samples, labels.tolist(), subject="anna")
    done = har(
        *("data", "check", "a.csv", "--json", "--bundle", str(bundle_directory)), cwd=tmp_path
    )
    found = json.loads(done.stdout)
    worst = found["doubtful"][0]
    assert (worst["label"], worst["predicted"]) == (wrong, first.activity)
    assert first.start / 50 <= worst["start_s"] < worst["stop_s"] <= first.stop / 50
    assert worst["probability"] <= found["doubtful"][-1]["probability"] < 0.5
    assert found["agreeing"] < found["compared"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_nothing_to_look_at_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    done = har("data", "check", name, cwd=tmp_path)
    assert done.exit_code == 2 and len(done.stderr.strip().splitlines()) <= 2
    assert name in done.stderr


def test_a_published_data_set_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "UCI HAR Dataset" / "train"
    folder.mkdir(parents=True)
    (folder / "y_train.txt").write_text("1\n")
    done = har("data", "check", ".", cwd=tmp_path)
    assert done.exit_code == 2 and "har data import ucihar" in done.stderr


def test_what_was_worn_elsewhere_than_the_bundle_s_people_wore_it_is_a_warning(
    tmp_path: Path, bundle_directory: Path
) -> None:
    from pipeline.bundle import load_bundle
    from pipeline.doctor.recordings import check_recordings

    path = _own(tmp_path / "in" / "a.csv", ["walking"])
    lines = path.read_text().splitlines()
    worn = [lines[0], f"{lines[1]},placement", *(f"{line},wrist" for line in lines[2:])]
    path.write_text("\n".join(worn) + "\n")
    bundle = load_bundle(bundle_directory)
    for placement in ("", "wrist", "waist and wrist"):
        object.__setattr__(bundle, "placement", placement)
        assert check_recordings(path.parent, bundle)[0].warnings == []
    object.__setattr__(bundle, "placement", "waist")
    found, _ = check_recordings(path.parent, bundle)
    assert found.wrong and found.warnings == [
        f"{path}: worn at the wrist, but synthetic is of the waist; a model learns one placement: "
        "choose the other bundle, or `har train --placement any`"
    ]

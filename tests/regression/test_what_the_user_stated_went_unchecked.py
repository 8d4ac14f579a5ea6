"""What `har data import` was given about one's own files was taken as it was: --recorded-rate 0 was
a division by zero or was ignored, --subject took newlines, and a unit that nobody knows was ignored
where the file states its own. --subject was also the name of every file and session, so that two
files were one row in the report of a training."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import InputError
from pipeline.data import import_dataset, load_dataset
from pipeline.data.importers import Given
from pipeline.data.imports import read_own_recordings
from tests.support import forms
from tests.support.foreign_data import motion, write_own
from tests.support.own_forms import read_form, write_phyphox, write_sensor_logger


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate(("walk", "rest")):
        samples = motion(20, 50, seed=number)
        write_own(tmp_path / "own" / f"{name}.csv", samples, [name] * len(samples))
    return tmp_path / "own"


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, float("nan"), 1e9])
@pytest.mark.parametrize("form", ["csv", "edge-impulse"])
def test_an_impossible_rate_is_refused(form: str, rate_hz: float, folder: Path) -> None:
    if form == "edge-impulse":
        folder = forms.write_edge_folder(folder.parent / "edge")
    with pytest.raises(InputError, match="--recorded-rate"):
        import_dataset(form, folder, name="mine", given=Given(recorded_rate=rate_hz))


@pytest.mark.parametrize("subject", ["an\nna", " ", "a" * 65, "\x1b[31mred"])
def test_an_impossible_name_of_a_person_is_refused(subject: str, folder: Path) -> None:
    with pytest.raises(InputError, match="--subject needs 1 to 64 printable characters"):
        import_dataset("csv", folder, name="mine", given=Given(subject=subject))


@pytest.mark.parametrize(
    "given", [Given(accel_unit="furlong"), Given(gyro_unit="rpm"), Given(activity="a\nb")]
)
def test_an_unknown_unit_or_activity_is_refused_also_where_the_file_has_its_own(
    given: Given, folder: Path
) -> None:
    edge = forms.write_edge_folder(folder.parent / "edge")
    with pytest.raises(InputError, match=r"^--(accel-unit|gyro-unit|activity)"):
        import_dataset("edge-impulse", edge, name="mine", given=given)


def test_a_stated_person_leaves_files_and_sessions_their_names(folder: Path) -> None:
    import_dataset("csv", folder, name="mine", given=Given(subject=" anna  b "))
    recordings = load_dataset("mine").recordings
    assert {each.subject for each in recordings} == {"anna b"}
    assert {each.session for each in recordings} == {"rest", "walk"}
    _, rates = read_own_recordings(Path("mine"), 50.0)
    assert set(rates) == {"rest.csv", "walk.csv"}


def test_unlabeled_is_no_activity_in_any_form(folder: Path) -> None:
    walk = folder.parent / "log" / "walk"
    write_sensor_logger(walk, motion(20, 50), annotations=[(0.0, "walking"), (9.0, "unlabeled")])
    phone = write_phyphox(folder.parent / "phone" / "walk", motion(20, 50), 50.0)
    (recording,) = read_form("sensor-logger", walk.parent).recordings
    assert {each.activity for each in recording.segments} == {"walking"}
    (recording,) = read_form("phyphox", phone.parent, activity="Unlabeled").recordings
    assert recording.segments == ()

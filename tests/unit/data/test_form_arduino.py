"""punch.csv and flex.csv of the Arduino tutorials: every sample and gesture, or a refusal with the
line and the remedy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.core.errors import InputError
from pipeline.data import import_dataset, load_dataset
from pipeline.data.importers import Given
from pipeline.data.imports import read_own_recordings
from tests.support import foreign_data as made
from tests.support.own_forms import read_form, refusal

RATE_HZ = 119.0
HEADER = "aX,aY,aZ,gX,gY,gZ"
DEGREE = math.pi / 180
Samples = npt.NDArray[np.float64]


def gesture(seed: int, seconds: float = 1.0) -> Samples:
    """(n, 6) in g and deg/s, with the three decimals that the sketch prints."""
    samples = made.motion(seconds, RATE_HZ, "walking", seed)
    return np.round(samples / ([1.0] * 3 + [DEGREE] * 3), 3)


GESTURES = [gesture(seed) for seed in range(4)]


def rows_of(samples: Samples) -> list[str]:
    return [",".join(f"{value:.3f}" for value in sample) for sample in samples]


def write(path: Path, gestures: Sequence[Samples] = GESTURES, header: str = HEADER) -> Path:
    """As the serial monitor shows it: a blank line behind every gesture."""
    lines = [header] if header else []
    for samples in gestures:
        lines += [*rows_of(samples), ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def change(path: Path, edit: Callable[[str], str]) -> Path:
    path.write_text(edit(path.read_text()))
    return path


def test_each_gesture_is_a_recording_sample_for_sample(tmp_path: Path) -> None:
    reading = read_form("arduino", write(tmp_path / "punch.csv"), recorded_rate=RATE_HZ)
    assert len(reading.recordings) == 4
    for recording, samples in zip(reading.recordings, GESTURES, strict=True):
        expected = (samples * ([1.0] * 3 + [DEGREE] * 3)).astype(np.float32)
        np.testing.assert_array_equal(recording.samples, expected)
        assert (recording.rate_hz, recording.source) == (RATE_HZ, "punch.csv")
        assert [(s.start, s.stop, s.activity) for s in recording.segments] == [(0, 119, "punch")]
    assert any("the activity is the name of the file, punch" in w for w in reading.warnings)
    assert any("read as g and deg/s" in w for w in reading.warnings)


def in_stamps(text: str) -> str:
    return "".join(f"12:00:0{i % 10}.123 -> {line}\n" for i, line in enumerate(text.splitlines()))


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(str.upper, id="capitals"),
        pytest.param(lambda text: text.removeprefix(HEADER + "\n"), id="no header"),
        pytest.param(lambda text: "\n\n" + text + "\n\n\n", id="more empty lines"),
        pytest.param(lambda text: text.replace("\n\n", f"\n\n{HEADER}\n"), id="header repeated"),
        pytest.param(lambda text: text.replace("\n\n", f"\n{HEADER}\n"), id="header between"),
        pytest.param(lambda text: text.replace("\n\n", "\n,,,,,\n"), id="spreadsheet"),
        pytest.param(lambda text: text.replace(",", ";").replace(".", ","), id="decimal comma"),
        pytest.param(lambda text: text.replace(",", "\t"), id="tabs"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="Windows"),
        pytest.param(lambda text: text.replace(",", ", "), id="blanks"),
        pytest.param(in_stamps, id="timestamps of the serial monitor"),
        pytest.param(lambda text: "# made on Monday\n" + text, id="comment"),
    ],
)
def test_every_way_to_save_it_reads_the_same(tmp_path: Path, edit: Callable[[str], str]) -> None:
    path = write(tmp_path / "punch.csv")
    plain = read_form("arduino", path, recorded_rate=RATE_HZ)
    edited = read_form("arduino", change(path, edit), recorded_rate=RATE_HZ)
    assert len(edited.recordings) == len(plain.recordings)
    for one, other in zip(edited.recordings, plain.recordings, strict=True):
        assert one.samples.tobytes() == other.samples.tobytes()


def test_utf_16_of_the_clipboard_reads_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "punch.csv")
    path.write_bytes(path.read_text().encode("utf-16"))
    reading = read_form("arduino", path, recorded_rate=RATE_HZ)
    assert [len(each.samples) for each in reading.recordings] == [119] * 4


def test_what_the_user_states_wins(tmp_path: Path) -> None:
    metric = [samples * ([9.80665] * 3 + [DEGREE] * 3) for samples in GESTURES]
    (recording, *_) = read_form(
        "arduino",
        write(tmp_path / "a.csv", metric),
        recorded_rate=100.0,
        accel_unit="m/s^2",
        gyro_unit="rad/s",
        subject="anna",
        activity="flex",
    ).recordings
    assert (recording.rate_hz, recording.subject) == (100.0, "anna")
    assert recording.segments[0].activity == "flex"
    expected = GESTURES[0] * ([1.0] * 3 + [DEGREE] * 3)
    np.testing.assert_allclose(recording.samples, expected, atol=6e-4)


def test_the_rate_may_stand_in_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "punch.csv", [gesture(5, 6.0)])
    change(path, lambda text: "# rate_hz: 119\n# subject: anna\n" + text)
    dataset, rates = read_own_recordings(path, RATE_HZ)
    assert rates == {"punch.csv": RATE_HZ}
    assert (dataset.subjects, dataset.activities) == (("anna",), ("punch",))
    assert sum(len(each.samples) for each in dataset.recordings) == 714
    with pytest.raises(InputError, match="--recorded-rate 100, but rate_hz in it says 119"):
        read_form("arduino", path, recorded_rate=100.0)


def test_without_a_rate_the_whole_command_is_proposed(tmp_path: Path) -> None:
    path = write(tmp_path / "my data" / "punch.csv")
    command = f"har data import arduino '{path}' --recorded-rate 119 --as gestures"
    assert command in refusal("arduino", path)
    with pytest.raises(InputError) as refused:
        read_own_recordings(path, 50.0)
    assert command in str(refused.value) and "Rev2 at 100" in str(refused.value)
    write(tmp_path / "my data" / "flex.csv", GESTURES[:2])
    assert f"arduino '{tmp_path / 'my data'}' --rec" in refusal("arduino", tmp_path / "my data")


def test_a_folder_of_gestures_becomes_a_data_set_of_its_activities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_CACHE", str(tmp_path / "cache"))
    write(tmp_path / "all" / "punch.csv", [gesture(seed, 3.0) for seed in (1, 2)])
    write(tmp_path / "all" / "flex.csv", [gesture(seed, 3.0) for seed in (3, 4, 5)])
    given = Given(recorded_rate=RATE_HZ, subject="anna")
    import_dataset("arduino", tmp_path / "all", name="gestures", rate_hz=RATE_HZ, given=given)
    dataset = load_dataset("gestures", progress=False)
    found = [(r.source, len(r.samples), r.segments[0].activity) for r in dataset.recordings]
    assert found == [("flex.csv", 357, "flex")] * 3 + [("punch.csv", 357, "punch")] * 2
    assert (dataset.subjects, dataset.rate_hz) == (("anna",), RATE_HZ)


def test_a_lost_line_or_empty_line_is_noticed(tmp_path: Path) -> None:
    joined = [GESTURES[0], GESTURES[1], np.concatenate(GESTURES[2:]), gesture(9)]
    path = write(tmp_path / "punch.csv", joined)
    warnings = read_form("arduino", path, recorded_rate=RATE_HZ).warnings
    assert any("the one from line 242 on has 238" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("line", "text", "words"),
    [
        (5, "0.1,0.2,0.3,1.0,2.0", "line 5: 5 columns; expected 6"),
        (5, "0.1,0.2,0.3,1.0,2.0,3.0,4.0", "line 5: 7 columns; expected 6"),
        (5, "0.1,left,0.3,1.0,2.0,3.0", "line 5, column aY: 'left' is not a number"),
        (5, "0.1,nan,0.3,1.0,2.0,3.0", "line 5, column aY: nan is no usable number"),
        (5, "0.1,0.2,0.3,1e99,2.0,3.0", "line 5, column gX: 1e99 is no usable number"),
        (5, "0.1,0.2,,1.0,2.0,3.0", "line 5, column aZ: '' is not a number"),
        (5, "0.1,0.2,0.3,1.0,5000,3.0", "it was read as g and deg/s: --accel-unit"),
        (1, "aX,aY,aZ", "no recording in a form that is known"),
        (1, "time,aX,aY,aZ,gX,gY,gZ", "no recording in a form that is known"),
    ],
)
def test_a_damaged_line_is_refused_with_its_number(
    tmp_path: Path, line: int, text: str, words: str
) -> None:
    path = write(tmp_path / "punch.csv")
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines))
    assert words in refusal("arduino", path, recorded_rate=RATE_HZ)


@pytest.mark.parametrize("rate_hz", [0.0, -119.0, math.nan, math.inf, 1.0, 119000.0])
def test_a_rate_that_cannot_be_is_refused(tmp_path: Path, rate_hz: float) -> None:
    path = write(tmp_path / "punch.csv")
    assert "is sampled at 10 to 2000 Hz" in refusal("arduino", path, recorded_rate=rate_hz)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER + "\n", "0 samples"),
        (HEADER + "\n0,0,1,0,0,0\n", "1 samples"),
    ],
)
def test_a_file_without_samples_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "punch.csv"
    path.write_text(text)
    assert words in refusal("arduino", path, recorded_rate=RATE_HZ)


def test_other_units_are_refused_with_the_options(tmp_path: Path) -> None:
    metric = write(tmp_path / "punch.csv", [each * ([9.80665] * 3 + [1] * 3) for each in GESTURES])
    message = refusal("arduino", metric, recorded_rate=RATE_HZ)
    assert "it looks like m/s2" in message and "--accel-unit" in message
    with pytest.raises(InputError, match="--gyro-unit 'furlong': there are rad/s, deg/s"):
        read_form("arduino", metric, recorded_rate=RATE_HZ, gyro_unit="furlong")
    slow = write(tmp_path / "punch.csv", [each * ([1] * 3 + [DEGREE] * 3) for each in GESTURES])
    warnings = read_form("arduino", slow, recorded_rate=RATE_HZ).warnings
    assert any("if that is rad/s, give --gyro-unit rad/s" in warning for warning in warnings)


@pytest.mark.parametrize("name", ["unknown", "a" * 32])
def test_a_file_name_that_can_be_no_activity_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / f"{name}.csv")
    assert "give --activity NAME" in refusal("arduino", path, recorded_rate=RATE_HZ)
    given = {"recorded_rate": RATE_HZ, "activity": "punch"}
    assert len(read_form("arduino", path, **given).recordings) == 4

"""Files as spreadsheets, phones and careless hands leave them: read as they are meant, or refused
with the file, the line and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data import Recording, read_csv, read_csv_dataset
from pipeline.data.csv_recording import HEADER
from pipeline.data.plausibility import Samples, check_gravity
from tests.support import foreign_data as made

RATE_HZ = 50.0
N = 1500


def lines_of(
    samples: Samples | None = None,
    times: Callable[[np.ndarray], np.ndarray] = lambda at: at / RATE_HZ,
    label: str = "walking",
) -> list[str]:
    """Header and lines of half a minute of walking, at ``times`` of the samples' numbers."""
    if samples is None:
        samples = made.motion(N / RATE_HZ, RATE_HZ, "walking").astype(np.float32)
    stamps = times(np.arange(len(samples)))
    rows = [
        ",".join([f"{stamp:.9g}", *(f"{value:.4f}" for value in sample), label])
        for stamp, sample in zip(stamps, samples, strict=True)
    ]
    return [HEADER, *rows]


def read(tmp_path: Path, data: str | bytes, doubts: list[str] | None = None) -> Recording:
    path = tmp_path / "a.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_csv(path, (doubts if doubts is not None else []).append)


def refusal(tmp_path: Path, data: str | bytes) -> str:
    with pytest.raises(InputError) as refused:
        read(tmp_path, data)
    message = str(refused.value)
    assert "a.csv" in message and "\n" not in message
    return message


TEXT = "\n".join(["# subject: anna", *lines_of()])
SEMICOLONS = TEXT.replace(",", ";").replace(".", ",")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TEXT.encode("utf-8-sig"), id="byte order mark"),
        pytest.param(TEXT.encode("utf-16"), id="UTF-16 of PowerShell"),
        pytest.param(TEXT.encode("utf-16-le"), id="UTF-16 without its mark"),
        pytest.param(TEXT.encode("utf-16-be"), id="big-endian UTF-16 without its mark"),
        pytest.param(TEXT.replace("\n", "\r\n").encode(), id="Windows"),
        pytest.param(TEXT.replace("\n", "\r").encode(), id="old Macintosh"),
        pytest.param(SEMICOLONS.encode(), id="semicolons and decimal commas"),
        pytest.param(SEMICOLONS.replace(";", "\t").encode(), id="tabs and decimal commas"),
        pytest.param(TEXT.replace(",", ";").encode(), id="semicolons and decimal points"),
        pytest.param(TEXT.replace("walking", '"walking"').encode(), id="quotes"),
        pytest.param((TEXT + "\n" + ",,,,,,,\n" * 3).encode(), id="empty lines of a spreadsheet"),
        pytest.param(TEXT.replace("\n", ",,\n").encode(), id="empty columns of a spreadsheet"),
        pytest.param(
            TEXT.replace("# subject: anna", '"# subject: anna",,,,,,,').encode(),
            id="a comment that a spreadsheet padded",
        ),
        pytest.param(TEXT.replace("anna", "  anna ").encode(), id="blanks"),
        pytest.param(f"sep=,\n{TEXT}".encode(), id="a line for Excel"),
        pytest.param(f"sep=;\r\n{SEMICOLONS}".encode(), id="a line for Excel and semicolons"),
        pytest.param(
            TEXT.replace("# subject:", "#Subject =").encode(), id="keys with = and capitals"
        ),
    ],
)
def test_what_other_programs_write_is_the_same_recording(tmp_path: Path, data: bytes) -> None:
    doubts: list[str] = []
    found, plain = read(tmp_path, data, doubts), read(tmp_path, TEXT)
    assert (found.subject, found.rate_hz, found.segments) == ("anna", 50.0, plain.segments)
    assert np.array_equal(found.samples, plain.samples) and len(found.samples) == N
    assert doubts == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04" + b"\0" * 50, "a spreadsheet or a zip"),
        ("walking,Gr\xfc\xdfe".encode("latin-1"), "save it as CSV (UTF-8)"),
        (TEXT.encode()[:3000] + b"\0" * 99, "bytes that are 0"),
        (TEXT.encode("utf-16")[:3001], "neither UTF-8 nor UTF-16"),
        (TEXT.replace(".", ",").encode(), "decimal commas want ; between the columns"),
        (SEMICOLONS.replace("0,02;", "0.000,02;").encode(), "'0.000,02' is not a number"),
        (TEXT.replace("\n0.02,", "\n1_0,").encode(), "'1_0' is not a number"),
        (TEXT.replace("walking", "unknown").encode(), "line 3: no activity can be called"),
        (TEXT.replace("walking", "x" * 40).encode(), "line 3: 'xxx"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in refusal(tmp_path, data)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (lambda at: at * 20, ("0.05 Hz", "as milliseconds it would be 50 Hz", "divide by 1000")),
        (lambda at: at * 2e4, ("as microseconds it would be 50 Hz", "divide by 1e+06")),
        (lambda at: at * 2e7, ("as nanoseconds it would be 50 Hz",)),
        (lambda at: at * 1.0, ("means 1 Hz", "10 to 2000 Hz")),
        (lambda at: at * 0.5, ("means 2 Hz",)),
        (lambda at: at * 2e-5, ("5e+04 Hz",)),
        (lambda at: at * 0.0, ("the same in every line",)),
        (lambda at: at // 10 / 5, ("1,500 samples came at 150 times", "'# rate_hz: 50'")),
        (lambda at: at // 10 / 5 + at % 10 * 1e-3, ("comes in bursts", "'# rate_hz: 50'")),
        (lambda at: at // 50 * 1.0 + at % 50 * 1e-3, ("comes in bursts",)),
        (lambda at: at % 750 / 50, ("line 752", "goes back by 14.98 s", "two files")),
    ],
)
def test_the_sense_of_time_is_judged_before_units(
    tmp_path: Path, times: Callable[[np.ndarray], np.ndarray], words: tuple[str, ...]
) -> None:
    message = refusal(tmp_path, "\n".join(lines_of(times=times)))
    for word in words:
        assert word in message
    assert "deg/s" not in message and "m/s2" not in message


@pytest.mark.parametrize(
    "times",
    [lambda at: at // 10 / 5, lambda at: at // 10 / 5 + at % 10 * 1e-3],
    ids=["one stamp", "rising stamps"],
)
def test_bursts_whose_rate_is_stated_keep_every_sample(
    tmp_path: Path, times: Callable[[np.ndarray], np.ndarray]
) -> None:
    doubts: list[str] = []
    text = "\n".join(["# rate_hz: 50", *lines_of(times=times)])
    recording = read(tmp_path, text, doubts)
    assert (len(recording.samples), recording.rate_hz) == (N, 50.0)
    assert len(recording.segments) == 1
    assert len(doubts) == 1 and "a sample that was lost would not be noticed" in doubts[0]


def test_times_rounded_too_far_for_the_rate_are_read_where_it_is_stated(tmp_path: Path) -> None:
    samples = made.motion(20, 119, "walking").astype(np.float32)
    lines = lines_of(samples, lambda at: np.floor(at / 119 * 100) / 100)
    assert "# rate_hz: 119" in refusal(tmp_path, "\n".join(lines)).replace("118.9", "119")
    found = read(tmp_path, "\n".join(["# rate_hz: 119", *lines]))
    assert (len(found.samples), found.rate_hz) == (len(samples), 119.0)


def test_repeated_lines_are_named_and_counted(tmp_path: Path) -> None:
    lines = lines_of()
    once = "\n".join([*lines[:11], lines[10], *lines[11:]])
    assert "line 12: the same line again, as 1 of 1501 are" in refusal(tmp_path, once)
    twice = "\n".join([lines[0], *(line for line in lines[1:] for _ in range(2))])
    assert "line 3: the same line again, as 1500 of 3000 are" in refusal(tmp_path, twice)


def test_lost_single_samples_do_not_change_the_rate_and_are_counted(tmp_path: Path) -> None:
    lines = lines_of()
    kept = [line for at, line in enumerate(lines) if at % 20 != 7]
    doubts: list[str] = []
    found = read(tmp_path, "\n".join(kept), doubts)
    assert (found.rate_hz, len(found.samples)) == (50.0, len(kept) - 1)
    assert len(doubts) == 1 and "about 75 single samples of 1,500 are missing" in doubts[0]


@pytest.mark.parametrize("start", [1.7e9, 1.7e12 * 1e-3, -10.0])
def test_time_may_begin_anywhere(tmp_path: Path, start: float) -> None:
    rows = [line.split(",", 1)[1] for line in lines_of()[1:]]
    text = "\n".join([HEADER, *(f"{start + at / 50:.3f},{row}" for at, row in enumerate(rows))])
    assert read(tmp_path, text).rate_hz == 50.0


def test_milliseconds_since_1970_are_named(tmp_path: Path) -> None:
    rows = [line.split(",", 1)[1] for line in lines_of()[1:]]
    text = "\n".join([HEADER, *(f"{1700000000000 + 20 * at},{row}" for at, row in enumerate(rows))])
    assert "as milliseconds it would be 50 Hz" in refusal(tmp_path, text)


def test_columns_may_come_in_any_order_and_case(tmp_path: Path) -> None:
    lines = lines_of()
    turned = "\n".join(",".join(reversed(line.split(","))) for line in lines)
    found, plain = read(tmp_path, turned.replace("_g", "_G")), read(tmp_path, "\n".join(lines))
    assert np.array_equal(found.samples, plain.samples) and found.segments == plain.segments


@pytest.mark.parametrize(("rate_hz", "read_as"), [(50, 50), (119, 119), (104, 104), (62.5, 62.5)])
def test_the_rate_is_the_files_whatever_its_times_were_rounded_to(
    tmp_path: Path, rate_hz: float, read_as: float
) -> None:
    samples = made.motion(30, rate_hz, "walking").astype(np.float32)
    lines = lines_of(samples, lambda at: np.round(at / rate_hz, 3))
    assert read(tmp_path, "\n".join(lines)).rate_hz == read_as


# ---- labels and people ---------------------------------------------------------------------------


def two_files(tmp_path: Path, first: tuple[str, str], second: tuple[str, str]) -> Path:
    for name, (subject, label) in zip("ab", (first, second), strict=True):
        text = "\n".join([f"# subject: {subject}", *lines_of(label=label)])
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def test_running_and_jogging_are_two_activities_and_neither_is_renamed(tmp_path: Path) -> None:
    folder = two_files(tmp_path, ("anna", "running"), ("anna", "jogging"))
    assert read_csv_dataset(folder).activities == ("running", "jogging")


@pytest.mark.parametrize(
    ("one", "other"), [("walking", "Walking"), ("walking", "walk"), ("stairs up", "stairs_up")]
)
def test_labels_that_differ_in_spelling_alone_are_refused_with_both(
    tmp_path: Path, one: str, other: str
) -> None:
    folder = two_files(tmp_path, ("anna", one), ("bob", other))
    with pytest.raises(InputError, match=f"activity '{other}' and '{one}' are one"):
        read_csv_dataset(folder)


@pytest.mark.parametrize("other", ["Anna", "an na", "anna\N{FULLWIDTH DIGIT ONE}"])
def test_a_person_in_two_spellings_is_refused_with_both(tmp_path: Path, other: str) -> None:
    one = {"an na": "an-na", "anna\N{FULLWIDTH DIGIT ONE}": "anna1"}.get(other, "anna")
    folder = two_files(tmp_path, (one, "walking"), (other, "sitting"))
    with pytest.raises(InputError, match=f"subject '{other}' and '{one}' are one"):
        read_csv_dataset(folder)


def test_a_person_is_one_whatever_a_spreadsheet_added(tmp_path: Path) -> None:
    folder = two_files(tmp_path, ("anna", "walking"), ("anna,,,,,,,", "sitting"))
    assert read_csv_dataset(folder).subjects == ("anna",)


# ---- sensors -------------------------------------------------------------------------------------


def jumping(seconds: float = 30.0) -> Samples:
    """Half of the time in free flight, the other half twice gravity and more."""
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    flight = (at * 2.0) % 1.0 < 0.55
    up = np.where(flight, 0.05, 1.0 / 0.45 - 0.05 * 0.55 / 0.45)
    noise = np.random.default_rng(0).normal(0, 0.03, (len(at), 6))
    samples = noise + np.outer(up, [0.96, 0.2, 0.2, 0, 0, 0])
    samples[:, 4] += 0.5 * np.sin(2 * np.pi * 2.0 * at)
    return samples.astype(np.float32)


def test_flight_is_not_rest(tmp_path: Path) -> None:
    assert check_gravity([(jumping(), RATE_HZ)], "x") == pytest.approx(1.0, abs=0.1)
    assert len(read(tmp_path, "\n".join(lines_of(jumping(), label="jumping"))).samples) == N


def test_jumping_without_gravity_is_refused(tmp_path: Path) -> None:
    bare = jumping() - np.float32([0.96, 0.2, 0.2, 0, 0, 0])
    assert "gravity was taken out" in refusal(tmp_path, "\n".join(lines_of(bare)))


def test_jumping_in_other_units_is_refused_with_the_factor(tmp_path: Path) -> None:
    metric = jumping() * np.float32([9.80665] * 3 + [1] * 3)
    assert "m/s2: divide by 9.80665" in refusal(tmp_path, "\n".join(lines_of(metric)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ([1, 1, 1, -1, 1, 1], "-gx, gy, gz"),
        ([-1, 1, 1, 1, 1, 1], "gx, -gy, -gz"),
        ([1, 1, 1, -1, -1, -1], "-gx, -gy, -gz"),
    ],
)
def test_an_inverted_axis_is_warned_of(tmp_path: Path, change: list[int], words: str) -> None:
    samples = made.motion(60, RATE_HZ).astype(np.float32) * np.float32(change)
    doubts: list[str] = []
    read(tmp_path, "\n".join(lines_of(samples)), doubts)
    assert len(doubts) == 1 and words in doubts[0] and "inverted or swapped" in doubts[0]


def test_a_swapped_gyroscope_is_warned_of(tmp_path: Path) -> None:
    samples = made.motion(60, RATE_HZ).astype(np.float32)[:, [0, 1, 2, 4, 3, 5]]
    doubts: list[str] = []
    read(tmp_path, "\n".join(lines_of(samples)), doubts)
    assert len(doubts) == 1 and "gy, gx, gz" in doubts[0]


def test_half_of_gravity_is_refused(tmp_path: Path) -> None:
    samples = made.motion(30, RATE_HZ, "walking").astype(np.float32)
    samples[:, :3] *= 0.5
    assert "not about 1 g" in refusal(tmp_path, "\n".join(lines_of(samples)))


def test_raw_numbers_of_a_sensor_are_named(tmp_path: Path) -> None:
    samples = made.motion(30, RATE_HZ, "walking").astype(np.float32) * np.float32(
        [8192] * 3 + [1] * 3
    )
    assert "8192 a g: divide by 8192" in refusal(tmp_path, "\n".join(lines_of(samples)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: np.clip(s * 1.6, -1.0, 1.0), "is cut off at 1 in"),
        (
            lambda s: np.concatenate([s[:500], np.repeat(s[500:501], 500, 0), s[1000:]]),
            "stand still",
        ),
    ],
    ids=["cut off", "hung"],
)
def test_a_range_too_small_and_a_link_that_hung_are_warned_of(
    tmp_path: Path, change: Callable[[Samples], Samples], words: str
) -> None:
    samples = made.motion(30, RATE_HZ, "walking").astype(np.float32)
    doubts: list[str] = []
    read(tmp_path, "\n".join(lines_of(change(samples))), doubts)
    assert any(words in doubt for doubt in doubts)


@pytest.mark.parametrize("axis", range(6))
def test_a_stuck_axis_is_warned_of(tmp_path: Path, axis: int) -> None:
    samples = made.motion(30, RATE_HZ, "walking").astype(np.float32)
    samples[:, axis] = 0.97 if axis == 0 else 0.0
    doubts: list[str] = []
    read(tmp_path, "\n".join(lines_of(samples)), doubts)
    assert any("a stuck axis" in doubt for doubt in doubts)


def test_a_gyroscope_of_zeros_is_warned_of(tmp_path: Path) -> None:
    samples = made.motion(30, RATE_HZ).astype(np.float32)
    samples[:, 3:] = 0
    doubts: list[str] = []
    read(tmp_path, "\n".join(lines_of(samples)), doubts)
    assert any("no gyroscope: gx, gy and gz are 0 in every line" in doubt for doubt in doubts)

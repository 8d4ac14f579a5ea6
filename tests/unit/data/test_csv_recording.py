from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.data import Segment, make_windows, read_csv, read_csv_dataset

HEADER = "time_s,ax_g,ay_g,az_g,gx_rads,gy_rads,gz_rads,activity"


def row(time_s: float, activity: str = "walking", scale: float = 1.0, turn: float = 0.1) -> str:
    wobble = 0.02 * math.sin(time_s)
    values = [time_s, wobble * scale, 0.1 * scale, 0.99 * scale, turn, wobble, 0.0]
    return ",".join(f"{value:.6f}" for value in values) + f",{activity}"


def rows(count: int = 300, rate_hz: float = 50.0, **options: float) -> list[str]:
    half = count // 2
    return [row(i / rate_hz, "walking" if i < half else "sitting", **options) for i in range(count)]


def write(tmp_path: Path, *parts: str | list[str], header: str = HEADER, end: str = "\n") -> Path:
    lines = [
        line
        for part in (*parts[:-1], header, parts[-1])
        for line in ([part] if isinstance(part, str) else part)
    ]
    path = tmp_path / "mine.csv"
    path.write_bytes((end.join(lines) + end).encode())
    return path


def test_a_good_file_becomes_a_recording(tmp_path: Path) -> None:
    comments = ["# rate_hz: 50", "# subject: anna", "# session: anna/kitchen", "# just a remark"]
    recording = read_csv(write(tmp_path, comments, rows()))
    assert recording.samples.shape == (300, 6)
    assert recording.samples[0].tolist() == pytest.approx([0, 0.1, 0.99, 0.1, 0, 0])
    assert (recording.rate_hz, recording.subject, recording.session, recording.source) == (
        50.0,
        "anna",
        "anna/kitchen",
        "mine.csv",
    )
    assert recording.segments == (Segment(0, 150, "walking"), Segment(150, 300, "sitting"))


def test_comments_are_optional_and_the_rate_is_measured(tmp_path: Path) -> None:
    recording = read_csv(write(tmp_path, rows(rate_hz=104.0)))
    assert (recording.subject, recording.session) == ("mine", "mine")
    assert recording.rate_hz == 104.0


def test_a_byte_order_mark_windows_line_ends_and_blanks_do_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path, "", rows(), end="\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b",", b" , ") + b"\r\n\r\n")
    assert read_csv(path).segments[1] == Segment(150, 300, "sitting")


def test_an_empty_activity_is_unlabelled(tmp_path: Path) -> None:
    lines = [row(i / 50, ["walking", "", "sitting"][i // 100]) for i in range(300)]
    segments = read_csv(write(tmp_path, lines)).segments
    assert segments == (Segment(0, 100, "walking"), Segment(200, 300, "sitting"))


def test_a_gap_ends_a_segment_and_is_told(tmp_path: Path) -> None:
    lines = [row((i if i < 100 else i + 7) / 50, "walking") for i in range(300)]
    doubts: list[str] = []
    recording = read_csv(write(tmp_path, "# rate_hz: 50", lines), doubts.append)
    assert [doubt.split(": ")[1] for doubt in doubts] == [
        "1 gaps in time, the first before line 103; no window will straddle them"
    ]
    assert recording.segments == (Segment(0, 100, "walking"), Segment(100, 300, "walking"))
    assert make_windows([recording], ["walking"], 64, 64).start.tolist() == [0, 100, 164, 228]


def test_jitter_is_no_gap_and_no_wrong_rate(tmp_path: Path) -> None:
    jitter = np.random.default_rng(0).uniform(-0.006, 0.006, 300)
    lines = [row(i / 50 + jitter[i], "ab"[i // 150]) for i in range(300)]
    assert read_csv(write(tmp_path, "# rate_hz: 50", lines)).rate_hz == 50.0


def test_no_activity_at_all_is_no_dataset(tmp_path: Path) -> None:
    path = write(tmp_path, [row(i / 50, "") for i in range(100)])
    assert read_csv(path).segments == ()
    with pytest.raises(InputError, match="last column"):
        read_csv_dataset(path)


def test_a_file_makes_a_dataset(tmp_path: Path) -> None:
    dataset = read_csv_dataset(write(tmp_path, rows()))
    assert (dataset.name, dataset.activities) == ("mine", ("walking", "sitting"))
    assert len(dataset.sha256) == 64


def replaced(index: int, line: str) -> list[str]:
    lines = rows()
    lines[index] = line
    return lines


NAN_ROW = row(10 / 50).replace("0.990000", "nan")
REFUSALS: dict[str, tuple[list[str], str]] = {
    "empty": ([], "no header"),
    "only comments": (["# rate_hz: 50"], "no header"),
    "no samples": ([HEADER], "0 samples"),
    "one sample": ([HEADER, row(0)], "1 samples"),
    "no header": (rows(), "line 1: the header is"),
    "other header": (["t,x,y,z", *rows()], "line 1: the header is 't,x,y,z'; it must be time_s"),
    "column missing": ([HEADER, *replaced(7, "1,2,3")], "line 9: 3 columns; expected 8"),
    "column too many": ([HEADER, *replaced(7, row(0) + ",x")], "line 9: 9 columns"),
    "blank line inside": ([HEADER, *replaced(7, "")], "line 9: 1 columns"),
    "word": ([HEADER, *replaced(7, row(0.14).replace("0.99", "x"))], "line 9, column az_g: 'x"),
    "nan": ([HEADER, *replaced(10, NAN_ROW)], "line 12, column az_g: nan"),
    "inf": ([HEADER, *replaced(10, NAN_ROW.replace("nan", "-inf"))], "line 12, column az_g: -inf"),
    "huge": ([HEADER, *replaced(10, NAN_ROW.replace("nan", "1e39"))], "line 12, column az_g"),
    "time stands": ([HEADER, *replaced(10, row(9 / 50))], "line 12: the same line again"),
    "time goes back": ([HEADER, *replaced(10, row(0.01))], "line 12: time_s does not increase"),
    "time is nan": ([HEADER, *replaced(10, "nan" + row(0)[8:])], "line 12, column time_s"),
    "rate": (["# rate_hz: 100", HEADER, *rows()], "100 Hz but time_s says 50 Hz.*resample"),
    "rate 6 %": (["# rate_hz: 50", HEADER, *rows(rate_hz=53.0)], "says 53 Hz"),
    "rate word": (["# rate_hz: fast", HEADER, *rows()], "'fast' is not a positive number"),
    "rate zero": (["# rate_hz: 0", HEADER, *rows()], "'0' is not a positive number"),
    "rate nan": (["# rate_hz: nan", HEADER, *rows()], "'nan' is not a positive number"),
    "twice": (["# subject: a", "# subject: b", HEADER, *rows()], "line 2: subject is given twice"),
    "no name": (["# subject:", HEADER, *rows()], "line 1: subject needs"),
    "long name": (
        [HEADER, *replaced(3, row(0.06, "x" * 65))],
        "line 5: 'x+' can be no activity",
    ),
    "m/s2": ([HEADER, *rows(scale=9.80665)], "looks like m/s2: divide by 9.80665"),
    "milli-g": ([HEADER, *rows(scale=1000.0)], "looks like milli-g"),
    "no gravity": ([HEADER, *rows(scale=0.05)], "gravity was taken out"),
    "half g": ([HEADER, *rows(scale=0.5)], "not about 1 g"),
    "deg/s": ([HEADER, *rows(turn=90.0)], r"looks like deg/s: multiply by pi/180"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_wrong_files_are_refused_with_the_place_and_what_to_do(tmp_path: Path, case: str) -> None:
    lines, reason = REFUSALS[case]
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=rf"mine\.csv.*{reason}") as caught:
        read_csv(path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(HEADER.encode() + b"\n\xff\xfe")
    with pytest.raises(InputError, match="byte 55"):
        read_csv(path)


def test_hard_motion_is_not_taken_for_wrong_units(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = []
    for i in range(500):
        a = random.normal(scale=2.5, size=3) if i > 100 else np.zeros(3)
        w = random.uniform(-19, 19, size=3)
        values = [i / 50, a[0], a[1], a[2] + 1, *w]
        lines.append(",".join(f"{v:.5f}" for v in values) + f",{'ab'[i % 250 > 100]}")
    assert read_csv(write(tmp_path, lines)).samples.shape == (500, 6)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_damage_gives_a_recording_or_one_clear_line(
    tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(write(tmp_path, "# rate_hz: 50", rows(60)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    try:
        read_csv(path)
    except InputError as error:
        assert "mine.csv" in str(error)
        assert len(str(error).splitlines()) == 1

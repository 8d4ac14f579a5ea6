from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.data import Recording, make_windows
from tests.unit.data.fakes import recording

NAMES = ["walking", "sitting", "lying"]


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    at = 0
    segments = []
    for _ in range(draw(st.integers(0, 5))):
        at += draw(st.integers(0, 20))
        length = draw(st.integers(1, 60))
        segments.append((at, at + length, draw(st.sampled_from([*NAMES, "stand-to-sit"]))))
        at += length
    subject = draw(st.sampled_from(["subject01", "subject02"]))
    return recording(segments, samples=at + draw(st.integers(1, 20)), subject=subject)


@given(
    st.lists(recordings(), max_size=3),
    st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    st.integers(1, 40),
    st.integers(1, 50),
)
def test_every_window_lies_in_one_segment_and_none_is_missing(
    made: list[Recording], activities: list[str], length: int, hop: int
) -> None:
    windows = make_windows(made, activities, length, hop)

    expected = [
        (number, start, segment.activity)
        for number, one in enumerate(made)
        for segment in one.segments
        if segment.activity in activities
        for start in range(segment.start, segment.stop - length + 1, hop)
    ]
    found = list(
        zip(
            windows.recording.tolist(),
            windows.start.tolist(),
            [activities[index] for index in windows.y],
            strict=True,
        )
    )
    assert found == expected
    assert len(windows) == sum(
        max(0, (len(segment) - length) // hop + 1)
        for one in made
        for segment in one.segments
        if segment.activity in activities
    )
    for index, (number, start, _) in enumerate(expected):
        assert np.array_equal(windows.x[index], made[number].samples[start : start + length])
        assert windows.subjects[index] == made[number].subject
        assert windows.sessions[index] == made[number].session


def test_shapes_and_types_are_as_promised_even_without_a_window() -> None:
    for made in ([], [recording([(0, 300, "walking")])]):
        windows = make_windows(made, ["walking", "sitting"])
        count = 3 if made else 0
        assert windows.x.shape == (count, 128, 6)
        assert windows.x.dtype == np.float32
        assert windows.y.dtype == windows.start.dtype == windows.recording.dtype == np.int64
        assert windows.subjects.dtype.kind == windows.sessions.dtype.kind == "U"
        assert windows.activities == ("walking", "sitting")


def test_windows_do_not_share_memory_with_the_recording() -> None:
    one = recording([(0, 200, "walking")])
    windows = make_windows([one], ["walking"])
    windows.x[:] = -1
    assert one.samples[0, 0] == 0


@pytest.mark.parametrize(
    ("activities", "length", "hop"),
    [([], 10, 5), (["walking", "walking"], 10, 5), (["walking"], 0, 5), (["walking"], 10, 0)],
)
def test_impossible_questions_are_refused(activities: list[str], length: int, hop: int) -> None:
    with pytest.raises(InputError):
        make_windows([], activities, length, hop)


def test_recordings_of_several_rates_are_refused() -> None:
    made = [recording([(0, 9, "a")], rate_hz=rate_hz) for rate_hz in (50.0, 100.0)]
    with pytest.raises(InputError, match=r"50\.0, 100\.0.*resample"):
        make_windows(made, ["a"])

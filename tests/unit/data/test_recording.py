from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.data import Recording, Segment, Windows, make_windows
from tests.unit.data.fakes import recording


def build(samples: object = None, rate_hz: float = 50.0, segments: tuple = ()) -> Recording:
    values = np.zeros((10, 6), np.float32) if samples is None else samples
    return Recording(values, rate_hz, "anna", "anna/1", "test", segments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "samples",
    [np.zeros((10, 6)), np.zeros((10, 5), np.float32), np.zeros(60, np.float32)],
    ids=["float64", "five columns", "one dimension"],
)
def test_wrong_type_or_shape_is_refused(samples: object) -> None:
    with pytest.raises(InputError, match=r"float32 \(n, 6\)"):
        build(samples)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_with_its_place(bad: float) -> None:
    samples = np.zeros((10, 6), np.float32)
    samples[7, 4] = bad
    with pytest.raises(InputError, match=r"anna/1.*sample 7, column gy"):
        build(samples)


@pytest.mark.parametrize("rate_hz", [0.0, -50.0, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(rate_hz: float) -> None:
    with pytest.raises(InputError, match="rate"):
        build(rate_hz=rate_hz)


@pytest.mark.parametrize(
    "segments",
    [
        [(0, 11, "a")],
        [(-1, 4, "a")],
        [(4, 4, "a")],
        [(5, 3, "a")],
        [(0, 5, "a"), (4, 8, "b")],
        [(5, 8, "a"), (0, 5, "b")],
        [(0, 5, "")],
    ],
)
def test_segments_out_of_range_order_or_overlapping_are_refused(segments: list) -> None:
    with pytest.raises(InputError, match="segment"):
        build(segments=tuple(Segment(*segment) for segment in segments))


def test_samples_cannot_be_changed_and_the_callers_array_stays_writable() -> None:
    mine = np.zeros((10, 6), np.float32)
    made = build(mine)
    with pytest.raises(ValueError, match="read-only"):
        made.samples[0, 0] = 1
    mine[0, 0] = 1
    assert made.duration_s == 0.2


@pytest.fixture
def windows() -> Windows:
    recordings = [
        recording([(0, 40, "walking"), (40, 80, "sitting")], subject="subject01"),
        recording([(0, 40, "sitting")], subject="subject02"),
    ]
    return make_windows(recordings, ["walking", "sitting"], length=10, hop=10)


def test_subset_keeps_every_column_aligned(windows: Windows) -> None:
    sitting = windows.subset(windows.y == 1)
    assert len(sitting) == 8
    assert sitting.start.tolist() == [40, 50, 60, 70, 0, 10, 20, 30]
    assert sitting.x[:, 0, 0].tolist() == sitting.start.tolist()
    assert sitting.recording.tolist() == [0] * 4 + [1] * 4


def test_for_subjects_takes_whole_people(windows: Windows) -> None:
    assert set(windows.for_subjects(["subject02"]).subjects) == {"subject02"}
    assert len(windows.for_subjects(["subject02", "subject01"])) == len(windows)
    assert len(windows.for_subjects([])) == 0
    assert len(windows.for_subjects(["nobody"])) == 0
    with pytest.raises(InputError, match="collection"):
        windows.for_subjects("subject01")


def test_windows_that_do_not_fit_each_other_are_refused(windows: Windows) -> None:
    with pytest.raises(InputError, match="start"):
        dataclasses.replace(windows, start=windows.start[:-1])
    with pytest.raises(InputError, match="activities"):
        dataclasses.replace(windows, activities=("walking",))
    with pytest.raises(InputError, match=r"\(N, T, 6\)"):
        dataclasses.replace(windows, x=windows.x[:, :, :5])

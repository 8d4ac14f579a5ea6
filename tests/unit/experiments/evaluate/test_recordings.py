from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle import load_bundle
from pipeline.data import Recording, Segment
from pipeline.experiments.evaluate.measure import (
    KNOWN,
    MIXED,
    TRANSITION,
    UNLABELLED,
    UNSEEN,
    Followed,
    _begun,
    _kinds,
    follow,
    recordings_report,
)
from pipeline.training.task import Task


def _followed(truth: list[int], said: list[int], smoothed: list[int], **more: object) -> Followed:
    n = len(truth)
    fields: dict[str, object] = {
        "kind": np.where(np.array(truth) >= 0, KNOWN, TRANSITION),
        "truth": np.array(truth),
        "said": np.array(said),
        "smoothed": np.array(smoothed),
        "unknown": np.zeros(n, bool),
        "session": np.array(["s"] * n),
        "place": np.zeros(n, int),
        "now": np.full(n, -1),
        "begun": np.full(n, -1),
        "since": np.full(n, np.nan),
    }
    return Followed(**{**fields, **more})  # type: ignore[arg-type]


def test_every_window_of_a_recording_has_its_kind() -> None:
    recording = Recording(
        samples=np.zeros((60, 6), np.float32),
        rate_hz=50.0,
        subject="p",
        session="p/1",
        source="made up",
        segments=(Segment(0, 20, "b"), Segment(20, 30, "b-to-a"), Segment(30, 42, "a")),
    )
    starts = np.array([0, 10, 12, 15, 22, 32, 34, 45])
    kind, truth = _kinds(recording, starts, 10, ["a", "b"])
    expected = [KNOWN, KNOWN, MIXED, TRANSITION, TRANSITION, KNOWN, MIXED, UNLABELLED]
    assert kind.tolist() == expected
    assert truth.tolist() == [1, 1, -1, -1, -1, 0, -1, -1]


def test_only_windows_of_one_activity_are_judged_and_a_change_has_its_delay() -> None:
    truth = [0, 0, -1, 1, 1, 1, 0, 0]
    said = [0, 0, 2, 1, 0, 1, 0, 0]
    late = [0, 0, 0, 0, 0, 1, 1, 1]
    report = recordings_report([_followed(truth, said, late)], 1.28, None)
    assert report.known_windows == 7
    assert report.plain.accuracy == pytest.approx(6 / 7, abs=1e-6)
    assert report.smoothed.accuracy == pytest.approx(3 / 7, abs=1e-6)
    assert report.plain.changes == report.smoothed.changes == 2
    assert report.plain.delay_windows_median == 0.0
    # The first change was shown after two windows; the second never, for both of its windows.
    assert report.smoothed.delay_windows_median == 2.0


def test_the_delay_in_seconds_counts_from_the_first_sample_of_the_new_activity() -> None:
    recording = Recording(
        samples=np.zeros((100, 6), np.float32),
        rate_hz=10.0,
        subject="p",
        session="p/1",
        source="made up",
        segments=(
            Segment(0, 20, "b"),
            Segment(20, 30, "b-to-a"),
            Segment(30, 50, "a"),
            Segment(50, 60, "a"),
            Segment(60, 90, "b"),
        ),
    )
    ends = np.array([9, 19, 29, 34, 39, 49, 64, 69, 79, 95])
    now, begun, since = _begun(recording, ends, ["a", "b"])
    assert now.tolist() == [-1, -1, -1, 0, 0, 0, 1, 1, 1, -1]
    assert begun.tolist() == [-1, -1, -1, 30, 30, 30, 60, 60, 60, -1]
    assert since[3:9].tolist() == [0.5, 1.0, 2.0, 0.5, 1.0, 2.0]
    late = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]  # a after 1 s, b never
    one = _followed([-1] * 9 + [0], [1] * 10, late, now=now, begun=begun, since=since)
    report = recordings_report([one], 1.0, None)
    assert report.smoothed.delay_s_mean == pytest.approx((1.0 + 2.0) / 2)
    assert report.plain.delay_s_mean == pytest.approx((2.0 + 0.5) / 2)


def test_a_new_recording_is_no_change_of_activity() -> None:
    place = np.array([0, 0, 1, 1])
    report = recordings_report(
        [_followed([0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], place=place)], 1.28, None
    )
    assert report.plain.changes == 0 and report.plain.delay_windows_p95 == 0.0


def test_unknown_is_counted_for_what_is_known_and_for_what_is_not() -> None:
    kind = np.array([KNOWN, KNOWN, TRANSITION, UNLABELLED, UNSEEN, UNSEEN])
    one = _followed(
        [0, 1, -1, -1, -1, -1],
        [0] * 6,
        [0] * 6,
        kind=kind,
        unknown=np.array([0, 1, 1, 0, 1, 0], bool),
        place=np.array([0, 0, 0, 0, -1, -1]),
    )
    report = recordings_report([one, one], 1.28, "watch")
    assert report.false_reject == 0.5
    found = {name: (each.unknown, each.windows) for name, each in report.detection.items()}
    assert found == {"transition": (1.0, 2), "unlabelled": (0.0, 2), "watch": (0.5, 4)}
    assert "watch" not in recordings_report([one], 1.28, None).detection


def test_the_worst_session_is_named() -> None:
    one = _followed(
        [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 1, 1], session=np.array(["a", "a", "b", "b"])
    )
    report = recordings_report([one], 1.28, None)
    assert (report.plain.worst_session_name, report.plain.worst_session) == ("b", 0.5)
    assert report.smoothed.worst_session == 1.0


def test_a_bundle_follows_whole_recordings_of_test_people_only(
    task: Task, bundle_directory: Path
) -> None:
    bundle = load_bundle(bundle_directory)
    unseen = replace(task.windows.subset(np.arange(5)), activities=("x", "y", "z"))
    found = follow(bundle, task, unseen)
    recordings = [r for r in task.dataset.recordings if r.subject in task.split.test]
    counts = [1 + (len(r.samples) - 128) // 64 for r in recordings]
    assert np.bincount(found.place[found.place >= 0]).tolist() == counts
    assert (found.kind == UNSEEN).sum() == 5 and (found.kind == KNOWN).sum() > 100
    assert set(found.session[found.place >= 0].tolist()) == {r.session for r in recordings}
    known = found.kind == KNOWN
    assert (found.said[known] == found.truth[known]).mean() > 0.5
    # The smoother starts anew with every recording.
    alone = replace(task, dataset=replace(task.dataset, recordings=(recordings[-1],)))
    again = follow(bundle, alone, None)
    assert np.array_equal(again.smoothed, found.smoothed[found.place == len(recordings) - 1])

"""Recorded people in front of a board: what is streamed, what is counted, what is taught."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.board.client import Client
from pipeline.board.errors import NoAnswer
from pipeline.board.playback import (
    Stretch,
    labelled_windows,
    recent_numbers,
    replay,
    stretches,
    teach,
    teach_recent,
)
from pipeline.core.errors import InputError
from pipeline.data import Dataset, Recording, Segment, selection
from pipeline.data.selection import Selection, as_activity, select
from tests.support.fake_board import ACTIVITIES, FakeBoard, FakeWire, Faults

LEVEL = {name: level for level, name in enumerate(ACTIVITIES)} | {"jumping": 1}


def recording(*parts, subject="anna", rate_hz=50.0, labelled=True):
    """One after another, `parts` = (activity, samples); None is unlabelled."""
    samples, segments, at = [], [], 0
    for activity, count in parts:
        piece = np.zeros((count, 6), np.float32)
        piece[:, 0] = LEVEL.get(activity, 0)
        samples.append(piece)
        if labelled and activity is not None:
            segments.append(Segment(at, at + count, activity))
        at += count
    return Recording(
        np.concatenate(samples), rate_hz, subject, f"{subject}/1", "made up", tuple(segments)
    )


@pytest.fixture
def client():
    with Client(FakeWire(FakeBoard()), timeout_s=0.02) as opened:
        yield opened


def shapes(found):
    return [(s.activity, len(s.samples)) for s in found]


def test_each_segment_the_board_knows_is_one_stretch(client):
    one = recording(
        ("walking", 300), (None, 200), ("jumping", 300), ("lying", 127), ("sitting", 128)
    )
    assert shapes(stretches([one], client)) == [("walking", 300), ("sitting", 128)]


def test_a_number_of_windows_is_kept_to(client):
    people = [recording(("walking", 300)), recording(("lying", 300))]
    found = stretches(people, client, windows=4)
    assert shapes(found) == [("walking", 256), ("lying", 128)]
    assert len(replay(client, found).answers) == 4


def test_an_unlabelled_recording_is_one_stretch(client):
    found = stretches([recording((None, 200))], client)
    assert shapes(found) == [(None, 200)]
    assert replay(client, found).document()["accuracy"] is None


def test_nothing_to_stream_is_refused(client):
    with pytest.raises(InputError, match="nothing to stream"):
        stretches([recording(("jumping", 500))], client)


def test_what_was_recorded_at_another_rate_is_streamed_at_the_model_s(client):
    found = stretches([recording(("walking", 600), rate_hz=100.0)], client)
    assert shapes(found) == [("walking", 300)]


def test_predictions_stand_beside_the_labels(client):
    people = [
        recording(("walking", 256), ("sitting", 128), subject="anna"),
        recording(("lying", 192), subject="bob"),
    ]
    found = stretches(people, client)
    found.append(Stretch("bob", "walking", found[-1].samples))  # he only says so
    grown = []
    result = replay(client, found, on_stretch=lambda r: grown.append(len(r.answers)))
    assert grown == [3, 4, 6, 8]
    document = result.document()
    assert document["accuracy"] == 6 / 8
    assert document["subject_accuracy"] == {"anna": 1.0, "bob": 0.5}
    assert document["confusion"] == [[3, 0, 2], [0, 1, 0], [0, 0, 2]]
    assert document["worst_subject"] == {"id": "bob", "accuracy": 0.5}
    assert (document["segments"], document["samples_sent"]) == (4, 768)
    assert (document["samples_lost"], document["predictions_missing"]) == (0, 0)


def test_lessons_take_turns_and_say_when_there_are_too_few(client):
    found = stretches([recording(("walking", 300), ("lying", 192), ("walking", 128))], client)
    lessons = labelled_windows(found, client, per_activity=2)
    assert [name for _, name in lessons] == ["walking", "lying", "walking", "lying"]
    assert all(samples.shape == (128, 6) for samples, _ in lessons)
    with pytest.raises(InputError, match="lying has 2 windows, not 3"):
        labelled_windows(found, client, per_activity=3)
    with pytest.raises(InputError, match="give its --activity"):
        labelled_windows([Stretch("anna", None, found[0].samples)], client, per_activity=1)


def test_a_board_that_answers_more_often_is_judged_and_taught_every_half_window():
    board = FakeBoard()
    board.hello = dataclasses.replace(board.hello, hop=16)
    people = [recording(("walking", 300), ("lying", 192))]
    with Client(FakeWire(board), timeout_s=0.02) as often:
        found = stretches(people, often, windows=4)
        assert shapes(found) == [("walking", 256), ("lying", 128)]
        result = replay(often, found)
        lessons = labelled_windows(stretches(people, often), often, per_activity=2)
    assert board.windows == 1 + 128 // 16 + 1
    assert (len(result.answers), result.predictions_missing) == (4, 0)
    assert [len(samples) for samples, _ in lessons] == [128] * 4


def test_each_lesson_is_learned_once(client):
    found = stretches([recording(("walking", 300), ("lying", 192))], client)
    heard = []
    done = teach(client, labelled_windows(found, client, per_activity=2), on_update=heard.append)
    assert done == heard
    assert [lesson.learned.updates for lesson in done] == [1, 2, 3, 4]
    assert client.head().labels == (2, 0, 2)


def test_a_window_lost_on_the_way_is_shown_again():
    wire = FakeWire(FakeBoard(), Faults(host=lambda n: "drop" if n == 6 else ""))
    with Client(wire, timeout_s=0.02) as client:
        samples = recording(("sitting", 128)).samples
        done = teach(client, [(samples, "sitting")] * 2)
    assert [lesson.learned.updates for lesson in done] == [1, 2]
    assert wire.board.received == 1 + 96 + 128 + 128


def test_the_windows_of_the_last_seconds_are_labelled_in_their_order(client):
    # The newest came now, each other 1.28 s before the next; a window takes 2.56 s.
    client.stream(recording(("sitting", 128 + 8 * 64)).samples)
    assert recent_numbers(client, 6.4) == [6, 7, 8, 9]
    assert recent_numbers(client, 60) == [2, 3, 4, 5, 6, 7, 8, 9]
    with pytest.raises(InputError, match=r"no whole window of the last 2\.5 s: a window takes 2"):
        recent_numbers(client, 2.5)
    heard = []
    done = teach_recent(client, "sitting", [1, 8, 9], on_update=heard.append)
    assert done == heard and len(done) == 2  # the first is gone
    assert [lesson.learned.end_index for lesson in done] == [8, 9]


def test_a_board_that_has_not_moved_yet_has_nothing_to_label(client):
    with pytest.raises(InputError, match=r"it keeps 0 windows$"):
        recent_numbers(client, 10)


def test_a_board_without_predictions_cannot_be_taught(client):
    client._link.transport.board.predict = lambda _: b""
    with pytest.raises(NoAnswer, match="gave no prediction for a whole window"):
        teach(client, [(recording(("sitting", 128)).samples, "sitting")])


# ---- which recordings ----------------------------------------------------------------------------


@pytest.fixture
def dataset(monkeypatch):
    people = tuple(recording(("walking", 300), subject=name) for name in ("anna", "bob"))
    made = Dataset("hapt", "made up", people, ACTIVITIES, 50.0, {}, "", "", "", "", "")
    monkeypatch.setattr(selection, "load_dataset", lambda _: made)
    return made


@pytest.mark.usefixtures("dataset")
def test_one_person_is_found_in_the_whole_data_set():
    chosen = select(None, None, "bob", None, print)
    assert (chosen.subjects, chosen.source, chosen.split) == (("bob",), "hapt", "all")
    assert select("hapt", "all", None, None, print).subjects == ("anna", "bob")


@pytest.mark.usefixtures("dataset")
def test_options_that_exclude_each_other_are_refused(tmp_path):
    with pytest.raises(InputError, match="no 'carl' in hapt"):
        select(None, None, "carl", None, print)
    with pytest.raises(InputError, match="no --split 'best'"):
        select(None, "best", None, None, print)
    with pytest.raises(InputError, match="not both"):
        select("hapt", None, None, tmp_path / "a.csv", print)
    with pytest.raises(InputError, match="no file"):
        select(None, None, None, tmp_path / "a.csv", print)


def test_an_activity_labels_what_has_none_and_picks_from_what_has_some():
    unlabelled = Selection((recording((None, 200)),), "a.csv", None)
    (taken,) = as_activity(unlabelled, "lying").recordings
    assert taken.segments == (Segment(0, 200, "lying"),)
    labelled = Selection((recording(("walking", 200), ("lying", 150)),), "a.csv", None)
    (taken,) = as_activity(labelled, "lying").recordings
    assert taken.segments == (Segment(200, 350, "lying"),)
    with pytest.raises(InputError, match="nowhere with 'sitting'"):
        as_activity(labelled, "sitting")

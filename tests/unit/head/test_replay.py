"""The replay keeps as many of each activity, each of its windows as likely as any other, and draws
what was labelled."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.core.errors import InputError
from pipeline.head import Replay
from pipeline.head.replay import FREE, HOLDOUT

BYTES, ROWS = 3, 5


def store(capacity: int, exemplars: int = 0) -> Replay:
    shown = np.arange(exemplars * BYTES, dtype=np.int8).reshape(exemplars, BYTES)
    return Replay(BYTES, capacity, ROWS, shown, np.arange(exemplars, dtype=np.uint8) % 2)


def offer(replay: Replay, activity: int, number: int = 0, held: bool = False) -> int:
    entry = replay.place(activity, held)
    window = np.frombuffer(np.int32(number).tobytes()[:BYTES], np.int8)
    replay.put(entry, window, activity, 100 + activity, held)
    return entry


def number_of(window: np.ndarray) -> int:
    return int.from_bytes(window.tobytes(), "little")


def test_entries_fill_in_order_and_say_what_they_hold() -> None:
    replay = store(4)
    assert [offer(replay, k, k, held=k == 2) for k in range(4)] == [0, 1, 2, 3]
    assert replay.labels.tolist() == [0, 1, 2 | HOLDOUT, 3]
    assert replay.sample_weight.tolist() == [100, 101, 102, 103]
    assert replay.holdout.tolist() == [2] and replay.count == 4
    assert replay.seen == [1, 1, 0, 1, 0]
    assert [number_of(window) for window in replay.windows] == [0, 1, 2, 3]


def test_a_full_store_gives_each_activity_about_as_much_room() -> None:
    rng = np.random.default_rng(1)
    replay = store(20)
    for i in range(2000):
        offer(replay, int(rng.choice(4, p=[0.9, 0.06, 0.03, 0.01])), i)
    counts = np.bincount(replay.labels, minlength=4)
    assert replay.count == 20 and counts.tolist() == [5, 5, 5, 5]


def test_a_new_activity_always_finds_a_place() -> None:
    replay = store(1)
    for k in range(3):
        offer(replay, k)
        assert replay.labels.tolist() == [k]
    replay = store(8)
    for i in range(100):
        offer(replay, 0, i)
    offer(replay, 1)
    assert (replay.labels == 1).sum() == 1 and (replay.labels == 0).sum() == 7


def test_each_window_is_as_likely_to_stay() -> None:
    """Reservoir sampling: of 60 windows in 6 entries each stays in one run of ten."""
    stayed = np.zeros(60)
    replay = store(6)
    for run in range(2000):
        replay.reset()
        replay.random = run * 7919 + 1
        for number in range(60):
            offer(replay, 2, number)
        stayed[[number_of(window) for window in replay.windows]] += 1
    assert stayed.sum() == 12000
    assert np.abs(stayed - 200).max() < 5 * np.sqrt(200 * 0.9)


def test_draws_are_even_over_activities_and_their_windows_and_never_held_back() -> None:
    replay = store(12)
    for number in range(6):
        offer(replay, 0, number)
    for number in range(6, 8):
        offer(replay, 3, number)
    for number in range(8, 12):
        offer(replay, 1, number, held=True)
    drawn = []
    for _ in range(4000):
        found = replay.draw()
        assert found is not None
        window, activity, trust = found
        assert trust == 100 + activity and activity == (0 if number_of(window) < 6 else 3)
        drawn.append(number_of(window))
    counts = np.bincount(drawn, minlength=12)
    assert (counts[8:] == 0).all()
    np.testing.assert_allclose(counts[:6], 4000 / 12, rtol=0.25)
    np.testing.assert_allclose(counts[6:8], 1000, rtol=0.1)


def test_nothing_labelled_or_all_held_back_is_nothing_to_draw() -> None:
    replay = store(3)
    before = replay.random
    assert replay.draw() is None
    offer(replay, 1, held=True)
    assert replay.draw() is None and replay.random == before


def test_exemplars_go_round() -> None:
    replay = store(2, exemplars=3)
    found = [replay.exemplar(turn) for turn in (0, 1, 2, 3, 2**32 - 1)]
    assert [number_of(window) & 0xFF for window, _ in found if window is not None] == [
        0,
        3,
        6,
        0,
        0,
    ]
    assert [activity for _, activity in found] == [0, 1, 0, 0, 0]
    assert store(2).exemplar(5) is None


def test_reset_empties_and_seeds_again() -> None:
    replay = store(2)
    fresh = replay.random
    for i in range(9):
        offer(replay, i % 3, i)
    assert replay.random != fresh
    replay.reset()
    assert replay.random == fresh and replay.count == 0 and replay.seen == [0] * ROWS
    assert (
        (replay.labels == FREE).all()
        and not replay.windows.any()
        and not replay.sample_weight.any()
    )


@pytest.mark.parametrize(("capacity", "rows"), [(0, 5), (0x10000, 5), (4, 0), (4, 128)])
def test_sizes_out_of_range_are_refused(capacity: int, rows: int) -> None:
    with pytest.raises(InputError):
        Replay(BYTES, capacity, rows, np.zeros((0, BYTES), np.int8), np.zeros(0, np.uint8))


def test_exemplars_without_activities_are_refused() -> None:
    with pytest.raises(InputError):
        Replay(BYTES, 4, ROWS, np.zeros((2, BYTES), np.int8), np.zeros(3, np.uint8))

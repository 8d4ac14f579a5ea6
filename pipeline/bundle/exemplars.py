"""Which windows of training subjects ship, to be replayed with what a user labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.core.types import Array
from pipeline.data import Windows


def choose_exemplars(training: Windows, each: int, seed: int) -> Array:
    """Indices (E,) of up to ``each`` windows of every activity, one activity after the other and
    round again, so that whoever takes them in turn meets all. An activity with fewer windows is
    left out of the later rounds.

    Of different subjects as far as there are any: a second one of a subject only after one of
    everybody.
    """
    rng = np.random.default_rng(seed)
    turns = [_one_of_each(training, k, rng) for k in range(len(training.activities))]
    chosen = [next(turn, None) for _ in range(each) for turn in turns]
    return np.asarray([i for i in chosen if i is not None], np.int64)


def _one_of_each(training: Windows, activity: int, rng: np.random.Generator) -> Iterator[int]:
    """All windows of an activity: one of each subject in random order, then a second, and so on."""
    mine = rng.permutation(np.flatnonzero(training.y == activity))
    subjects = training.subjects[mine]
    people = [mine[subjects == person].tolist() for person in dict.fromkeys(subjects.tolist())]
    for turn in range(max(map(len, people), default=0)):
        yield from (windows[turn] for windows in people if turn < len(windows))

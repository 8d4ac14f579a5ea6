"""One user labels windows for the firmware's own learner: which, and what is left to test on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.core.types import Array
from pipeline.data import Windows
from pipeline.sim.learner_program import LearnerProgram, LearnerState

FEWEST_TEST_WINDOWS = 20
"""A user with fewer is left out."""


@dataclass(frozen=True, eq=False)
class User:
    """One session of one subject. ``windows``: indices into the data set's windows, in the order of
    time."""

    name: str
    subject: str
    windows: Array


def users_of(windows: Windows, subjects: Sequence[str]) -> list[User]:
    """The sessions of ``subjects``, by name. Several recordings count as one after the other."""
    found = []
    mine = np.isin(windows.subjects, list(subjects))
    for session in sorted(set(windows.sessions[mine].tolist())):
        places = np.flatnonzero(mine & (windows.sessions == session))
        in_time = places[np.lexsort((windows.start[places], windows.recording[places]))]
        found.append(User(str(session), str(windows.subjects[places[0]]), in_time))
    return found


def choose(windows: Windows, user: User, k: int) -> tuple[Array, Array]:
    """The user's first ``k`` windows of each activity, in the order of time, and those of the
    user's windows that share no sample with any of these: indices."""
    length = windows.x.shape[1]
    given: dict[int, int] = {}
    labelled = []
    for place in user.windows.tolist():
        activity = int(windows.y[place])
        if given.get(activity, 0) < k:
            given[activity] = given.get(activity, 0) + 1
            labelled.append(place)
    chosen = np.array(labelled, np.int64)
    same_recording = windows.recording[chosen][:, None] == windows.recording[user.windows]
    near = np.abs(windows.start[chosen][:, None] - windows.start[user.windows]) < length
    return chosen, user.windows[~(same_recording & near).any(axis=0)]


def elsewhere(users: Sequence[User], user: User) -> Array:
    """All windows of the same subject's other sessions: indices."""
    others = [u.windows for u in users if u.subject == user.subject and u.name != user.name]
    return np.concatenate([np.empty(0, np.int64), *others])


def after_labels(
    program: LearnerProgram,
    cut: Array,
    factory: Array,
    chosen: Array,
    labels: Array,
    places: Array,
    added: int = 0,
) -> tuple[Array, LearnerState]:
    """What the active parameters say of the windows ``cut[places]``, after the labels of
    ``cut[chosen]``, from the factory head with ``added`` activities more; elsewhere it is what the
    ``factory`` ones say."""
    program.reset()
    for _ in range(added):
        program.add()
    program.label(cut[chosen], labels)
    state = program.state()
    said = factory.copy()
    if state.serves:
        said[places] = program.predict(cut[places])
    return said, state

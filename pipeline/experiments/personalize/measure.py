"""One user after the other labels windows for the firmware's own learner, and tests it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from pipeline.core.types import Array
from pipeline.data import Windows
from pipeline.experiments.labelling import (
    FEWEST_TEST_WINDOWS,
    User,
    after_labels,
    choose,
    elsewhere,
)
from pipeline.sim.learner_program import LearnerProgram

WRONG_SHARE = 0.1
"""Of the labels, where some are wrong."""
SAME, ACROSS, TEACH = "same", "across", "teach"
WRONG_DRAWS = 3


def others(users: Sequence[User], user: User) -> Array:
    """All windows of the other subjects: indices."""
    away = [other.windows for other in users if other.subject != user.subject]
    return np.concatenate([np.empty(0, np.int64), *away])


def wrong_labels(labels: Array, activities: int, *drawn_for: object) -> Array:
    """The labels (N,), each replaced by another of ``activities`` with probability `WRONG_SHARE`.
    What is drawn depends on ``drawn_for`` alone."""
    rng = np.random.default_rng(crc32("/".join(map(str, drawn_for)).encode()))
    wrong = rng.random(len(labels)) < WRONG_SHARE
    moved = (labels + rng.integers(1, activities, len(labels))) % activities
    return np.where(wrong, moved, labels)


@dataclass(frozen=True)
class Outcome:
    """One user after ``k`` labels of each activity. Accuracies, 0 to 1, by the parameters that
    serve, on the user's ``windows`` test windows.

    ``forgotten``: accuracy on the other test subjects' windows, before minus after; None where
    there are none. ``after_wrong_labels``: mean over draws; None where it was not asked.
    ``undone``: updates that the guard took back. ``serves``: whether the learned head is active in
    the end. ``left_out``: there are too few test windows for any figure.
    """

    scene: str
    k: int
    user: str
    windows: int
    before: float = 0.0
    after: float = 0.0
    after_wrong_labels: float | None = None
    forgotten: float | None = None
    undone: int = 0
    serves: bool = False
    left_out: bool = False


@dataclass(frozen=True)
class Measured:
    """What the users of a job reach with one cut."""

    dataset: str
    cut: str
    seed: int
    outcomes: list[Outcome]


@dataclass(frozen=True, eq=False)
class UserWindows:
    """The test subjects' windows (N, T, 6), the same int8 at the cut (N, B), and whose they are.

    ``run`` names data set, fold and seed: wrong labels are drawn for it.
    """

    windows: Windows
    cut: Array
    users: Sequence[User]
    run: str


def same_activities(
    program: LearnerProgram, data: UserWindows, ks: Sequence[int], *, across: bool = False
) -> list[Outcome]:
    """Each user labels k windows of each activity, for k in ``ks``, and is tested on the rest of
    the session; with ``across``, also on the subject's other sessions."""
    truth = data.windows.y
    program.reset()
    factory = program.predict(data.cut, "shipped")
    found = []
    for user in data.users:
        away = others(data.users, user)
        for k in ks:
            chosen, rest = choose(data.windows, user, k)
            tested = {SAME: rest}
            if across:
                tested[ACROSS] = elsewhere(data.users, user)
            own = np.concatenate(list(tested.values()))

            labels = truth[chosen]
            said, state = after_labels(
                program, data.cut, factory, chosen, labels, np.concatenate([own, away])
            )
            hits = said == truth
            wrong_hits = []
            for draw in range(WRONG_DRAWS):
                given = wrong_labels(
                    labels, len(data.windows.activities), data.run, user.name, k, draw
                )
                # With no label wrong, the outcome is known.
                if (given != labels).any():
                    wrong, _ = after_labels(program, data.cut, factory, chosen, given, own)
                    wrong_hits.append(wrong == truth)
                else:
                    wrong_hits.append(hits)
            forgotten = None
            if len(away):
                forgotten = float((factory == truth)[away].mean() - hits[away].mean())
            found += [
                Outcome(
                    scene=scene,
                    k=k,
                    user=user.name,
                    windows=len(places),
                    before=float((factory == truth)[places].mean()),
                    after=float(hits[places].mean()),
                    after_wrong_labels=float(np.mean([each[places] for each in wrong_hits])),
                    forgotten=forgotten,
                    undone=state.guard.undone,
                    serves=state.serves,
                )
                if len(places) >= FEWEST_TEST_WINDOWS
                else Outcome(scene, k, user.name, len(places), left_out=True)
                for scene, places in tested.items()
            ]
    return found


def new_activities(
    program: LearnerProgram, data: UserWindows, ks: Sequence[int], *, blind: int = 0
) -> list[Outcome]:
    """Each user teaches all activities of the data set to a model that knows none of them, k
    windows each. Right is a window predicted as the added activity, among all activities that the
    cut then has. ``blind``: as `LearnerProgram.blind`."""
    truth = data.windows.y + program.shipped
    program.blind(blind)
    factory = program.predict(data.cut, "shipped")
    found = []
    for user in data.users:
        for k in ks:
            chosen, rest = choose(data.windows, user, k)
            if len(rest) < FEWEST_TEST_WINDOWS:
                found.append(Outcome(TEACH, k, user.name, len(rest), left_out=True))
                continue
            said, state = after_labels(
                program,
                data.cut,
                factory,
                chosen,
                truth[chosen],
                rest,
                added=len(data.windows.activities),
            )
            found.append(
                Outcome(
                    scene=TEACH,
                    k=k,
                    user=user.name,
                    windows=len(rest),
                    before=float((factory == truth)[rest].mean()),
                    after=float((said == truth)[rest].mean()),
                    undone=state.guard.undone,
                    serves=state.serves,
                )
            )
    return found

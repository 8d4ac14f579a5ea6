"""A task: one data set, its split by subject, and its windows. Everything that trains or measures
starts from here, so that everything sees the same subjects on the same side."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.data import (
    Dataset,
    Recording,
    SubjectSplit,
    Windows,
    WindowShape,
    add_own,
    at_rate,
    find_split,
    identities,
    is_dataset_name,
    load_dataset,
    make_windows,
    read_own_recordings,
    split_subjects,
    thin,
    worn_elsewhere,
)

_LOG = logging.getLogger(__name__)

Placement = Literal["same", "any"]
"""Whether own recordings must be worn where the data set's people wore the device."""

_DENSE = 4  # hops for random starts in one hop of windows
_OPPOSITE = -0.7  # cosine of the angle from which on two directions are opposite


class OwnFile(BaseModel):
    """One file of your own recordings: who is in it, at which rate, how long, how many windows it
    gives, and the seconds that are in none: unlabelled, or of one activity for too short."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    subjects: list[str]
    rate_hz: float
    minutes: float
    windows: int
    unlabelled_s: float
    short_s: float


class OwnRecordings(BaseModel):
    """Your own recordings that a classifier learned together with its data set: where they lie, the
    SHA-256 over the files, what each file gave, and how many training windows each activity has of
    them. ``new`` activities are in no other recording: no validation or test subject has them.
    ``placement`` "any" let in what was worn elsewhere than the data set's people wore it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    files: list[OwnFile]
    windows: dict[str, int]
    new: list[str]
    placement: Placement = "same"


@dataclass(frozen=True)
class Task:
    """``windows`` of all subjects have the ``shape``, whose rate is the data set's. ``own``: which
    of your recordings, if any, train together with the data set's subjects."""

    dataset: Dataset
    split: SubjectSplit
    windows: Windows
    shape: WindowShape
    own: OwnRecordings | None = None

    @property
    def pretraining(self) -> Windows:
        """Pretraining subjects' windows."""
        return self.windows.for_subjects(self.split.pretrain)

    @property
    def training(self) -> Windows:
        """Training subjects' windows."""
        return self.windows.for_subjects(self.split.train)

    @property
    def validation(self) -> Windows:
        """Validation subjects' windows."""
        return self.windows.for_subjects(self.split.validation)

    @property
    def test(self) -> Windows:
        """Test subjects' windows."""
        return self.windows.for_subjects(self.split.test)

    def thinned(
        self, train: int | None, validation: int | None = None, test: int | None = None
    ) -> Task:
        """The task with at most so many windows of each side (None: all), as `thin` chooses.
        Random starts are drawn from whole recordings as before."""
        windows, split = self.windows, self.split
        kept = np.ones(len(windows), bool)
        for side, most in (
            (split.train, train),
            (split.validation, validation),
            (split.test, test),
        ):
            mine = np.flatnonzero(np.isin(windows.subjects, side))
            kept[mine] = False
            kept[mine[thin(windows.subjects[mine], windows.y[mine], most)]] = True
        return replace(self, windows=windows.subset(np.flatnonzero(kept)))

    def pretraining_recordings(self) -> list[Recording]:
        """Pretraining subjects' recordings, whole: what is not labelled in them too."""
        people = set(self.split.pretrain)
        return [r for r in self.dataset.recordings if r.subject in people]

    def dense_training_windows(self) -> Windows:
        """Pretraining subjects' windows at a small hop, for drawing random starts."""
        return make_windows(
            self.pretraining_recordings(),
            self.dataset.activities,
            length=self.shape.samples,
            hop=max(1, self.shape.hop // _DENSE),
        )

    def without_test(self) -> Task:
        """The same task with nothing of the test subjects in it: what may be trained on and chosen
        by. The split still names them."""
        people = set(self.split.test)
        recordings = tuple(r for r in self.dataset.recordings if r.subject not in people)
        return make_task(replace(self.dataset, recordings=recordings), self.split, self.shape)


def make_task(dataset: Dataset, split: SubjectSplit, shape: WindowShape | None = None) -> Task:
    """Cuts the windows of a data set that is split, after it is brought to the rate of ``shape``;
    by default 128 samples at its own rate.

    Raises InputError where a side has recordings and no window.
    """
    shape = shape or WindowShape(dataset.rate_hz)
    dataset = at_rate(dataset, shape.rate_hz)
    windows = make_windows(dataset.recordings, dataset.activities, shape.samples, shape.hop)
    for side in ("pretrain", "train", "validation", "test"):
        people = set(getattr(split, side)) & set(dataset.subjects)
        if people and not len(windows.for_subjects(people)):
            raise InputError(
                f"data set {dataset.name}, split {split.name}: the {side} subjects "
                f"({', '.join(sorted(people)[:3])}) have no window of {shape.samples} samples of "
                "one activity; record longer, or leave them out"
            )
    return Task(dataset, split, windows, shape)


def add_recordings(
    task: Task,
    path: Path,
    placement: Placement = "same",
    gravity: Mapping[str, Array] | None = None,
) -> Task:
    """The task with your own recordings (a file, or a folder or zip of them) added. They train, and
    only that: who pretrains, validates and tests stays as it was. ``gravity``: its direction (3,)
    by activity, to compare theirs with; that of the training subjects without.

    Raises InputError as `read_own_recordings` and `add_own`, where an activity is nowhere a window
    long, for subjects who are in the data set already, and for what is known to be worn elsewhere
    than the data set, which ``placement`` "any" lets in with a line that says so.
    """
    own, rates = read_own_recordings(path, task.dataset.rate_hz)
    if elsewhere := worn_elsewhere(path, own.recordings, task.dataset.name, task.dataset.placement):
        if placement == "same":
            raise InputError(
                f"{elsewhere}; a model learns one placement: take it out, choose the other bundle, "
                "or give --placement any"
            )
        _LOG.warning("%s; mixed, as --placement any says", elsewhere)
    dataset = add_own(task.dataset, own)
    people = set(dataset.subjects) - set(task.dataset.subjects)
    twice = identities(task.dataset.name, task.dataset.subjects) & people
    if twice:
        raise InputError(
            f"{path}: {', '.join(sorted(twice)[:3])} is in data set {task.dataset.name} too and "
            "would train and test at once; take one of the two"
        )
    split = replace(task.split, train=tuple(sorted({*task.split.train, *people})))
    made = make_task(dataset, split, task.shape)
    mine = made.windows.for_subjects(people).y.tolist()
    windows = {name: mine.count(dataset.activities.index(name)) for name in own.activities}
    short = [name for name, count in windows.items() if not count]
    if short:
        raise InputError(
            f"{path}: {', '.join(short)} is nowhere {task.shape.seconds:g} s long "
            "without a gap, which one window takes; record longer, or take it out"
        )
    if gravity is None:
        known, names = task.training, task.dataset.activities
        gravity = {names[y]: gravity_of(known, y) for y in np.unique(known.y).tolist()}
    doubts = _gravity_doubts(task.dataset.name, gravity, made.windows.for_subjects(people))
    dataset = replace(dataset, notes=(*dataset.notes, *doubts))
    return replace(
        made,
        dataset=dataset,
        own=OwnRecordings(
            path=str(path.resolve() if path.exists() else path),
            sha256=own.sha256,
            files=_files(made, people, rates),
            windows=windows,
            new=[name for name in own.activities if name not in task.dataset.activities],
            placement=placement,
        ),
    )


def _files(task: Task, people: set[str], rates: Mapping[str, float]) -> list[OwnFile]:
    """What each file of ``people`` gave; ``rates`` are those at which they were recorded."""
    windows, length = task.windows, task.shape.samples
    found = []
    for file, rate_hz in rates.items():
        mine = [
            (number, recording)
            for number, recording in enumerate(task.dataset.recordings)
            if recording.source == file and recording.subject in people
        ]
        samples = sum(len(recording.samples) for _, recording in mine)
        labelled = sum(len(segment) for _, recording in mine for segment in recording.segments)
        covered = count = 0
        for number, _ in mine:
            starts = windows.start[windows.recording == number]
            count += len(starts)
            if len(starts):
                covered += int(np.minimum(np.diff(starts), length).sum()) + length
        hz = task.shape.rate_hz
        found.append(
            OwnFile(
                file=file,
                subjects=sorted({recording.subject.partition("/")[2] for _, recording in mine}),
                rate_hz=rate_hz,
                minutes=round(samples / hz / 60, 2),
                windows=count,
                unlabelled_s=round((samples - labelled) / hz, 1),
                short_s=round((labelled - covered) / hz, 1),
            )
        )
    return found


def _gravity_doubts(name: str, gravity: Mapping[str, Array], own: Windows) -> list[str]:
    """A line for each of your people whom ``gravity`` pulls the other way than the training
    subjects of ``name`` in the same activities."""
    doubts = []
    for person in sorted(set(own.subjects.tolist())):
        mine = own.for_subjects([person])
        named = {own.activities[y]: gravity_of(mine, y) for y in np.unique(mine.y).tolist()}
        shared = [activity for activity in named if activity in gravity]
        if shared and max(float(named[a] @ gravity[a]) for a in shared) < _OPPOSITE:
            doubts.append(
                f"{person.partition('/')[2]}: gravity points the other way than in "
                f"{name} ({', '.join(shared)}): worn upside down, or with the signs of iOS, "
                "which gives what pulls (negate ax, ay and az)"
            )
    return doubts


def gravity_of(windows: Windows, activity: int) -> Array:
    """Direction of the mean acceleration while ``activity`` is done, (3,)."""
    mean = windows.x[windows.y == activity, :, :3].astype(np.float64).mean(axis=(0, 1))
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9))


def load_task(
    name: str = "hapt",
    *,
    scheme: str = "official",
    fold: int = 0,
    seed: int = 0,
    data: Path | None = None,
    placement: Placement = "same",
    shape: WindowShape | None = None,
    progress: bool = True,
) -> Task:
    """Fetches if need be, splits by subject, cuts windows. The seed draws the validation subjects.
    ``data``: your own recordings to train on, too, worn in the ``placement`` that `add_recordings`
    takes. ``shape``: as `make_task`.

    Raises InputError for an unknown data set, scheme or fold, as `make_task` and as
    `add_recordings`, ExternalError where fetching fails.
    """
    dataset = load_dataset(name, progress=progress)
    task = make_task(dataset, split_subjects(dataset, scheme, fold=fold, seed=seed), shape)
    return add_recordings(task, data, placement) if data else task


def load_named_task(
    name: str,
    split: str,
    seed: int,
    *,
    own: OwnRecordings | None = None,
    shape: WindowShape | None = None,
    progress: bool = True,
) -> Task:
    """The task that a card describes: by the name of its split, e.g. ``5-fold/0``. As `load_task`,
    and InputError where its own recordings are not what they were."""
    dataset = load_dataset(name, progress=progress)
    scheme, fold = find_split(dataset, split)
    task = make_task(dataset, split_subjects(dataset, scheme, fold=fold, seed=seed), shape)
    if own is None:
        return task
    return read_again(own, lambda path: add_recordings(task, path, own.placement))


def read_again(own: OwnRecordings, read: Callable[[Path], Task]) -> Task:
    """The task of ``read(path)``. Raises InputError where its own recordings are not what they
    were."""
    path = Path(own.path)
    again = f"run `har train --data {path}` again"
    if not path.exists() and not is_dataset_name(own.path):
        raise InputError(f"{path}: the recordings that the model learned are gone; {again}")
    task = read(path)
    if task.own != own:
        raise InputError(f"{path}: the recordings changed since the model learned them; {again}")
    return task

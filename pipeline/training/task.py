"""A task: one data set, its split by subject, and its windows. Everything that trains or measures
starts from here, so that all of it sees the same people on the same side."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.data import (
    Dataset,
    Recording,
    SubjectSplit,
    Windows,
    find_split,
    load_dataset,
    make_windows,
    split_subjects,
)
from pipeline.errors import InputError

WINDOW_SAMPLES = 128
HOP_SAMPLES = 64
_DENSE_HOP_SAMPLES = 16


@dataclass(frozen=True)
class Task:
    """``windows``: hop `HOP_SAMPLES`, of all people."""

    dataset: Dataset
    split: SubjectSplit
    windows: Windows

    def pretraining_recordings(self) -> list[Recording]:
        """Pretraining people's recordings, whole: what is not labelled in them too."""
        people = set(self.split.pretrain)
        return [r for r in self.dataset.recordings if r.subject in people]

    def dense_training_windows(self) -> Windows:
        """Pretraining people's windows at a small hop, for drawing random starts."""
        return make_windows(
            self.pretraining_recordings(),
            self.dataset.activities,
            length=WINDOW_SAMPLES,
            hop=_DENSE_HOP_SAMPLES,
        )

    def without_test(self) -> Task:
        """The same task with nothing of the test people in it: what may be trained on and chosen
        by. The split still names them."""
        people = set(self.split.test)
        recordings = tuple(r for r in self.dataset.recordings if r.subject not in people)
        return make_task(replace(self.dataset, recordings=recordings), self.split)


def make_task(dataset: Dataset, split: SubjectSplit) -> Task:
    """Cuts the windows of a data set that is split.

    Raises InputError where a side has recordings and no window.
    """
    windows = make_windows(
        dataset.recordings, dataset.activities, length=WINDOW_SAMPLES, hop=HOP_SAMPLES
    )
    for side in ("pretrain", "train", "validation", "test"):
        people = set(getattr(split, side)) & set(dataset.subjects)
        if people and not len(windows.for_subjects(people)):
            raise InputError(
                f"data set {dataset.name}, split {split.name}: the {side} people "
                f"({', '.join(sorted(people)[:3])}) have no window of {WINDOW_SAMPLES} samples of "
                "one activity; record longer, or leave them out"
            )
    return Task(dataset, split, windows)


def load_task(
    name: str = "hapt",
    *,
    scheme: str = "official",
    fold: int = 0,
    seed: int = 0,
    progress: bool = True,
) -> Task:
    """Fetches if need be, splits by subject, cuts windows. The seed draws the validation people.

    Raises InputError for a data set, scheme or fold that is none and as `make_task`, WorldError
    where fetching fails.
    """
    dataset = load_dataset(name, progress=progress)
    return make_task(dataset, split_subjects(dataset, scheme, fold=fold, seed=seed))


def load_named_task(name: str, split: str, seed: int, *, progress: bool = True) -> Task:
    """The task that a card tells: by the name of its split, e.g. ``5-fold/0``. As `load_task`."""
    dataset = load_dataset(name, progress=progress)
    scheme, fold = find_split(dataset, split)
    return make_task(dataset, split_subjects(dataset, scheme, fold=fold, seed=seed))

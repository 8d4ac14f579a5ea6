"""A task: one data set, its split by subject, and its windows. Everything that trains or measures
starts from here, so that all of it sees the same people on the same side."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.data import Dataset, SubjectSplit, Windows, load_dataset, make_windows, split_subjects

WINDOW_SAMPLES = 128
HOP_SAMPLES = 64
_DENSE_HOP_SAMPLES = 16


@dataclass(frozen=True)
class Task:
    """``windows``: hop `HOP_SAMPLES`, of all people."""

    dataset: Dataset
    split: SubjectSplit
    windows: Windows

    def dense_training_windows(self) -> Windows:
        """Training people's windows at a small hop, for drawing random starts."""
        people = set(self.split.train)
        return make_windows(
            [r for r in self.dataset.recordings if r.subject in people],
            self.dataset.activities,
            length=WINDOW_SAMPLES,
            hop=_DENSE_HOP_SAMPLES,
        )


def load_task(name: str = "hapt", *, seed: int = 0, progress: bool = True) -> Task:
    """Fetches if need be, splits by subject, cuts windows. The seed draws the validation people."""
    dataset = load_dataset(name, progress=progress)
    windows = make_windows(
        dataset.recordings, dataset.activities, length=WINDOW_SAMPLES, hop=HOP_SAMPLES
    )
    return Task(dataset, split_subjects(dataset, seed=seed), windows)

"""The subjects and windows that every variant of a request is made from and measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.data import Windows, default_scheme, load_dataset, split_subjects
from pipeline.data.mixed import mix
from pipeline.experiments.variants.settings import Effort
from pipeline.training.augment import augment
from pipeline.training.shipped import recipe
from pipeline.training.task import Task, load_task, make_task


def check_source(dataset: str, source: str) -> None:
    """Raises InputError unless ``source`` is another data set, of other subjects, at the same
    rate."""
    target, other = load_dataset(dataset), load_dataset(source)
    if target.name == other.name:
        raise InputError(
            f"source and data set are both {dataset}; name another --source, or --weights none"
        )
    mix((other, target))


def source_task(source: str, seed: int) -> Task:
    """All of the source that may train: its official split where it has one."""
    dataset = load_dataset(source)
    return make_task(dataset, split_subjects(dataset, default_scheme(dataset), seed=seed))


def thin_task(
    task: Task, train: int | None, test: int | None, validation: int | None = None
) -> Task:
    """The task with at most so many windows of each side; random starts are drawn from whole
    recordings as before."""
    split, windows = task.split, task.windows
    sides = ((split.train, train), (split.validation, validation), (split.test, test))
    order = np.concatenate(
        [
            _thin(np.flatnonzero(np.isin(windows.subjects, who)), windows, most)
            for who, most in sides
        ]
    )
    return replace(task, windows=windows.subset(order))


def _thin(mine: Array, windows: Windows, most: int | None) -> Array:
    """At most ``most`` of the windows ``mine`` (N,), evenly over subjects, activities and time."""
    if most is None or len(mine) <= most:
        return mine
    order = np.lexsort((mine, windows.y[mine], windows.subjects[mine]))
    picked = order[np.linspace(0, len(order) - 1, most).round().astype(int)]
    return np.asarray(mine[np.sort(picked)])


@dataclass(frozen=True, eq=False)
class Material:
    """``task``: thinned. ``dense``: its training subjects' windows at a small hop."""

    task: Task
    dense: Windows
    backbone: str

    @property
    def training(self) -> Windows:
        """Training subjects' windows."""
        return self.task.windows.for_subjects(self.task.split.train)

    @property
    def validation(self) -> Windows:
        """Validation subjects' windows."""
        return self.task.windows.for_subjects(self.task.split.validation)

    @property
    def test(self) -> Windows:
        """Test subjects' windows."""
        return self.task.windows.for_subjects(self.task.split.test)

    def representative(self, count: int, seed: int) -> Array:
        """Raw training windows (count, T, 6), chosen at random."""
        x = self.training.x
        chosen = np.random.default_rng(seed).permutation(len(x))[:count]
        return np.asarray(x[chosen])

    def thinned(self, train: int, others: int) -> Material:
        """The same with at most so many windows of training subjects, and of those who validate or
        test."""
        return replace(self, task=thin_task(self.task, train, others, others))

    def drawing(
        self, normalize: Callable[[Array], Array], count: int
    ) -> Callable[[np.random.Generator], tuple[Array, Array]]:
        """Draws ``count`` random starts an epoch, augmented by the data set's recipe."""
        strength = recipe(self.task.dataset.name, self.backbone).augmentation

        def draw(rng: np.random.Generator) -> tuple[Array, Array]:
            chosen = rng.permutation(len(self.dense))[:count]
            x = augment(self.dense.x[chosen], rng, strength)
            return normalize(x), self.dense.y[chosen]

        return draw


def gather(dataset: str, split: str, seed: int, backbone: str, effort: Effort) -> Material:
    """Raises as `load_task`."""
    whole = load_task(dataset, scheme=split, seed=seed, progress=False)
    task = thin_task(whole, effort.windows, effort.test_windows)
    return Material(task, task.dense_training_windows(), backbone)

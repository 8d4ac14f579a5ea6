"""The corpora of the shipped networks: which recordings each learns from, in which windows, and who
is held out to judge it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from pipeline.core.errors import InputError
from pipeline.data import (
    Dataset,
    Segment,
    SubjectSplit,
    WindowShape,
    at_rate,
    in_order,
    is_dataset_name,
    load_dataset,
    mix,
    split_subjects,
)
from pipeline.data.importers.dsads import MIRROR_Y
from pipeline.training.augment import Augmentation
from pipeline.training.pretrain import PretrainSettings
from pipeline.training.task import Task, make_task

_NETWORK = "dscnn:k5:48s2-64s1-96s2-112s1-128s1"
_SPORTS = ("running", "cycling", "rowing", "jumping")
_HAPT = ("walking", "upstairs", "downstairs", "sitting", "standing", "lying")
_MACHINES = ("stepper", "cross-trainer", "basketball")


@dataclass(frozen=True)
class Part:
    """A data set and which of its activities are learned. ``folds``: who is held out together,
    fold by fold; without any, the published test subjects are held out in every fold."""

    dataset: str
    activities: tuple[str, ...]
    folds: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Corpus:
    """What one shipped network learns. The extractor learns the activities as they are named; of
    those in ``merged``, the shipped classifier knows only what they are merged to. ``mirror``:
    signs (6,) that turn the other side of the body into the one that is learned; () without sides.
    """

    name: str
    placement: str
    parts: tuple[Part, ...]
    shape: WindowShape
    settings: PretrainSettings
    merged: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    mirror: tuple[int, ...] = ()

    @property
    def dataset(self) -> str:
        """The name of the data set that the parts are together."""
        return "+".join(part.dataset for part in self.parts)

    @property
    def folds(self) -> int:
        """How many folds hold everyone out once who may be."""
        return max(len(part.folds) for part in self.parts)

    @property
    def judges(self) -> tuple[str, ...]:
        """The data sets whose test subjects no network of the corpus learns from."""
        return tuple(part.dataset for part in self.parts if not part.folds)

    def load(self) -> Dataset:
        """All recordings at the corpus' rate, labelled where they are learned.

        Raises InputError where a part is not there, naming the command that brings it.
        """
        loaded = [self._load(part) for part in self.parts]
        return loaded[0] if len(loaded) == 1 else mix(loaded)

    def _load(self, part: Part) -> Dataset:
        if not is_dataset_name(part.dataset):
            importer, _, unit = part.dataset.partition("-")
            raise InputError(
                f"the {self.name} network learns from {part.dataset}, which is not here: "
                f"`har data import {importer} PATH --unit {unit} --rate "
                f"{self.shape.rate_hz:g}` brings it (data/README.md)"
            )
        dataset = at_rate(load_dataset(part.dataset), self.shape.rate_hz)
        lacking = sorted(set(part.activities) - set(dataset.activities))
        if lacking:
            raise InputError(f"data set {part.dataset} has no {', '.join(lacking)}")
        return _restricted(dataset, part.activities)

    def split(self, fold: int | None = None, seed: int = 0) -> SubjectSplit:
        """Who trains and judges; ``fold`` None: everyone trains who is not in a published test, but
        those whom the seed draws to validate. In a fold, only subjects of the published split
        validate: the others are few.

        Raises InputError where a part is not there, or has no such fold.
        """
        name = "official" if self.judges else "everyone"
        if fold is not None:
            name = f"{name}/{fold}"
        return self._split(self.parts, name, fold, seed)

    def _split(self, parts: Sequence[Part], name: str, fold: int | None, seed: int) -> SubjectSplit:
        sides: tuple[list[str], list[str], list[str]] = ([], [], [])
        for part in parts:
            dataset = load_dataset(part.dataset)
            prefix = f"{dataset.name}/" if len(self.parts) > 1 else ""
            for side, people in zip(sides, _sides(part, dataset, fold, seed), strict=True):
                side += [prefix + person for person in people]
        train, validation, test = (tuple(sorted(side)) for side in sides)
        return SubjectSplit(name, train, train, validation, test)

    def judging_task(self, activities: Sequence[str], seed: int = 0) -> Task:
        """Only the recordings of those who judge a network that learned from everyone else, their
        windows labelled in the network's ``activities``: no other data set is needed.

        Raises InputError where the corpus has nobody outside of its folds.
        """
        parts = [part for part in self.parts if not part.folds]
        if not parts:
            raise InputError(
                f"{self.name}: everyone in {self.dataset} trained it; `har bundles measure "
                f"{self.name}` holds people out"
            )
        dataset = mix([self._load(part) for part in parts])
        split = self._split(parts, "official", None, seed)
        return make_task(replace(dataset, activities=tuple(activities)), split, self.shape)

    def task(self, fold: int | None = None, seed: int = 0, *, merged: bool = False) -> Task:
        """The windows and who has them; ``merged``: named as the shipped classifier does. Raises as
        `load` and `split`."""
        dataset = self.load()
        if merged and self.merged:
            dataset = _renamed(dataset, self.merged)
        return make_task(dataset, self.split(fold, seed), self.shape)


def _sides(
    part: Part, dataset: Dataset, fold: int | None, seed: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Who trains, validates, and judges."""
    if not part.folds:
        usual = split_subjects(dataset, seed=seed)
        return usual.train, usual.validation, usual.test
    if fold is None:
        people = tuple(np.random.default_rng(seed).permutation(dataset.subjects).tolist())
        return people[1:], people[:1], ()
    held_out = part.folds[fold]
    return tuple(person for person in dataset.subjects if person not in held_out), (), held_out


def _restricted(dataset: Dataset, activities: tuple[str, ...]) -> Dataset:
    """The same recordings, of whose labels those of ``activities`` are left; all of them, with what
    is no class, where these are the data set's own."""
    if set(activities) == set(dataset.activities):
        return dataset
    recordings = tuple(
        replace(each, segments=tuple(s for s in each.segments if s.activity in activities))
        for each in dataset.recordings
    )
    kept = tuple(each for each in recordings if each.segments)
    return replace(dataset, recordings=kept, activities=in_order(activities))


def _renamed(dataset: Dataset, names: Mapping[str, str]) -> Dataset:
    recordings = tuple(
        replace(
            each,
            segments=tuple(
                Segment(s.start, s.stop, names.get(s.activity, s.activity)) for s in each.segments
            ),
        )
        for each in dataset.recordings
    )
    activities = in_order({names.get(name, name) for name in dataset.activities})
    return replace(dataset, recordings=recordings, activities=activities)


# ---- the shipped ones ----------------------------------------------------------------------------

_PEOPLE = tuple(f"p{number}" for number in range(1, 9))

WAIST = Corpus(
    name="waist",
    placement="waist",
    parts=(
        Part("hapt", _HAPT),
        # Its stairs and postures stay out: they cost HAPT's three points. The chest's walking stays
        # in: without it, all that a chest does would be a sport.
        Part(
            "dsads-torso",
            ("walking", *_SPORTS),
            tuple(zip(_PEOPLE[::2], _PEOPLE[1::2], strict=True)),
        ),
    ),
    shape=WindowShape(25.0, 64, 32),
    settings=PretrainSettings(
        backbone=_NETWORK,
        epochs=28,
        draws=16_000,
        # Jumping reaches 5 g: linear, postures would share what int8 has left.
        knee=(2.0, 2.0, 2.0, 0.1, 0.1, 0.1),
        # Of the phone's windows a third fewer are called a sport; of the chest's two to five in a
        # thousand are missed (cross-validated among training people).
        doubted=_SPORTS,
        doubt=0.75,
    ),
)
WRIST = Corpus(
    name="wrist",
    placement="wrist",
    parts=(
        Part("dsads-arms", (*_HAPT, *_SPORTS, *_MACHINES), tuple((person,) for person in _PEOPLE)),
    ),
    shape=WindowShape(25.0, 100, 50),
    settings=PretrainSettings(
        backbone=_NETWORK,
        epochs=14,
        draws=16_000,
        knee=(2.0, 2.0, 2.0, 1.0, 1.0, 1.0),
        augmentation=Augmentation(tilt_degrees=25.0),
    ),
    # An arm at rest lies the same way whoever sits or lies.
    merged=MappingProxyType({"sitting": "resting", "lying": "resting"}),
    mirror=tuple(map(int, MIRROR_Y)),
)
CORPORA: Mapping[str, Corpus] = {corpus.name: corpus for corpus in (WAIST, WRIST)}
_LEFT = "-left"
NAMES = (*CORPORA, *(corpus.name + _LEFT for corpus in CORPORA.values() if corpus.mirror))
"""What `--bundle` takes. The left arm's network is the right one's with some signs turned."""


def find_corpus(name: str) -> Corpus:
    """The corpus of a shipped network, by one of `NAMES`. Raises InputError for another."""
    if name not in NAMES:
        raise InputError(f"no bundle {name!r}; there are: {', '.join(NAMES)}")
    return CORPORA[name.removesuffix(_LEFT)]


def is_mirrored(name: str) -> bool:
    """Whether it is the network of the other side."""
    return name.endswith(_LEFT)

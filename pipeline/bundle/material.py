"""What ships of a trained network, in data/pretrained/NAME: enough to make its bundle, and to train
it on your own recordings, without any data set.

``weights.npz``
    The float32 network, batch norm folded (`pipeline.models.folded`).
``memory.npz``
    Windows of training and of validation subjects as the int8 extractor sees them, a few of each
    activity: no recording can be had back from them. A head is calibrated, and kept from
    forgetting, by these.
``card.json``
    Who trained and judged, scale and zero point of every activation, figures, and the model id of
    the bundle that `rebuild` makes of it all, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.bundle.bundle import Metrics
from pipeline.bundle.interface import Interface, Quantization, Strict
from pipeline.core.types import Array
from pipeline.data import Dataset, SubjectSplit
from pipeline.models import load_sealed_weights
from pipeline.models.weights import read_card
from pipeline.training import TrainedModel
from pipeline.training.corpora import CORPORA, find_corpus, is_mirrored
from pipeline.training.shipped import DIRECTORY
from pipeline.training.task import Placement, Task, add_recordings, make_task
from pipeline.training.train import TrainCard

WEIGHTS, MEMORY, CARD = "weights.npz", "memory.npz", "card.json"
_SIDES = ("training", "validation")
_PARTS = ("windows", "activities", "subjects")


class Activations(Strict):
    """Of the input and of each operator's output, in the order of the .tflite."""

    full: list[Quantization]
    extractor: list[Quantization]


class MaterialCard(TrainCard):
    """What card.json says. ``gravity``: the mean acceleration's direction of each activity.
    ``metrics``: of the shipped network on test subjects, or of networks like it on subjects held
    out in turn, as ``judged`` says. ``bytes``: of the int8 extractor."""

    judged: str
    activations: Activations
    gravity: dict[str, tuple[float, float, float]]
    metrics: Metrics | None
    parameters: int
    macs: int
    bytes: int
    memory_sha256: str
    model_id: str


@dataclass(frozen=True, eq=False)
class Memory:
    """int8 windows (N, B) at cut fc, their activities (N,) and subjects (N,), by number."""

    windows: Array
    activities: Array
    subjects: Array

    def features(self, interface: Interface) -> Array:
        """The features (N, B) that the windows stand for, float32."""
        sizes = [output.size for output in interface.outputs]
        scale = np.repeat([output.scale for output in interface.outputs], sizes)
        zero = np.repeat([output.zero_point for output in interface.outputs], sizes)
        return np.asarray((self.windows - zero) * scale, np.float32)


@dataclass(frozen=True, eq=False)
class Material:
    """One shipped network."""

    card: MaterialCard
    arrays: dict[str, Array]
    training: Memory
    validation: Memory

    def trained(self) -> TrainedModel:
        """The network, and the card of a model that is nothing else."""
        fields = TrainCard.model_fields
        card = TrainCard(**{name: getattr(self.card, name) for name in fields})
        return TrainedModel(card, self.card.build(self.arrays, f"{self.card.bundle} network"))

    def task(self, own: Path | None = None, placement: Placement = "same") -> Task:
        """Who trained and judged, without their recordings; with your ``own``, these train.

        Raises as `add_recordings`.
        """
        card = self.card
        dataset = Dataset(
            name=card.dataset,
            title=f"the shipped {card.bundle} network",
            recordings=(),
            activities=tuple(card.activities),
            rate_hz=card.rate_hz,
            units={},
            terms="",
            citation="",
            package="",
            version="",
            sha256=card.weights_sha256,
            placement=card.placement,
        )
        split = SubjectSplit(
            name=card.split,
            pretrain=tuple(card.train_subjects),
            train=tuple(card.train_subjects),
            validation=tuple(card.validation_subjects),
            test=tuple(card.test_subjects),
        )
        task = make_task(dataset, split, card.shape)
        if own is None:
            return task
        gravity = {name: np.asarray(g) for name, g in card.gravity.items()}
        return add_recordings(task, own, placement=placement, gravity=gravity)


def load_material(name: str, directory: Path = DIRECTORY) -> Material:
    """Read what ships as ``name``. Raises InputError for a name that none has, and for files that
    are missing, damaged or not those of the card."""
    corpus = find_corpus(name)
    folder = directory / corpus.name
    remedy = f"get the files of {folder} again, or make them with `har bundles make {corpus.name}`"
    card = read_card(MaterialCard, folder / CARD, remedy)
    arrays = load_sealed_weights(folder / WEIGHTS, card.weights_sha256, CARD, remedy)
    kept = load_sealed_weights(folder / MEMORY, card.memory_sha256, CARD, remedy)
    sides = [Memory(*(kept[f"{side}_{part}"] for part in _PARTS)) for side in _SIDES]
    if is_mirrored(name):
        card = _mirrored(card, name, corpus.mirror)
    return Material(card, arrays, *sides)


def _mirrored(card: MaterialCard, name: str, signs: Sequence[int]) -> MaterialCard:
    """The network for the other side of the body: its input turns the signs of what it is given,
    which a negative deviation does about a negated mean."""
    gravity = {
        activity: tuple(sign * value for sign, value in zip(signs, axes, strict=False))
        for activity, axes in card.gravity.items()
    }
    return card.model_copy(
        update={
            "bundle": name,
            "mean": [sign * value for sign, value in zip(signs, card.mean, strict=True)],
            "std": [sign * value for sign, value in zip(signs, card.std, strict=True)],
            "gravity": gravity,
        }
    )


def material_names(directory: Path = DIRECTORY) -> list[str]:
    """The shipped networks that are there."""
    return [name for name in CORPORA if (directory / name / CARD).is_file()]

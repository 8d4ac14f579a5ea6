"""The frozen extractors that the project ships: data/pretrained/NAME.npz with NAME.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from pipeline.core.types import Array
from pipeline.models import backbone, load_sealed_weights
from pipeline.models.weights import read_card, save_sealed
from pipeline.training.classifier import fit_head
from pipeline.training.inputs import NetworkCard, NetworkInput, card_fields, fit_input
from pipeline.training.metrics import score
from pipeline.training.pretrain import (
    DistillSettings,
    PretrainSettings,
    balance_weights,
    distill,
    pretrain,
)
from pipeline.training.shipped import ExtractorName, recipe
from pipeline.training.task import Task


class PretrainedCard(NetworkCard):
    """What NAME.json says: where the weights come from. MODEL_CARD.md is the version for
    readers."""

    method: Literal["supervised", "distilled"] = "supervised"
    dataset_sha256: str = ""  # "": made before cards had it
    epochs: int
    subjects: list[str]
    validation_windows: int


@dataclass(frozen=True)
class Pretrained:
    """A pretrained backbone: its card and its weights by variable name."""

    card: PretrainedCard
    arrays: dict[str, Array]

    def model(self) -> Any:
        """The tf_keras model with these weights, logits head included."""
        return self.card.build(self.arrays, f"pretrained {self.card.backbone}")


def make_extractor(
    name: ExtractorName,
    task: Task,
    path: Path,
    method: str = "supervised",
    changes: Mapping[str, Any] = MappingProxyType({}),
    show: Callable[[float], None] = lambda _: None,
) -> PretrainedCard:
    """Pretrains the extractor called ``name`` on its task, by its data set's recipe or without
    labels. ``changes`` to the recipe's `PretrainSettings`, None for none; ``show(share done)``."""
    if method == "distilled":
        plan = DistillSettings(backbone=name.backbone)
        return distill_extractor(task, plan, name.seed, path, lambda epoch, of: show(epoch / of))
    wanted = {field: value for field, value in changes.items() if value is not None}
    settings = replace(recipe(name.dataset, name.backbone), **wanted)
    return pretrain_extractor(
        task, settings, name.seed, path, lambda epoch, _: show(epoch / settings.epochs)
    )


def pretrain_extractor(
    task: Task,
    settings: PretrainSettings,
    seed: int,
    path: Path,
    on_epoch: Callable[[int, float], None] = lambda *_: None,
    initial: dict[str, Array] | None = None,
) -> PretrainedCard:
    """Pretrains on the task's training subjects, from ``initial`` as `pretrain`, and writes weights
    and card to ``path``."""
    training, validation = task.pretraining, task.validation
    seen = training.x
    if settings.draws:
        rng = np.random.default_rng(seed)
        seen = seen[
            rng.choice(len(seen), len(seen), p=balance_weights(training.y, training.subjects))
        ]
    normalize = fit_input(backbone(settings.backbone).image, seen, settings.knee)
    model = pretrain(
        task.dense_training_windows(),
        len(training.y),
        validation,
        normalize,
        settings,
        seed,
        on_epoch,
        initial,
    )
    return _save(path, model, task, normalize, settings.backbone, seed, epochs=settings.epochs)


def distill_extractor(
    task: Task,
    settings: DistillSettings,
    seed: int,
    path: Path,
    on_epoch: Callable[[int, int], None] = lambda *_: None,
) -> PretrainedCard:
    """Pretrains on the recordings of the task's pretraining subjects without their labels
    (`pipeline.training.pretrain`) and writes weights and card to ``path``.

    The classifier in the file, and the card's validation accuracy, are of a head that was fitted to
    the frozen features afterwards. ``on_epoch(epoch, epochs)``.
    """
    recordings = task.pretraining_recordings()
    bare, normalize = distill(recordings, task.shape.samples, settings, seed, on_epoch)
    network = backbone(settings.backbone)
    training = task.pretraining
    features = network.features(bare, normalize(training.x))
    model = network.with_head(bare, *fit_head(features, training.y, len(training.activities)))
    return _save(
        path, model, task, normalize, settings.backbone, seed, settings.epochs, "distilled"
    )


def _save(
    path: Path,
    model: Any,
    task: Task,
    normalize: NetworkInput,
    name: str,
    seed: int,
    epochs: int,
    method: str = "supervised",
) -> PretrainedCard:
    validation, accuracy = task.validation, 0.0
    if len(validation):
        logits = model.predict(normalize(validation.x), batch_size=512, verbose=0)
        said, count = logits.argmax(1), len(validation.activities)
        accuracy = score(validation.y, said, validation.subjects, count).accuracy
    return save_pretrained(
        path,
        model,
        {
            "backbone": name,
            "method": method,
            "dataset": task.dataset.name,
            "dataset_sha256": task.dataset.sha256,
            "split": task.split.name,
            "seed": seed,
            "epochs": epochs,
            "subjects": list(task.split.pretrain),
            "activities": list(validation.activities),
            "rate_hz": task.dataset.rate_hz,
            "window_samples": task.shape.samples,
            **card_fields(normalize),
            "validation_subjects": list(task.split.validation),
            "validation_windows": len(validation),
            "validation_accuracy": round(accuracy, 6),
        },
    )


def save_pretrained(path: Path, model: Any, card: dict[str, Any]) -> PretrainedCard:
    """Write ``path`` (.npz) and its card (.json). Raises as `save_sealed`."""
    return save_sealed(
        model,
        path,
        path.with_suffix(".json"),
        lambda sha256: PretrainedCard(**card, weights_sha256=sha256),
    )


def load_pretrained(path: Path) -> Pretrained:
    """Reads weights and card; InputError when either is missing, damaged, or not of the other."""
    card_path = path.with_suffix(".json")
    card = read_card(
        PretrainedCard,
        card_path,
        "make it with `har pretrain`, same data set, backbone, split and seed",
    )
    arrays = load_sealed_weights(path, card.weights_sha256, card_path.name, "pretrain again")
    return Pretrained(card, arrays)

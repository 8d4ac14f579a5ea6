"""What every variant of a request is made from and measured on: windows, and networks that are
trained once on a machine and kept."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import ExternalError
from pipeline.core.files import build_cached
from pipeline.core.types import Array
from pipeline.data import Windows, default_scheme, load_dataset, split_subjects
from pipeline.experiments.variants.optimize import prune
from pipeline.experiments.variants.request import Effort
from pipeline.models import initial_arrays
from pipeline.training import Pretrained, load_pretrained
from pipeline.training.augment import augment
from pipeline.training.pretrain import set_batch_statistics
from pipeline.training.pretrained import pretrain_extractor, save_pretrained
from pipeline.training.shipped import recipe, recipes_digest
from pipeline.training.task import Task, load_task, make_task

_RATE_ON = 0.5  # of the recipe's peak rate, where the weights are no random ones
_SETTLED_BY = 0.3  # share of the steps in which the weights hardly change any more
_REMEMBERED_MOST = 0.2
_STATISTICS = 1024  # windows
_VERSION = 2  # of what is kept
_WEIGHTS = "weights.npz"


def source_task(source: str, seed: int) -> Task:
    """All of the source that may train: its official split where it has one."""
    dataset = load_dataset(source)
    return make_task(dataset, split_subjects(dataset, default_scheme(dataset), seed=seed))


@dataclass(frozen=True, eq=False, kw_only=True)
class VariantTask(Task):
    """A task, thinned, for one ``backbone``. ``dense``: its training subjects' windows at a small
    hop."""

    dense: Windows
    backbone: str

    def representative(self, count: int, seed: int) -> Array:
        """Raw training windows (count, T, 6), chosen at random."""
        x = self.training.x
        chosen = np.random.default_rng(seed).permutation(len(x))[:count]
        return np.asarray(x[chosen])

    def drawing(
        self, normalize: Callable[[Array], Array], count: int
    ) -> Callable[[np.random.Generator], tuple[Array, Array]]:
        """Draws ``count`` random starts an epoch, augmented by the data set's recipe."""
        strength = recipe(self.dataset.name, self.backbone).augmentation

        def draw(rng: np.random.Generator) -> tuple[Array, Array]:
            chosen = rng.permutation(len(self.dense))[:count]
            x = augment(self.dense.x[chosen], rng, strength)
            return normalize(x), self.dense.y[chosen]

        return draw


def gather(dataset: str, split: str, seed: int, backbone: str, effort: Effort) -> VariantTask:
    """Raises as `load_task`."""
    whole = load_task(dataset, scheme=split, seed=seed, progress=False)
    task = whole.thinned(effort.windows, test=effort.test_windows)
    return VariantTask(**vars(task), dense=task.dense_training_windows(), backbone=backbone)


@dataclass(frozen=True)
class Origin:
    """Where a network comes from. ``weights``: source, imagenet or none. ``sha256``: of the data
    set, ``source_sha256``: of the source, "" where there is none."""

    dataset: str
    split: str
    backbone: str
    seed: int
    weights: str
    source: str
    effort: Effort
    sha256: str
    source_sha256: str

    def folder(self, keep: Path, **more: Any) -> Path:
        """Below ``keep``, by all that it depends on."""
        depends = {**asdict(self), **more, "recipes": recipes_digest(), "version": _VERSION}
        content = json.dumps(depends, sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        kind = "".join(c if c.isalnum() else "_" for c in self.backbone)
        return keep / f"{kind}-{self.seed}-{digest}"


@dataclass(frozen=True, eq=False)
class Base:
    """A trained network and where it really comes from."""

    network: Pretrained
    origin: Origin

    @property
    def began(self) -> str:
        """With what: imagenet, the source's name, or none."""
        weights = self.origin.weights
        return self.origin.source if weights == "source" else weights


def base_network(asked: Origin, task: VariantTask, keep: Path) -> Base:
    """The float32 network itself; the source's where ImageNet's weights cannot be had, which is
    another network. Raises as `pretrain_extractor`."""
    origin = _to_be_had(asked, keep)

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        initial = _initial(origin)
        settings = recipe(origin.dataset, origin.backbone)
        if origin.effort.epochs is not None:
            settings = replace(settings, epochs=origin.effort.epochs)
        if initial is not None:
            settings = replace(settings, peak_rate=_RATE_ON * settings.peak_rate)
        path = folder / _WEIGHTS
        pretrain_extractor(task, settings, origin.seed, path, initial=initial)
        steps = settings.epochs * steps_of(task, origin.effort, settings.batch)
        trained = load_pretrained(path)
        _keep(path, trained, trained.model(), task, steps, trained.card.epochs)

    folder = build_cached(origin.folder(keep, kind="base"), make)
    return Base(load_pretrained(folder / _WEIGHTS), origin)


def pruned_network(base: Base, task: VariantTask, keep: Path, sparsity: float) -> Pretrained:
    """The same, pruned and fine-tuned."""
    origin = base.origin
    plan, card = origin.effort.pruning, base.network.card

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        steps = steps_of(task, origin.effort, plan.batch)
        draw = task.drawing(card.normalize, steps * plan.batch)
        model = prune(base.network.model(), sparsity, draw, steps, plan, origin.seed)
        steps *= plan.epochs
        epochs = card.epochs + plan.epochs
        _keep(folder / _WEIGHTS, base.network, model, task, steps, epochs)

    folder = build_cached(origin.folder(keep, kind="pruned", sparsity=sparsity), make)
    return load_pretrained(folder / _WEIGHTS)


def steps_of(task: VariantTask, effort: Effort, batch: int) -> int:
    """Of one epoch."""
    return max(1, min(effort.windows, len(task.training), len(task.dense)) // batch)


def _keep(
    path: Path, network: Pretrained, model: Any, task: VariantTask, steps: int, epochs: int
) -> None:
    """Writes ``model``, which came out of ``steps`` of training, with the card of ``network``.

    Where the running statistics of batch norms still remember what the weights were long ago, they
    are taken again, from training windows.
    """
    import tf_keras

    normalize, validation = network.card.normalize, task.validation
    remembered = [
        layer.momentum ** (_SETTLED_BY * steps)
        for layer in model.layers
        if isinstance(layer, tf_keras.layers.BatchNormalization)
    ]
    if max(remembered, default=0.0) > _REMEMBERED_MOST:
        set_batch_statistics(model, normalize(task.representative(_STATISTICS, 0)))
    answers = model.predict(normalize(validation.x), batch_size=512, verbose=0).argmax(axis=1)
    content = network.card.model_dump(exclude={"weights_sha256"}) | {
        "epochs": epochs,
        "validation_accuracy": round(float((answers == validation.y).mean()), 6),
    }
    save_pretrained(path, model, content)


def _to_be_had(asked: Origin, keep: Path) -> Origin:
    """The source's weights in place of ImageNet's where there are none, or no way to them."""
    if asked.weights != "imagenet" or asked.folder(keep, kind="base").exists():
        return asked
    try:
        there = initial_arrays(asked.backbone, "imagenet") is not None
    except ExternalError:
        there = False
    return asked if there else replace(asked, weights="source")


def _initial(origin: Origin) -> dict[str, Array] | None:
    """What the network begins with, by variable name; None for random weights."""
    if origin.weights == "none":
        return None
    if origin.weights == "imagenet":
        return initial_arrays(origin.backbone, "imagenet")
    task = source_task(origin.source, origin.seed)
    settings = recipe(origin.source, origin.backbone)
    if origin.effort.source_epochs is not None:
        settings = replace(settings, epochs=origin.effort.source_epochs)
    with tempfile.TemporaryDirectory(prefix="har-source-") as scratch:
        path = Path(scratch, _WEIGHTS)
        thin = task.thinned(origin.effort.windows)
        pretrain_extractor(thin, settings, origin.seed, path)
        return load_pretrained(path).arrays

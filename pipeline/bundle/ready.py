"""A shipped network as a bundle: as it is, or with a head that learned your own recordings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bundle.bundle import Bundle
from pipeline.bundle.convert import to_float
from pipeline.bundle.factory_head import Evidence, calibrate_head, choose_exemplars
from pipeline.bundle.int8 import float_values, quantized
from pipeline.bundle.interface import Quantization
from pipeline.bundle.limits import check_room
from pipeline.bundle.material import Material, load_material
from pipeline.bundle.quantize import (
    Converted,
    answers_every,
    check_folder,
    interface_of,
    write_network,
)
from pipeline.compiler import compile_model
from pipeline.compiler.reader import read_model
from pipeline.core.errors import InputError
from pipeline.core.files import build_cached, written_aside
from pipeline.core.types import Array
from pipeline.models import backbone, shape_of
from pipeline.models.dscnn import stage_names
from pipeline.training import TrainedModel
from pipeline.training.augment import augment
from pipeline.training.classifier import fit_head
from pipeline.training.corpora import find_corpus
from pipeline.training.pretrain import balance_weights
from pipeline.training.seeds import seed_everything
from pipeline.training.shipped import DIRECTORY
from pipeline.training.task import OwnRecordings, Task, read_again

BUILT = Path("build/bundles")
_AUGMENTED_COPIES = 2


def rebuild(name: str, output: Path, directory: Path = DIRECTORY, **options: Any) -> Bundle:
    """Make the ready bundle of a shipped network. ``options``: as `quantize_material`. Raises as
    `load_material`."""
    material = load_material(name, directory)
    return quantize_material(material, material.trained(), material.task(), output, **options)


def ready_bundle(name: str) -> Path:
    """The folder of the ready bundle of a shipped network, made where it is missing. Raises as
    `load_material`."""
    material = load_material(name)

    def make(path: Path) -> None:
        quantize_material(material, material.trained(), material.task(), path)

    return build_cached(BUILT / f"{name}-{material.card.model_id}", make)


def own_task(material: Material, own: OwnRecordings | None) -> Task:
    """The task that a model learned: the shipped one, with its ``own`` recordings. Raises
    InputError where these are not what they were."""
    if own is None:
        return material.task()
    return read_again(own, lambda path: material.task(path, own.placement))


def quantize_material(
    material: Material,
    trained: TrainedModel,
    task: Task,
    output: Path,
    *,
    cut: str = "fc",
    spare: int = 2,
    replay: int = 36,
    exemplars: int = 4,
    smoothing: bool = True,
    rejecting: bool = True,
    hop: int | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Write the bundle of a network with the extractor of ``material``: as it ships, or with a
    head that `train_own` fitted to the recordings of ``task``, too.

    Options as `quantize`. Raises InputError for another cut than fc and what a board has no room
    for.
    """
    card = trained.card
    if cut != "fc":
        raise InputError(
            f"cut {cut}: the shipped {card.bundle} network was calibrated for cut fc; train on a "
            "data set (`har train --dataset hapt`) for the other cuts"
        )
    check_room(card.activities, spare, replay, exemplars)
    check_folder(output)
    own = task.training
    with written_aside(output) as aside:
        aside.mkdir()
        on_step("converting")
        extractor = _extractor(material, trained)
        interface = interface_of(compile_model(extractor), card)
        answer_samples = answers_every(hop, extractor, card)
        known = material.training
        features, at_cut = known.features(interface), known.windows
        if len(own):
            features = np.concatenate([features, trained.features(own.x)])
            at_cut = np.concatenate([at_cut, interface.run(extractor, own.x)])
        evidence = Evidence(
            features=features,
            activities=np.concatenate([known.activities, own.y]),
            subjects=np.concatenate([known.subjects.astype(np.str_), own.subjects]),
            cut=material.validation.windows,
            truth=material.validation.activities,
        )
        head = trained.head(cut)
        full_float, activations = to_float(trained.model), material.card.activations.full
        if task.own:
            stages = stage_names(shape_of(card.backbone))
            split = np.cumsum([output.size for output in interface.outputs])[:-1]
            pooled = dict(zip(stages, np.split(evidence.features, split, axis=1), strict=True))
            activations = _with_head(activations, full_float, pooled)
        network = Converted(full_float, quantized(full_float, activations), extractor)

        on_step(f"calibrating on {len(evidence.truth)} windows")
        calibrated = calibrate_head(
            head,
            len(card.activities) + spare,
            interface.outputs,
            evidence,
            smoothing=smoothing,
            rejecting=rejecting,
        )
        chosen = choose_exemplars(evidence.activities, evidence.subjects, exemplars, card.seed)
        return write_network(
            aside,
            card,
            cut,
            network,
            calibrated,
            at_cut[chosen],
            evidence.activities[chosen],
            replay,
            None if task.own else material.card.metrics,
            answer_samples,
        ).at(output)


def _with_head(
    activations: Sequence[Quantization], full_float: bytes, pooled: Mapping[str, Array]
) -> list[Quantization]:
    """The scales of a network whose head has changed: those of its dense layers and their sums are
    computed anew, from the ``pooled`` features (N, C) of each stage."""
    model = read_model(full_float)
    found, values = list(activations), dict[int, Array]()
    for number, operator in enumerate(model.operators, start=1):
        output = model.tensors[operator.outputs[0]]
        if operator.name == "AVERAGE_POOL_2D":
            stage = next(name for name in pooled if f"/{name}_pool/" in output.name)
            values[output.index] = pooled[stage]
            continue
        if operator.name == "FULLY_CONNECTED":
            weights, *bias = (
                float_values(model.tensors[index]) for index in operator.inputs[1:] if index >= 0
            )
            values[output.index] = values[operator.inputs[0]] @ weights.T + np.sum(bias, axis=0)
        elif operator.name == "ADD":
            values[output.index] = np.sum([values[index] for index in operator.inputs], axis=0)
        else:
            continue
        found[number] = _covering(values[output.index])
    return found


def _covering(values: Array) -> Quantization:
    """The scale and zero point on which int8 reaches all values, and 0 exactly."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = float(np.float32((high - low) / 255.0))
    return Quantization(scale=scale, zero_point=int(np.clip(round(-128 - low / scale), -128, 127)))


# ---- your own recordings -------------------------------------------------------------------------


def train_own(material: Material, task: Task, seed: int = 0) -> TrainedModel:
    """Fit the head to your own recordings, the training windows of ``task``, next to the shipped
    memory, starting from the shipped weights and staying close to them. The extractor stays bit for
    bit as shipped."""
    shipped = material.trained()
    network, own = backbone(shipped.card.backbone), task.training
    settings = find_corpus(material.card.bundle).settings
    seed_everything(seed)
    rng = np.random.default_rng(seed)
    copies = [own.x] + [
        augment(own.x, rng, settings.augmentation) for _ in range(_AUGMENTED_COPIES)
    ]
    interface = interface_of(compile_model(_extractor(material, shipped)), shipped.card)
    known = material.training
    features = [known.features(interface), *(shipped.features(x) for x in copies)]
    labels = np.concatenate([known.activities, *([own.y] * len(copies))])
    subjects = np.concatenate([known.subjects.astype(np.str_), *([own.subjects] * len(copies))])
    activities = own.activities
    factory = shipped.head("fc")
    prior = np.zeros((len(activities), factory.weights.shape[1]), np.float32)
    prior[: len(factory.weights)] = factory.weights
    weights, bias = fit_head(
        np.concatenate(features),
        labels,
        len(activities),
        shares=balance_weights(labels, subjects),
        prior=prior,
    )
    judged = material.validation
    said = (judged.features(interface) @ weights.T + bias).argmax(1)
    model = network.with_head(shipped.model, weights, bias)
    card = shipped.card.model_copy(
        update={
            "activities": list(activities),
            "seed": seed,
            "train_subjects": list(task.split.train),
            "train_windows": shipped.card.train_windows + len(own),
            "validation_accuracy": round(float((said == judged.activities).mean()), 6),
            "own": task.own,
        }
    )
    return TrainedModel(card, model)


def _extractor(material: Material, trained: TrainedModel) -> bytes:
    """The int8 .tflite up to cut fc, which no training of the head changes."""
    return quantized(to_float(trained.extractor("fc")), material.card.activations.extractor)

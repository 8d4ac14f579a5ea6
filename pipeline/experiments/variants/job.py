"""One job of `har variants`: a variant of a network, made and measured."""

from __future__ import annotations

from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

from pipeline.bundle.convert import to_float, to_float16, to_int8
from pipeline.bundle.interface import Interface, Normalization, Output, Quantization
from pipeline.compiler.reader import read_model
from pipeline.core.errors import CheckFailed
from pipeline.core.types import Array
from pipeline.data import load_dataset
from pipeline.experiments.variants.app_footprint import (
    NOTHING,
    fit_on_board,
    fits_board,
    surroundings,
    too_large,
)
from pipeline.experiments.variants.engines import (
    engine_figures,
    file_figures,
    predict_int8,
    predict_litert,
)
from pipeline.experiments.variants.networks import (
    Base,
    Origin,
    VariantTask,
    base_network,
    gather,
    pruned_network,
    steps_of,
)
from pipeline.experiments.variants.optimize import quantization_aware
from pipeline.experiments.variants.request import (
    REPRESENTATIVE_WINDOWS,
    Variant,
    VariantsRequest,
    parse_variant,
)
from pipeline.models import model_macs
from pipeline.models.graph import nanojoules
from pipeline.training import Pretrained, score


def run_job(request: VariantsRequest, job: dict[str, Any]) -> dict[str, Any]:
    """``job`` is {backbone, variant, seed}; the result is what a row of the report is made of, or
    {"refused": why} for a variant that the network cannot have."""
    import logging

    import tf_keras

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # of retracing, which is meant
    tf_keras.backend.clear_session()
    backbone, seed, variant = job["backbone"], job["seed"], parse_variant(job["variant"])
    effort, keep = request.effort(backbone), request.networks_folder
    origin = Origin(
        dataset=request.dataset,
        split=request.split,
        backbone=backbone,
        seed=seed,
        weights=request.weights,
        source=request.source,
        effort=effort,
        sha256=_sha256(request.dataset),
        source_sha256="" if request.weights == "none" else _sha256(request.source),
    )
    task = gather(request.dataset, request.split, seed, backbone, effort)
    base = base_network(origin, task, keep)
    try:
        network, model = _make(variant, task, keep, base)
    except CheckFailed as error:
        return {"refused": " ".join(str(error).split())}
    content = _convert(variant, model, network, task, seed)
    return _measure(variant, content, model, network, task, keep, base)


def _sha256(dataset: str) -> str:
    return load_dataset(dataset, progress=False).sha256


def _make(variant: Variant, task: VariantTask, keep: Path, base: Base) -> tuple[Pretrained, Any]:
    """The network that the variant's file is converted from: its card, and the model."""
    network, origin = base.network, base.origin
    if variant.pruned:
        network = pruned_network(base, task, keep, variant.sparsity)
    model = network.model()
    if variant.aware:
        plan = origin.effort.aware
        steps = steps_of(task, origin.effort, plan.batch)
        draw = task.drawing(network.card.normalize, steps * plan.batch)
        model = quantization_aware(model, draw, steps, plan, origin.seed, keep_zeros=variant.pruned)
    return network, model


def _convert(
    variant: Variant, model: Any, network: Pretrained, task: VariantTask, seed: int
) -> bytes:
    if variant.precision == "float32":
        return to_float(model)
    if variant.precision == "float16":
        return to_float16(model)
    raw = task.representative(REPRESENTATIVE_WINDOWS, seed)
    return to_int8(model, network.card.normalize(raw))


def _measure(
    variant: Variant,
    content: bytes,
    model: Any,
    network: Pretrained,
    task: VariantTask,
    keep: Path,
    base: Base,
) -> dict[str, Any]:
    figures = file_figures(content)
    test, normalize = task.test, network.card.normalize
    inputs = normalize(test.x)
    checked, host_only = 0, False
    if variant.quantized:
        answers = predict_int8(content, _engine_input(network, content, test.x))
        classes, checked = answers.classes, answers.checked
        host_only = answers.engine == "litert"
    else:
        classes = predict_litert(content, inputs)
    activities = len(test.activities)
    scores = score(test.y, classes, test.subjects, activities)
    # What pruning and fine-tuning alone did, before the file was quantized; with quantization in
    # the loop the model itself computes with simulated int8.
    before = model.predict(inputs, batch_size=256, verbose=0).argmax(axis=1)
    engines = engine_figures(content, quantized=variant.quantized, seed=base.origin.seed)
    limits = [*engines.limits]
    if host_only:
        limits.append("Its accuracy is that of LiteRT on a host, as no engine of a board runs it.")
    around, unmeasured = surroundings(base, task, keep)
    fit = fit_on_board(around or NOTHING, engines, figures.bytes)
    if fit:
        limits += too_large(fit, alone=around is None)
    if around is None:
        limits.append(f"The firmware around it was not measured: {unmeasured.rstrip('.')}.")
    macs = model_macs(base.network.model())
    return {
        **asdict(figures),
        "macs": macs,
        "energy_nj": round(nanojoules(macs), 3),
        "accuracy": round(scores.accuracy, 6),
        "macro_f1": round(scores.macro_f1, 6),
        "subject_accuracy": {
            name: round(value, 6) for name, value in scores.subject_accuracy.items()
        },
        "network_accuracy": round(float((before == test.y).mean()), 6),
        "checked": checked,
        "arena_bytes": engines.tflm_arena_bytes,
        "engine_flash_bytes": engines.flash_bytes,
        "engine_ram_bytes": engines.ram_bytes,
        "instructions": engines.instructions,
        "fits": fits_board(fit, alone=around is None, unmeasured=engines.unmeasured),
        "engine": fit.engine if fit else None,
        "limits": limits,
        "weights": base.began,
        "test_windows": len(test),
        "test_people": len(set(test.subjects.tolist())),
        "train_windows": len(task.training),
    }


def _engine_input(network: Pretrained, content: bytes, x: Array) -> Array:
    """Raw windows (N, T, 6) as the firmware gives them to its engine, int8."""
    raw, card = read_model(content), network.card
    source, answer = raw.tensors[raw.inputs[0]], raw.tensors[raw.outputs[0]]
    interface = Interface.model_validate(
        {
            "normalization": Normalization(knee=card.knee, mean=card.mean, std=card.std),
            "spectrogram": card.spectrogram.model_dump() if card.spectrogram else None,
            "input": _quantization(source),
            "outputs": [Output(size=prod(answer.shape), **_quantization(answer).model_dump())],
        }
    )
    return interface.engine_input(x)


def _quantization(tensor: Any) -> Quantization:
    return Quantization(scale=float(tensor.scales[0]), zero_point=int(tensor.zero_points[0]))

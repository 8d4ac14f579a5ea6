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
from pipeline.experiments.variants.engines import (
    NOTHING,
    engine_figures,
    file_figures,
    fit_on_board,
    fits_board,
    predict_int8,
    predict_litert,
    surroundings,
    too_large,
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
    network = base.network
    if variant.pruned:
        network = pruned_network(base, task, keep, variant.sparsity)
    model, normalize = network.model(), network.card.normalize
    if variant.aware:
        plan, steps = effort.aware, steps_of(task, effort, effort.aware.batch)
        draw = task.drawing(normalize, steps * plan.batch)
        try:
            model = quantization_aware(model, draw, steps, plan, seed, keep_zeros=variant.pruned)
        except CheckFailed as error:
            return {"refused": " ".join(str(error).split())}
    if variant.quantized:
        content = to_int8(model, normalize(task.representative(REPRESENTATIVE_WINDOWS, seed)))
    else:
        content = to_float(model) if variant.precision == "float32" else to_float16(model)
    return _measure(variant, content, model, network, task, keep, base)


def _sha256(dataset: str) -> str:
    return load_dataset(dataset, progress=False).sha256


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
    engines = engine_figures(content, quantized=variant.quantized, seed=base.origin.seed)
    limits = [*engines.limits]
    if variant.quantized:
        answers = predict_int8(content, _engine_input(network, content, test.x))
        classes = answers.classes
        if answers.engine == "litert":
            limits.append(
                "Its accuracy is that of LiteRT on a host, as no engine of a board runs it."
            )
    else:
        classes = predict_litert(content, inputs)
    scores = score(test.y, classes, test.subjects, len(test.activities))
    # What pruning and fine-tuning alone did, before the file was quantized; with quantization in
    # the loop the model itself computes with simulated int8.
    before = model.predict(inputs, batch_size=256, verbose=0).argmax(axis=1)
    around, unmeasured = surroundings(base, task, keep)
    fit = fit_on_board(around or NOTHING, engines, figures.bytes)
    if fit:
        limits += too_large(fit, alone=around is None)
    if around is None:
        limits.append(f"The firmware around it was not measured: {unmeasured.rstrip('.')}.")
    macs = model_macs(base.network.model())
    return {
        **asdict(figures),
        **asdict(engines),
        "macs": macs,
        "energy_nj": round(nanojoules(macs), 3),
        "accuracy": round(scores.accuracy, 6),
        "macro_f1": round(scores.macro_f1, 6),
        "subject_accuracy": {
            name: round(value, 6) for name, value in scores.subject_accuracy.items()
        },
        "network_accuracy": round(float((before == test.y).mean()), 6),
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

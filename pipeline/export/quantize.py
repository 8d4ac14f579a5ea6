"""`har quantize`: from a trained model to a sealed bundle."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data import SubjectSplit, Windows
from pipeline.errors import InputError
from pipeline.export.bundle import (
    EXTRACTOR,
    FULL_FLOAT,
    FULL_INT8,
    TAIL,
    Bundle,
    Normalization,
    Quantization,
    norm_gain,
    write_bundle,
)
from pipeline.export.convert import quantize_windows, to_float, to_int8
from pipeline.models import save_weights
from pipeline.training import Scores, TrainedModel, score

Array = np.ndarray[Any, Any]

CHANNELS = ["ax", "ay", "az", "gx", "gy", "gz"]
UNITS = ["g", "g", "g", "rad/s", "rad/s", "rad/s"]
_REPRESENTATIVE_WINDOWS = 500
# Learning constants of the tail (docs/LEARNING.md): a step of the size `_STEP` relative to the
# mean squared norm of the features, so that one rate serves extractors of any scale. Chosen on the
# validation people (three labelled windows an activity), never on test people.
_STEP = 0.5
_ANCHOR = 0.02
_STEPS_PER_LABEL = 4


def quantize(
    trained: TrainedModel,
    windows: Windows,
    split: SubjectSplit,
    output: Path,
    *,
    on_step: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Converts, measures on the split's test people, and writes the bundle to ``output``.

    An older bundle in ``output`` is replaced only when the new one is complete. Raises InputError
    if the windows are not those the model was trained for.
    """
    import tensorflow as tf

    from pipeline.compiler import compile_model
    from pipeline.compiler.oracle import run_tflm

    card = trained.card
    if list(windows.activities) != card.activities or windows.x.shape[1] != card.window_samples:
        raise InputError("these windows are not of the kind that the model was trained on")
    if output.exists() and any(output.iterdir()) and not (output / "bundle.json").exists():
        raise InputError(f"{output}: holds other files and no bundle; name an empty folder")
    aside = output.with_name(output.name + ".part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        training = windows.for_subjects(split.train)
        test = windows.for_subjects(split.test)
        chosen = np.random.default_rng(card.seed).permutation(len(training.y))
        representative = trained.network_input(training.x[chosen[:_REPRESENTATIVE_WINDOWS]])

        on_step("converting")
        full_float = to_float(trained.model)
        full_int8 = to_int8(trained.model, representative)
        extractor = to_int8(trained.extractor(), representative)
        weights, bias = trained.tail()
        (aside / FULL_FLOAT).write_bytes(full_float)
        (aside / FULL_INT8).write_bytes(full_int8)
        (aside / EXTRACTOR).write_bytes(extractor)
        save_weights(aside / TAIL, {"weights": weights, "bias": bias})

        on_step("compiling")
        compiled = compile_model(extractor)
        source, feature = compiled.inputs[0], compiled.outputs[0]

        on_step(f"measuring on {len(test.y)} test windows")
        logits = trained.model.predict(trained.network_input(test.x), batch_size=512, verbose=0)
        activities = len(card.activities)
        float_scores = score(test.y, logits.argmax(1), test.subjects, activities)
        int8_scores = _int8_scores(
            full_int8,
            test,
            Normalization(mean=card.mean, std=card.std),
            Quantization(scale=source.scale, zero_point=source.zero_point),
        )
        one = np.zeros((1, *compiled.inputs[0].shape[1:]), np.int8)
        arena = run_tflm(extractor, one).arena_bytes
        features = trained.extractor().predict(representative, batch_size=512, verbose=0)

        worst = int8_scores.worst_subject
        content = {
            "activities": card.activities,
            "rate_hz": card.rate_hz,
            "window_samples": card.window_samples,
            "hop_samples": card.hop_samples,
            "channels": CHANNELS,
            "units": UNITS,
            "normalization": {"mean": card.mean, "std": card.std},
            "cut": card.cut,
            "features": int(np.prod(feature.shape)),
            "input": {"scale": source.scale, "zero_point": source.zero_point},
            "feature": {"scale": feature.scale, "zero_point": feature.zero_point},
            "learning": {
                "rate": float(np.float32(_STEP / (1.0 + (features**2).sum(axis=1).mean()))),
                "anchor": _ANCHOR,
                "steps": _STEPS_PER_LABEL,
            },
            "tflm_arena_bytes": arena,
            "macs": compiled.macs,
            "metrics": {
                "test_windows": int8_scores.n,
                "float_accuracy": round(float_scores.accuracy, 6),
                "int8_accuracy": round(int8_scores.accuracy, 6),
                "int8_macro_f1": round(int8_scores.macro_f1, 6),
                "worst_subject": worst,
                "worst_subject_accuracy": round(int8_scores.subject_accuracy[worst], 6),
                "subject_accuracy": {
                    name: round(value, 6) for name, value in int8_scores.subject_accuracy.items()
                },
            },
            "provenance": {
                "dataset": card.dataset,
                "split": card.split,
                "seed": card.seed,
                "train_subjects": card.train_subjects,
                "validation_subjects": card.validation_subjects,
                "test_subjects": card.test_subjects,
                "train_windows": card.train_windows,
                "backbone": card.backbone,
                "pretrained_sha256": card.pretrained_sha256,
                "tensorflow": tf.__version__,
            },
        }
        bundle = write_bundle(aside, content)
        old = output.with_name(output.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if output.exists():
            output.rename(old)
        aside.rename(output)
        shutil.rmtree(old, ignore_errors=True)
        return bundle
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def int8_scores(bundle: Bundle, directory: Path, test: Windows) -> Scores:
    """Scores of the bundle's whole int8 network, run by TFLite-Micro, on windows."""
    full = (directory / FULL_INT8).read_bytes()
    return _int8_scores(full, test, bundle.normalization, bundle.input)


def _int8_scores(
    full_int8: bytes, test: Windows, normalization: Normalization, source: Quantization
) -> Scores:
    from pipeline.compiler.oracle import run_tflm

    mean = np.asarray(normalization.mean, np.float32)
    quantized = quantize_windows(test.x, mean, norm_gain(normalization, source), source.zero_point)
    logits = run_tflm(full_int8, quantized).outputs[0].reshape(len(test.y), -1)
    return score(test.y, logits.argmax(1), test.subjects, len(test.activities))

"""`har quantize`: from a trained model to a sealed bundle."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.compiler import compile_model, run_tflm
from pipeline.data import SubjectSplit, Windows
from pipeline.errors import InputError
from pipeline.export.behind import choose_behind_tail
from pipeline.export.bundle import (
    EXTRACTOR,
    FULL_FLOAT,
    FULL_INT8,
    TAIL,
    Bundle,
    Interface,
    Normalization,
    Quantization,
    check_activities,
    output_of,
    write_bundle,
)
from pipeline.export.convert import parameter_count, to_float, to_int8
from pipeline.export.deployed import deployed_scores
from pipeline.models import save_weights
from pipeline.training import TrainedModel, score

Array = np.ndarray[Any, Any]

CHANNELS = ["ax", "ay", "az", "gx", "gy", "gz"]
UNITS = ["g", "g", "g", "rad/s", "rad/s", "rad/s"]
_REPRESENTATIVE_WINDOWS = 500
# Learning constants of the tail, for features of any number and scale (docs/LEARNING.md says how
# they were chosen): each step makes about `_STEP` of the correction that a window of average size
# asks for, and takes back `_PULL` of what has been learned.
_STEP = 0.75
_PULL = 1e-3
_STEPS_PER_LABEL = 4


def quantize(
    trained: TrainedModel,
    windows: Windows,
    split: SubjectSplit,
    output: Path,
    *,
    smoothing: bool = True,
    rejecting: bool = True,
    on_step: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Converts, calibrates on the split's validation people, measures on its test people, and
    writes the bundle to ``output``. ``smoothing`` and ``rejecting``: as `choose_behind_tail`.

    An older bundle in ``output`` is replaced only when the new one is complete. Raises InputError
    if the windows are not those the model was trained for, or a board could not say the activities'
    names.
    """
    import tensorflow as tf

    card = trained.card
    if list(windows.activities) != card.activities or windows.x.shape[1] != card.window_samples:
        raise InputError("these windows are not of the kind that the model was trained on")
    try:
        check_activities(card.activities)
    except ValueError as error:
        raise InputError(f"{error}; rename or merge them in the data set") from None
    if output.exists() and any(output.iterdir()) and not (output / "bundle.json").exists():
        raise InputError(f"{output}: holds other files and no bundle; name an empty folder")
    aside = output.with_name(output.name + ".part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        training = windows.for_subjects(split.train)
        test = windows.for_subjects(split.test)
        shuffled = np.random.default_rng(card.seed).permutation(len(training.y))
        representative = training.x[shuffled[:_REPRESENTATIVE_WINDOWS]]
        inputs = trained.network_input(representative)

        on_step("converting")
        full_float = to_float(trained.model)
        full_int8 = to_int8(trained.model, inputs)
        extractor = to_int8(trained.extractor(), inputs)
        (aside / FULL_FLOAT).write_bytes(full_float)
        (aside / FULL_INT8).write_bytes(full_int8)
        (aside / EXTRACTOR).write_bytes(extractor)

        on_step("compiling")
        compiled = compile_model(extractor)
        source = compiled.inputs[0]
        outputs = [output_of(info) for info in compiled.outputs]
        interface = Interface(
            normalization=Normalization(knee=card.knee, mean=card.mean, std=card.std),
            input=Quantization(scale=source.scale, zero_point=source.zero_point),
            features=sum(output.size for output in outputs),
            outputs=outputs,
        )

        validation = windows.for_subjects(split.validation)
        on_step(f"calibrating on {len(validation.y)} validation windows")
        behind = choose_behind_tail(
            trained,
            extractor,
            interface,
            training,
            validation,
            smoothing=smoothing,
            rejecting=rejecting,
        )
        tail, novelty = behind.tail, behind.novelty
        save_weights(
            aside / TAIL,
            {
                "weights": tail.weights,
                "bias": tail.bias,
                "novelty_center": novelty.center,
                "novelty_inverse_std": novelty.inverse_std,
            },
        )

        on_step(f"measuring on {len(test.y)} test windows")
        logits = trained.model.predict(trained.network_input(test.x), batch_size=512, verbose=0)
        activities = len(card.activities)
        float_scores = score(test.y, logits.argmax(1), test.subjects, activities)
        int8_scores = deployed_scores(extractor, interface, tail, test)
        one = np.zeros((1, *source.shape[1:]), np.int8)
        arena = run_tflm(extractor, one).arena_bytes
        features = trained.features(representative)
        rate = float(np.float32(_STEP / (1.0 + (features**2).sum(axis=1).mean())))

        worst = int8_scores.worst_subject
        content = {
            "activities": card.activities,
            "rate_hz": card.rate_hz,
            "window_samples": card.window_samples,
            "hop_samples": card.hop_samples,
            "channels": CHANNELS,
            "units": UNITS,
            **interface.model_dump(mode="json"),
            "cut": card.cut,
            "learning": {
                "rate": rate,
                "anchor": float(np.float32(_PULL / rate)),
                "steps": _STEPS_PER_LABEL,
            },
            "calibration": behind.calibration.model_dump(mode="json"),
            "unknown": behind.unknown.model_dump(mode="json"),
            "smoother": behind.smoother.model_dump(mode="json"),
            "tflm_arena_bytes": arena,
            "macs": compiled.macs,
            "parameters": parameter_count(full_float),
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

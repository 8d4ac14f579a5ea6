"""`har quantize`: from a trained model to a sealed bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.bundle.bundle import (
    EXTRACTOR,
    FULL_FLOAT,
    FULL_INT8,
    HEAD,
    Bundle,
    Provenance,
    write_bundle,
)
from pipeline.bundle.convert import parameter_count, to_float, to_int8
from pipeline.bundle.factory_head import calibrate_head, choose_exemplars, head_sizes
from pipeline.bundle.interface import (
    OUTPUT_BYTES_MAX,
    Interface,
    Normalization,
    Quantization,
    output_of,
)
from pipeline.bundle.limits import check_room
from pipeline.compiler import compile_model, run_tflm
from pipeline.core.errors import InputError
from pipeline.core.files import write_npz, written_aside
from pipeline.data import Windows
from pipeline.head import Head
from pipeline.training import Scores, TrainedModel, score
from pipeline.training.task import Task

CHANNELS = ["ax", "ay", "az", "gx", "gy", "gz"]
UNITS = ["g", "g", "g", "rad/s", "rad/s", "rad/s"]
_REPRESENTATIVE_WINDOWS = 500


def quantize(
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
    full: dict[str, bytes] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Convert, calibrate on the validation subjects, measure on the test subjects, and write the
    bundle to ``output``.

    ``cut``: where the frozen extractor ends. ``spare``: rows for activities that are taught.
    ``replay``: labelled windows that the device keeps. ``exemplars``: training subjects' windows
    that ship of each activity. ``smoothing`` and ``rejecting``: as `calibrate_head`.
    ``full``: the whole network converted, by file name, filled if it is empty: to be handed on when
    the same network is quantized at another cut.

    An older bundle in ``output`` is replaced only when the new one is complete; another run that
    writes there waits meanwhile. Raises InputError
    if the windows are not those the model was trained for, the backbone has no such cut, or a board
    has no room for so much or could not say the activities' names.
    """
    import tensorflow as tf

    card, activities = trained.card, trained.card.activities
    if (
        list(task.windows.activities) != activities
        or task.windows.x.shape[1] != card.window_samples
    ):
        raise InputError("these windows are not of the kind that the model was trained on")
    check_room(activities, spare, replay, exemplars)
    if output.exists() and any(output.iterdir()) and not (output / "bundle.json").exists():
        raise InputError(f"{output}: holds other files and no bundle; name an empty folder")
    head = trained.head(cut)
    if head.map_length * head.channels > OUTPUT_BYTES_MAX:
        raise InputError(
            f"cut {cut}: a map of {head.map_length} x {head.channels} is too large to be kept on a "
            "board; choose another cut or backbone"
        )
    with written_aside(output) as aside:
        aside.mkdir()
        training, validation, test = task.training, task.validation, task.test
        shuffled = np.random.default_rng(card.seed).permutation(len(training.y))
        representative = training.x[shuffled[:_REPRESENTATIVE_WINDOWS]]
        inputs = trained.network_input(representative)

        on_step("converting")
        full = {} if full is None else full
        if not full:
            full[FULL_FLOAT] = to_float(trained.model)
            full[FULL_INT8] = to_int8(trained.model, inputs)
        extractor = to_int8(trained.extractor(cut), inputs)
        for name, converted in full.items():
            (aside / name).write_bytes(converted)
        (aside / EXTRACTOR).write_bytes(extractor)

        on_step("compiling")
        compiled = compile_model(extractor)
        source = compiled.inputs[0]
        interface = Interface(
            normalization=Normalization(knee=card.knee, mean=card.mean, std=card.std),
            spectrogram=card.spectrogram,
            input=Quantization(scale=source.scale, zero_point=source.zero_point),
            outputs=[output_of(info) for info in compiled.outputs],
        )

        on_step(f"calibrating on {len(validation.y)} validation windows")
        calibrated = calibrate_head(
            trained,
            cut,
            len(activities) + spare,
            extractor,
            interface,
            training,
            validation,
            smoothing=smoothing,
            rejecting=rejecting,
        )
        chosen = choose_exemplars(training, exemplars, card.seed)
        write_npz(
            aside / HEAD,
            {
                "parameters": calibrated.head.anchor,
                "feature_scale": calibrated.head.scales.scale,
                "feature_offset": calibrated.head.scales.offset,
                "novelty_center": calibrated.novelty.center,
                "novelty_inverse_std": calibrated.novelty.inverse_std,
                "exemplars": interface.run(extractor, training.x[chosen]),
                "exemplar_activities": training.y[chosen].astype(np.uint8),
            },
        )

        on_step(f"measuring on {len(test.y)} test windows")
        logits = trained.model.predict(trained.network_input(test.x), batch_size=512, verbose=0)
        float_scores = score(test.y, logits.argmax(1), test.subjects, len(activities))
        int8_scores = deployed_scores(extractor, interface, calibrated.head, test)
        one = np.zeros((1, *source.shape[1:]), np.int8)
        arena = run_tflm(extractor, one).arena_bytes

        provenance = card.model_dump(include=set(Provenance.model_fields))
        content = {
            "activities": activities,
            "rate_hz": card.rate_hz,
            "window_samples": card.window_samples,
            "hop_samples": card.hop_samples,
            "channels": CHANNELS,
            "units": UNITS,
            **interface.model_dump(mode="json"),
            "cut": cut,
            "rows": len(activities) + spare,
            "features": head.weights.shape[1],
            "head": head_sizes(head),
            "learning": calibrated.learning.model_dump(mode="json"),
            "replay": {"capacity": replay, "exemplars": len(chosen)},
            "calibration": calibrated.calibration.model_dump(mode="json"),
            "unknown": calibrated.unknown.model_dump(mode="json"),
            "smoother": calibrated.smoother.model_dump(mode="json"),
            "tflm_arena_bytes": arena,
            "macs": compiled.macs,
            "parameters": parameter_count(full[FULL_FLOAT]),
            "metrics": _metrics(float_scores, int8_scores),
            "provenance": {**provenance, "tensorflow": tf.__version__},
        }
        return write_bundle(aside, content).at(output)


def _metrics(float_scores: Scores, int8_scores: Scores) -> dict[str, object]:
    worst = int8_scores.worst_subject
    return {
        "test_windows": int8_scores.n,
        "float_accuracy": round(float_scores.accuracy, 6),
        "int8_accuracy": round(int8_scores.accuracy, 6),
        "int8_macro_f1": round(int8_scores.macro_f1, 6),
        "worst_subject": worst,
        "worst_subject_accuracy": round(int8_scores.subject_accuracy[worst], 6),
        "subject_accuracy": {
            name: round(value, 6) for name, value in int8_scores.subject_accuracy.items()
        },
    }


def deployed_scores(extractor: bytes, interface: Interface, head: Head, windows: Windows) -> Scores:
    """Score the network as it is deployed: the int8 extractor in TFLite-Micro, the float32 head in
    NumPy."""
    predicted = head.predict(interface.run(extractor, windows.x)).argmax(axis=1)
    return score(windows.y, predicted, windows.subjects, len(windows.activities))

"""`har quantize`: from a trained model to a sealed bundle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.bundle.bundle import (
    EXTRACTOR,
    FULL_FLOAT,
    FULL_INT8,
    HEAD,
    MANIFEST,
    Bundle,
    HeadSizes,
    Metrics,
    Provenance,
    answer_steps,
    write_bundle,
)
from pipeline.bundle.convert import parameter_count, to_float, to_int8
from pipeline.bundle.factory_head import (
    CalibratedHead,
    calibrate_head,
    choose_exemplars,
    evidence_of,
)
from pipeline.bundle.interface import (
    OUTPUT_BYTES_MAX,
    Interface,
    Normalization,
    Quantization,
    output_of,
)
from pipeline.bundle.limits import check_room
from pipeline.compiler import CompiledModel, compile_model, possible_hops, run_tflm
from pipeline.core.errors import InputError
from pipeline.core.files import write_npz, written_aside
from pipeline.core.types import Array
from pipeline.data import Windows
from pipeline.head import Head
from pipeline.training import Scores, TrainedModel, score
from pipeline.training.task import Task
from pipeline.training.train import TrainCard

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
    hop: int | None = None,
    full: dict[str, bytes] | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Convert, calibrate on the validation subjects, measure on the test subjects, and write the
    bundle to ``output``.

    ``cut``: where the frozen extractor ends. ``spare``: rows for activities that are taught.
    ``replay``: labelled windows that the device keeps. ``exemplars``: training subjects' windows
    that ship of each activity. ``smoothing`` and ``rejecting``: as `calibrate_head`.
    ``hop``: samples between a board's answers, if fewer than between the windows that are judged.
    More frequent ones need the engine that streams.
    ``full``: the whole network converted, by file name, filled if it is empty: to be handed on when
    the same network is quantized at another cut.

    An older bundle in ``output`` is replaced only when the new one is complete; another run that
    writes there waits meanwhile. Raises InputError
    if the windows are not those the model was trained for, the backbone has no such cut, or a board
    has no room for so much or could not say the activities' names.
    """
    card, activities = trained.card, trained.card.activities
    if (
        list(task.windows.activities) != activities
        or task.windows.x.shape[1] != card.window_samples
    ):
        raise InputError("these windows are not of the kind that the model was trained on")
    check_room(activities, spare, replay, exemplars)
    check_folder(output)
    head = trained.head(cut)
    if head.map_length * head.channels > OUTPUT_BYTES_MAX:
        raise InputError(
            f"cut {cut}: a map of {head.map_length} x {head.channels} is too large to be kept on a "
            "board; choose another cut or backbone"
        )
    with written_aside(output) as aside:
        aside.mkdir()
        training, validation, test = task.training, task.validation, task.test
        inputs = trained.network_input(representative(training, card.seed))

        on_step("converting")
        full = {} if full is None else full
        if not full:
            full[FULL_FLOAT] = to_float(trained.model)
            full[FULL_INT8] = to_int8(trained.model, inputs)
        network = Converted(
            full[FULL_FLOAT], full[FULL_INT8], to_int8(trained.extractor(cut), inputs)
        )
        interface = interface_of(network.compiled, card)
        answer_samples = answers_every(hop, network.extractor, card)

        on_step(f"calibrating on {len(validation) or 'training'} windows")
        evidence = evidence_of(trained, cut, network.extractor, interface, training, validation)
        chosen = choose_exemplars(training.y, training.subjects, exemplars, card.seed)
        calibrated = calibrate_head(
            head,
            len(activities) + spare,
            interface.outputs,
            evidence,
            smoothing=smoothing,
            rejecting=rejecting,
        )
        metrics = None
        if len(test):
            on_step(f"measuring on {len(test)} test windows")
            metrics = measured(trained, network.extractor, interface, calibrated.head, test)
        return write_network(
            aside,
            card,
            cut,
            network,
            calibrated,
            interface.run(network.extractor, training.x[chosen]),
            training.y[chosen],
            replay,
            metrics,
            answer_samples,
        ).at(output)


def check_folder(output: Path) -> None:
    """Raise InputError for a folder that holds something else than a bundle."""
    if output.exists() and any(output.iterdir()) and not (output / MANIFEST).exists():
        raise InputError(f"{output}: holds other files and no bundle; name an empty folder")


def representative(training: Windows, seed: int) -> Array:
    """The raw windows whose activations set the scales."""
    shuffled = np.random.default_rng(seed).permutation(len(training))
    return np.asarray(training.x[shuffled[:_REPRESENTATIVE_WINDOWS]])


@dataclass(frozen=True, eq=False)
class Converted:
    """A network as .tflite: whole in float32 and int8, and int8 up to the cut."""

    full_float: bytes
    full_int8: bytes
    extractor: bytes

    @cached_property
    def compiled(self) -> CompiledModel:
        """The extractor, compiled."""
        return compile_model(self.extractor)


def answers_every(hop: int | None, extractor: bytes, card: TrainCard) -> int | None:
    """``hop`` for a bundle that streams, None for one that answers as often as windows are judged.

    Raises InputError for a hop that cannot be chosen, naming those that can, and UnsupportedModel
    for a network that cannot stream.
    """
    if hop is None or hop == card.hop_samples:
        return None
    streams = possible_hops(extractor)
    choice = [each for each in answer_steps(card.hop_samples) if each in streams]
    if hop not in choice:
        given = ", ".join(str(each) for each in sorted({card.hop_samples, *choice}))
        raise InputError(f"--hop {hop}: this network can answer every {given} samples")
    return hop


def interface_of(compiled: CompiledModel, card: TrainCard) -> Interface:
    """How samples enter a compiled extractor and activations leave it."""
    source = compiled.inputs[0]
    return Interface(
        normalization=Normalization(knee=card.knee, mean=card.mean, std=card.std),
        spectrogram=card.spectrogram,
        input=Quantization(scale=source.scale, zero_point=source.zero_point),
        outputs=[output_of(info) for info in compiled.outputs],
    )


def write_network(
    folder: Path,
    card: TrainCard,
    cut: str,
    network: Converted,
    calibrated: CalibratedHead,
    exemplars: Array,
    exemplar_activities: Array,
    replay: int,
    metrics: Metrics | None,
    answer_samples: int | None,
) -> Bundle:
    """Write a bundle into the empty ``folder``. ``exemplars``: int8 (E, B) at the cut."""
    import tensorflow as tf

    (folder / FULL_FLOAT).write_bytes(network.full_float)
    (folder / FULL_INT8).write_bytes(network.full_int8)
    (folder / EXTRACTOR).write_bytes(network.extractor)
    head, compiled = calibrated.head, network.compiled
    write_npz(
        folder / HEAD,
        {
            "parameters": head.anchor,
            "feature_scale": head.scales.scale,
            "feature_offset": head.scales.offset,
            "novelty_center": calibrated.novelty.center,
            "novelty_inverse_std": calibrated.novelty.inverse_std,
            "exemplars": exemplars,
            "exemplar_activities": exemplar_activities.astype(np.uint8),
        },
    )
    shape = head.shape
    one = np.zeros((1, *compiled.inputs[0].shape[1:]), np.int8)
    provenance = card.model_dump(include=set(Provenance.model_fields))
    content = {
        "activities": card.activities,
        "placement": card.placement,
        "rate_hz": card.rate_hz,
        "window_samples": card.window_samples,
        "hop_samples": card.hop_samples,
        "answer_samples": answer_samples,
        "channels": CHANNELS,
        "units": UNITS,
        **interface_of(compiled, card).model_dump(mode="json"),
        "cut": cut,
        "rows": shape.rows,
        "features": shape.features,
        "head": {name: getattr(shape, name) for name in HeadSizes.model_fields},
        "learning": calibrated.learning.model_dump(mode="json"),
        "replay": {"capacity": replay, "exemplars": len(exemplars)},
        "calibration": calibrated.calibration.model_dump(mode="json"),
        "unknown": calibrated.unknown.model_dump(mode="json"),
        "smoother": calibrated.smoother.model_dump(mode="json"),
        "tflm_arena_bytes": run_tflm(network.extractor, one).arena_bytes,
        "macs": compiled.macs,
        "parameters": parameter_count(network.full_float),
        "metrics": metrics.model_dump(mode="json") if metrics else None,
        "provenance": {**provenance, "tensorflow": tf.__version__},
    }
    return write_bundle(folder, content)


def measured(
    trained: TrainedModel, extractor: bytes, interface: Interface, head: Head, test: Windows
) -> Metrics:
    """What bundle.json says of the test subjects' windows."""
    logits = trained.model.predict(trained.network_input(test.x), batch_size=512, verbose=0)
    float_scores = score(test.y, logits.argmax(1), test.subjects, len(test.activities))
    int8_scores = deployed_scores(extractor, interface, head, test)
    worst = int8_scores.worst_subject
    return Metrics(
        test_windows=int8_scores.n,
        float_accuracy=round(float_scores.accuracy, 6),
        int8_accuracy=round(int8_scores.accuracy, 6),
        int8_macro_f1=round(int8_scores.macro_f1, 6),
        worst_subject=worst,
        worst_subject_accuracy=round(int8_scores.subject_accuracy[worst], 6),
        subject_accuracy={
            name: round(value, 6) for name, value in int8_scores.subject_accuracy.items()
        },
    )


def deployed_scores(extractor: bytes, interface: Interface, head: Head, windows: Windows) -> Scores:
    """Score the network as it is deployed: the int8 extractor in TFLite-Micro, the float32 head in
    NumPy."""
    predicted = head.predict(interface.run(extractor, windows.x)).argmax(axis=1)
    return score(windows.y, predicted, windows.subjects, len(windows.activities))

"""One bundle on its test subjects: float, int8 and compiled, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.bundle import load_bundle
from pipeline.bundle.bundle import FULL_FLOAT, Bundle
from pipeline.core.types import Array
from pipeline.data import SubjectSplit, Windows
from pipeline.experiments.evaluate.recordings import Followed, follow
from pipeline.head import softmax
from pipeline.training.inputs import SpectrogramCard, input_of_card
from pipeline.training.task import Task


@dataclass(frozen=True, eq=False)
class Measurement:
    """What one network said of N test windows.

    truth int64 (N,), subjects and sessions str (N,); ``probabilities`` by engine, float32 (N, K).
    ``mismatches``: windows on which the C engine and TFLite-Micro differ in any bit.
    ``followed``: what the same network shows over whole recordings.
    """

    split: SubjectSplit
    seed: int
    model_id: str
    weights: str
    truth: Array
    subjects: Array
    sessions: Array
    probabilities: dict[str, Array]
    mismatches: int
    followed: Followed


def measure(
    directory: Path, task: Task, weights: str, unseen: Windows | None = None
) -> Measurement:
    """Runs the bundle's own files on the windows and the whole recordings of the task's test
    subjects, and on ``unseen``: windows of activities that are none of the task's.

    ``weights`` says where they come from (`pipeline.experiments.evaluate.report.RunReport`). Raises
    InputError for a damaged bundle, ExternalError where a tool is missing.
    """
    from pipeline.sim.parity import run_compiled

    bundle = load_bundle(directory)
    test = task.windows.for_subjects(task.split.test)
    theirs = bundle.at_cut(test.x)
    ours = run_compiled(bundle.compiled, bundle.engine_input(test.x))
    head = bundle.new_head()
    probabilities = {
        "float": _float_probabilities(bundle, test.x),
        "int8": head.predict(theirs),
        "compiled": head.predict(ours),
    }
    bits = [probabilities[engine].view(np.uint32) for engine in ("int8", "compiled")]
    differs = (theirs != ours).any(axis=1) | (bits[0] != bits[1]).any(axis=1)
    return Measurement(
        split=task.split,
        seed=bundle.provenance.seed,
        model_id=bundle.model_id,
        weights=weights,
        truth=test.y,
        subjects=test.subjects,
        sessions=test.sessions,
        probabilities=probabilities,
        mismatches=int(differs.sum()),
        followed=follow(bundle, task, unseen),
    )


def _float_probabilities(bundle: Bundle, x: Array) -> Array:
    """Raw windows (N, T, 6) -> probabilities (N, K) of the float32 network in the bundle."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    made, picture = bundle.normalization, bundle.spectrogram
    card = SpectrogramCard.model_validate(picture.model_dump()) if picture else None
    inputs = input_of_card(made.knee, made.mean, made.std, bundle.window_samples, card)(x)
    interpreter = Interpreter(
        model_content=(bundle.directory / FULL_FLOAT).read_bytes(),
        num_threads=1,
        # The delegate announces itself on the terminal.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    logits = []
    for window in inputs[:, None]:  # (1, T, 1, 6), or a picture (1, S, S, planes)
        interpreter.set_tensor(source, window)
        interpreter.invoke()
        logits.append(interpreter.get_tensor(answer)[0])
    return softmax(np.stack(logits))

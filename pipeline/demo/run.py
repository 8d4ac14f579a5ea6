"""The demo, step by step; every figure of its report is measured here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.demo.board import Answers, BoardSession
from pipeline.demo.stretches import calibration, some_of_each
from pipeline.demo.witness import Witness
from pipeline.device.emulator import Target, launch
from pipeline.device.firmware import FirmwareImage, build_firmware
from pipeline.errors import HonestNo
from pipeline.export import Bundle, emit
from pipeline.export.fit import NANO33BLE
from pipeline.export.quantize import int8_scores, quantize
from pipeline.report import DemoDetails, SubjectScore, per_activity
from pipeline.training import Pretrained, Scores, train
from pipeline.training.task import HOP_SAMPLES, Task
from pipeline.training.train import save_trained

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class DemoSettings:
    """What a demo runs on. The ``*_per_activity`` count windows of each person and activity."""

    target: Target
    output: Path
    seed: int = 0
    streamed_per_activity: int = 8
    labelled_per_activity: int = 3


@dataclass
class DemoResult:
    """Everything that the report is made of."""

    settings: DemoSettings
    task: Task
    bundle: Bundle
    int8: Scores
    image: FirmwareImage
    streamed: Scores
    answers: Answers
    learning: LearningResult
    engine: str
    samples_lost: int
    train_windows: int = 0


@dataclass
class LearningResult:
    """One person teaches the board."""

    subject: str
    labelled: int
    before: Scores
    after: Scores
    mismatches: int
    compared: int
    update_count: int
    survived: bool
    probabilities: list[tuple[float, float]] = field(default_factory=list)


def run_demo(
    settings: DemoSettings,
    task: Task,
    pretrained: Pretrained,
    on_step: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> DemoResult:
    """Runs the whole path. ``on_step(text)`` begins a step, ``on_progress(done, of)`` moves it.

    Raises HarError with one clear line when a step cannot be done.
    """
    output = settings.output
    on_step(f"Training the classifier on {len(task.split.train)} people")
    trained = train(
        pretrained,
        task.windows,
        task.split,
        dataset=task.dataset.name,
        rate_hz=task.dataset.rate_hz,
        hop_samples=HOP_SAMPLES,
        seed=settings.seed,
    )
    save_trained(trained, output / "train")

    on_step("Quantizing to int8 and measuring on people it never saw")
    bundle = quantize(trained, task.windows, task.split, output / "bundle")
    emit(output / "bundle", output / "generated")

    on_step(f"Building the firmware for {settings.target}")
    image = build_firmware(
        settings.target, output / "generated", output / f"firmware-{settings.target}"
    )

    flash = output / "flash.img"
    flash.unlink(missing_ok=True)
    witness = Witness(bundle, output / "bundle")
    with launch(settings.target, image.path, flash) as emulator:
        board = BoardSession(emulator.port, bundle, witness, task, on_progress)
        on_step("Streaming held-out people's samples to the board")
        chosen = some_of_each(task.windows, task.split.test, settings.streamed_per_activity)
        answers = board.classify(chosen)
        streamed = board.scores(answers)

        subject = bundle.metrics.worst_subject
        on_step(f"Person {subject} teaches the board")
        labelled, rest = calibration(task.windows, subject, settings.labelled_per_activity)
        before = board.classify(rest)
        taught = board.teach(labelled)
        after = board.classify(rest)
        head = board.save()
        status = board.status()
        engine = board.engine
        board.close()
        on_step("Cutting the power")
        emulator.kill()
    with launch(settings.target, image.path, flash) as emulator:
        board = BoardSession(emulator.port, bundle, witness, task, on_progress)
        woken = board.head()
        again = board.classify(rest[: settings.streamed_per_activity])
        board.close()

    survived = (
        woken.source == head.source
        and woken.sequence == head.sequence
        and woken.tail_crc == head.tail_crc
        and again.mismatches == 0
    )
    if not len(answers.windows):
        raise HonestNo("the board answered no window; look at build/demo")
    return DemoResult(
        settings=settings,
        task=task,
        bundle=bundle,
        int8=int8_scores(bundle, output / "bundle", task.windows.for_subjects(task.split.test)),
        image=image,
        streamed=streamed,
        answers=answers,
        learning=LearningResult(
            subject=subject,
            labelled=len(labelled),
            before=board.scores(before),
            after=board.scores(after),
            mismatches=taught.mismatches + after.mismatches + before.mismatches + again.mismatches,
            compared=taught.compared + after.compared + before.compared + again.compared,
            update_count=taught.update_count,
            survived=survived,
            probabilities=taught.probabilities,
        ),
        engine=engine,
        samples_lost=status.samples_lost,
        train_windows=trained.card.train_windows,
    )


def report_of(result: DemoResult) -> dict[str, Any]:
    """The content of report.json."""
    bundle, learning, sizes = result.bundle, result.learning, result.image.sizes
    metrics = bundle.metrics
    return {
        "dataset": result.task.dataset.name,
        "split": bundle.provenance.split,
        "seed": result.settings.seed,
        "train_windows": result.train_windows,
        "test_windows": metrics.test_windows,
        "float_accuracy": metrics.float_accuracy,
        "int8_accuracy": metrics.int8_accuracy,
        "int8_macro_f1": metrics.int8_macro_f1,
        "worst_subject": {
            "id": metrics.worst_subject,
            "accuracy": metrics.worst_subject_accuracy,
        },
        "model_id": bundle.model_id,
        "engine": result.engine,
        "target": result.settings.target,
        "windows_streamed": result.answers.sent,
        "predictions_received": len(result.answers.windows),
        "samples_lost": result.samples_lost,
        "device_accuracy": result.streamed.accuracy,
        "parity": {
            "compared": result.answers.compared,
            "mismatches": result.answers.mismatches,
        },
        "learning": {
            "subject": learning.subject,
            "labelled_windows": learning.labelled,
            "test_windows": learning.before.n,
            "accuracy_before": learning.before.accuracy,
            "accuracy_after": learning.after.accuracy,
            "parity_compared": learning.compared,
            "parity_mismatches": learning.mismatches,
            "survived_power_cycle": learning.survived,
        },
        "size": {
            "flash_bytes": sizes.flash_bytes,
            "ram_bytes": sizes.ram_bytes,
            "runtime_flash_bytes": sizes.runtime_flash_bytes,
            "weights_bytes": sizes.weights_bytes,
        },
        "instructions": {
            "inference": result.answers.inference_count,
            "update": learning.update_count,
        }
        if result.settings.target == "mps2"
        else None,
    }


def details_of(result: DemoResult) -> DemoDetails:
    """What the page shows beyond report.json."""
    activities = result.task.windows.activities
    learning, dataset = result.learning, result.task.dataset
    return DemoDetails(
        activities=activities,
        confusion=result.int8.confusion,
        per_subject={
            name: SubjectScore(accuracy, result.int8.subject_windows[name])
            for name, accuracy in result.int8.subject_accuracy.items()
        },
        before=per_activity(activities, learning.before.confusion),
        after=per_activity(activities, learning.after.confusion),
        limits={
            "flash_bytes": NANO33BLE.flash_limit_bytes,
            "ram_bytes": NANO33BLE.ram_limit_bytes,
        },
        terms=dataset.terms,
        citation=dataset.citation,
        measured_on=f"int8 model, all {result.int8.n} windows of the test people",
        label_probabilities=[before for before, _ in learning.probabilities],
    )

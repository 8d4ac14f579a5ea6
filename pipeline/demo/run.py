"""The demo, step by step; every figure of its report is measured here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.bundle import Bundle, emit
from pipeline.bundle.quantize import deployed_scores, quantize
from pipeline.core.types import Array
from pipeline.demo.board import Answers, BoardSession, Taught
from pipeline.demo.runs import calibration
from pipeline.demo.schema import DemoDetails, per_activity
from pipeline.head import Outcome
from pipeline.report.fields import SubjectScore
from pipeline.sim.boards import NANO33BLE
from pipeline.sim.build import FirmwareImage, build_firmware
from pipeline.sim.emulator import Target, launch
from pipeline.training import Pretrained, Scores, train
from pipeline.training.task import Task
from pipeline.training.train import save_trained

_WINDOWS_AFTER_POWER_CUT = 20
_LABELS_AFTER_POWER_CUT = 4


@dataclass(frozen=True)
class DemoSettings:
    """What a demo runs on. ``labelled_per_activity``: windows of each activity and session that a
    person labels; three were best on the validation subjects."""

    target: Target
    output: Path
    seed: int = 0
    labelled_per_activity: int = 3


@dataclass
class Teaching:
    """The board learns one subject's windows ``labelled``; ``rest`` are the other windows of that
    subject that share no sample with them."""

    subject: str
    labelled: Array
    rest: Array
    before: Scores
    after: Scores
    compared: int
    mismatches: int
    taught: Taught

    @property
    def answered(self) -> int:
        """Labels that the board answered."""
        return len(self.taught.probabilities)


@dataclass
class DemoResult:
    """Everything that the report is made of. The last teaching is the one that was saved."""

    settings: DemoSettings
    task: Task
    bundle: Bundle
    int8: Scores
    image: FirmwareImage
    streamed: Scores
    answers: Answers
    teachings: list[Teaching]
    survived: bool
    mismatches_after_power_cut: int
    compared_after_power_cut: int
    engine: str
    samples_lost: int
    train_windows: int


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
    on_step(f"Training the head on {len(task.split.train)} subjects")
    trained = train(pretrained, task, settings.seed)
    save_trained(trained, output / "train")

    on_step("Quantizing to int8 and measuring on held-out subjects")
    bundle = quantize(trained, task, output / "bundle")
    emit(bundle, output / "generated")

    on_step(f"Building the firmware for {settings.target}")
    image = build_firmware(
        settings.target, output / "generated", output / f"firmware-{settings.target}"
    )

    flash = output / "flash.img"
    flash.unlink(missing_ok=True)
    twin = bundle.new_twin()
    people = sorted(task.split.test, key=lambda name: (name == bundle.metrics.worst_subject, name))
    with launch(settings.target, image.path, flash) as emulator:
        board = BoardSession(emulator.port, bundle, twin, task, on_progress)
        on_step("Streaming all held-out subjects's samples to the board")
        answers = board.classify(np.flatnonzero(np.isin(task.windows.subjects, task.split.test)))
        teachings = []
        for person in people:
            on_step(f"{person} labels windows on the board")
            teachings.append(_teach(board, task, person, answers, settings.labelled_per_activity))
        head = board.save()
        status = board.status()
        engine = board.engine
        board.close()
        on_step("Cutting the power")
        emulator.kill()
    teaching = teachings[-1]
    with launch(settings.target, image.path, flash) as emulator:
        board = BoardSession(emulator.port, bundle, twin, task, on_progress)
        woken = board.head()
        again = board.classify(teaching.rest[:_WINDOWS_AFTER_POWER_CUT])
        # Learning on draws from the windows that were kept: these have survived, too.
        more = board.teach(teaching.labelled[:_LABELS_AFTER_POWER_CUT])
        board.close()

    survived = (
        woken == replace(head, can_undo=False)
        and again.mismatches == more.mismatches == 0
        and again.compared == again.sent
    )
    return DemoResult(
        settings=settings,
        task=task,
        bundle=bundle,
        int8=deployed_scores(
            bundle.extractor,
            bundle,
            bundle.new_head(),
            task.test,
        ),
        image=image,
        streamed=board.scores(answers),
        answers=answers,
        teachings=teachings,
        survived=survived,
        mismatches_after_power_cut=again.mismatches + more.mismatches,
        compared_after_power_cut=again.compared + more.compared,
        engine=engine,
        samples_lost=status.samples_lost,
        train_windows=trained.card.train_windows,
    )


def _teach(
    board: BoardSession, task: Task, person: str, answers: Answers, per_activity: int
) -> Teaching:
    """From the factory head, one subject's labels, then that subject's other windows again."""
    board.reset()
    labelled, rest = calibration(task.windows, person, per_activity)
    taught = board.teach(labelled)
    after = board.classify(rest)
    return Teaching(
        subject=person,
        labelled=labelled,
        rest=rest,
        before=board.scores(answers.only(rest)),
        after=board.scores(after),
        compared=taught.compared + after.compared,
        mismatches=taught.mismatches + after.mismatches,
        taught=taught,
    )


def failures(report: dict[str, Any]) -> list[str]:
    """What a report says went wrong, a line each; nothing in a good run. Accuracy is no failure."""
    parity, learning = report["parity"], report["learning"]
    missing = report["windows_streamed"] - report["predictions_received"]
    said = {
        f"{parity['mismatches']} windows differ from the host": parity["mismatches"],
        f"{missing} predictions did not come back": missing,
        f"{report['samples_lost']} samples were lost": report["samples_lost"],
        f"{learning['parity_mismatches']} learned results differ from NumPy": learning[
            "parity_mismatches"
        ],
        "what was learned did not survive the power cut": not learning["survived_power_cycle"],
    }
    return [line for line, wrong in said.items() if wrong]


def report_of(result: DemoResult) -> dict[str, Any]:
    """The content of report.json."""
    bundle, teaching, sizes = result.bundle, result.teachings[-1], result.image.sizes
    metrics = bundle.metrics
    on_emulator = result.settings.target == "mps2"
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
            "subject": teaching.subject,
            "labelled_windows": teaching.answered,
            "test_windows": teaching.before.n,
            "accuracy_before": teaching.before.accuracy,
            "accuracy_after": teaching.after.accuracy,
            "parity_compared": sum(each.compared for each in result.teachings)
            + result.compared_after_power_cut,
            "parity_mismatches": sum(each.mismatches for each in result.teachings)
            + result.mismatches_after_power_cut,
            "survived_power_cycle": result.survived,
            "outcomes": {
                outcome.name.lower(): teaching.taught.outcomes[outcome] for outcome in Outcome
            },
            "serves": teaching.taught.serves,
            "everyone": [
                {
                    "id": each.subject,
                    "labelled_windows": each.answered,
                    "test_windows": each.before.n,
                    "accuracy_before": each.before.accuracy,
                    "accuracy_after": each.after.accuracy,
                    "serves": each.taught.serves,
                }
                for each in sorted(result.teachings, key=lambda each: each.subject)
            ],
        },
        "size": {
            "flash_bytes": sizes.flash_bytes,
            "ram_bytes": sizes.ram_bytes,
            "runtime_flash_bytes": sizes.runtime_flash_bytes,
            "weights_bytes": sizes.weights_bytes,
        },
        # Only the emulated core counts instructions.
        "instructions": {
            "inference": result.answers.inference_count if on_emulator else None,
            "update": teaching.taught.update_count if on_emulator else None,
        },
    }


def details_of(result: DemoResult) -> DemoDetails:
    """What the page shows beyond report.json."""
    activities = result.task.windows.activities
    teaching, dataset = result.teachings[-1], result.task.dataset
    store_pages = result.bundle.learning_memory.store_pages
    return DemoDetails(
        activities=activities,
        confusion=result.int8.confusion,
        per_subject={
            name: SubjectScore(accuracy, result.int8.subject_windows[name])
            for name, accuracy in result.int8.subject_accuracy.items()
        },
        before=per_activity(activities, teaching.before.confusion),
        after=per_activity(activities, teaching.after.confusion),
        limits={
            "flash_bytes": NANO33BLE.flash_limit_bytes(store_pages),
            "ram_bytes": NANO33BLE.ram_limit_bytes,
        },
        terms=dataset.terms,
        citation=dataset.citation,
        measured_on=f"int8 model, all {result.int8.n} windows of the test subjects",
        label_probabilities=[before for before, _ in teaching.taught.probabilities],
    )

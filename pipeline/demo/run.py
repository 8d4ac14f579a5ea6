"""The demo, step by step; every figure of its report is measured here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.bundle import Bundle, emit
from pipeline.bundle.bundle import Metrics
from pipeline.bundle.material import Material
from pipeline.bundle.quantize import deployed_scores, quantize
from pipeline.bundle.ready import quantize_material
from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.demo.board import Answers, BoardSession, Taught
from pipeline.demo.schema import (
    DemoDetails,
    DemoReport,
    Instructions,
    Learning,
    Outcomes,
    Parity,
    PersonTaught,
    Size,
    WorstSubject,
    per_activity,
)
from pipeline.experiments.labelling import choose, users_of
from pipeline.head import Outcome
from pipeline.report.fields import SubjectScore
from pipeline.sim.boards import NANO33BLE
from pipeline.sim.build import build_firmware
from pipeline.sim.emulator import Target, launch
from pipeline.training import Pretrained, Scores, TrainedModel, train
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

    labelled: Array
    rest: Array
    before: Scores
    after: Scores
    taught: Taught
    person: PersonTaught


def run_demo(
    settings: DemoSettings,
    task: Task,
    make: Callable[[Path, Callable[[str], None]], tuple[TrainedModel, Bundle]],
    on_step: Callable[[str], None] = lambda _: None,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> tuple[DemoReport, DemoDetails]:
    """Runs the whole path. ``make(folder, on_step)`` trains and quantizes; ``on_step(text)`` begins
    a step, ``on_progress(done, of)`` moves it.

    Raises HarError with one clear line when a step cannot be done.
    """
    output = settings.output
    trained, bundle = make(output / "bundle", on_step)
    save_trained(trained, output / "train")
    emit(bundle, output / "generated")
    metrics = metrics_of_test(bundle)

    on_step(f"Building the firmware for {settings.target}")
    image = build_firmware(
        settings.target, output / "generated", output / f"firmware-{settings.target}"
    )

    flash = output / "flash.img"
    flash.unlink(missing_ok=True)
    twin = bundle.new_twin()
    people = sorted(task.split.test, key=lambda name: (name == metrics.worst_subject, name))
    with launch(settings.target, image.path, flash) as emulator:
        board = BoardSession(emulator.port, bundle, twin, task, on_progress)
        on_step("Streaming all held-out subjects' samples to the board")
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
        and len(again.windows) == again.sent
    )
    int8 = deployed_scores(bundle.extractor, bundle, bundle.new_head(), task.test)
    parts: list[Answers | Taught] = [*(each.taught for each in teachings), again, more]
    # Only the emulated core counts instructions.
    counted = settings.target == "mps2"
    report = DemoReport(
        dataset=task.dataset.name,
        split=bundle.provenance.split,
        seed=settings.seed,
        train_windows=trained.card.train_windows,
        test_windows=metrics.test_windows,
        float_accuracy=metrics.float_accuracy,
        int8_accuracy=metrics.int8_accuracy,
        int8_macro_f1=metrics.int8_macro_f1,
        worst_subject=WorstSubject(
            id=metrics.worst_subject, accuracy=metrics.worst_subject_accuracy
        ),
        model_id=bundle.model_id,
        engine=engine,
        target=settings.target,
        windows_streamed=answers.sent,
        predictions_received=len(answers.windows),
        samples_lost=status.samples_lost,
        device_accuracy=board.scores(answers).accuracy,
        parity=Parity(compared=answers.compared, mismatches=answers.mismatches),
        learning=Learning(
            subject=teaching.person.id,
            **teaching.person.model_dump(exclude={"id"}),
            parity_compared=sum(each.compared for each in parts),
            parity_mismatches=sum(each.mismatches for each in parts),
            survived_power_cycle=survived,
            outcomes=Outcomes(
                **{each.name.lower(): teaching.taught.outcomes[each] for each in Outcome}
            ),
            everyone=sorted((each.person for each in teachings), key=lambda each: each.id),
        ),
        size=Size(**asdict(image.sizes)),
        instructions=Instructions(
            inference=answers.inference_count if counted else None,
            update=teaching.taught.update_count if counted else None,
        ),
    )
    activities = task.windows.activities
    return report, DemoDetails(
        activities=activities,
        confusion=int8.confusion,
        per_subject={
            name: SubjectScore(accuracy, int8.subject_windows[name])
            for name, accuracy in int8.subject_accuracy.items()
        },
        before=per_activity(activities, teaching.before.confusion),
        after=per_activity(activities, teaching.after.confusion),
        limits={
            "flash_bytes": NANO33BLE.flash_limit_bytes(bundle.learning_memory.store_pages),
            "ram_bytes": NANO33BLE.ram_limit_bytes,
        },
        terms=task.dataset.terms,
        citation=task.dataset.citation,
        label_probabilities=[before for before, _ in teaching.taught.probabilities],
    )


def made_of_data(
    pretrained: Pretrained, task: Task, seed: int
) -> Callable[[Path, Callable[[str], None]], tuple[TrainedModel, Bundle]]:
    """What `run_demo` takes: a head trained on the task's subjects."""

    def make(folder: Path, on_step: Callable[[str], None]) -> tuple[TrainedModel, Bundle]:
        on_step(f"Training the head on {len(task.split.train)} subjects")
        trained = train(pretrained, task, seed)
        on_step("Quantizing to int8 and measuring on held-out subjects")
        return trained, quantize(trained, task, folder)

    return make


def made_of_material(
    material: Material,
) -> Callable[[Path, Callable[[str], None]], tuple[TrainedModel, Bundle]]:
    """What `run_demo` takes: a network as it ships."""

    def make(folder: Path, on_step: Callable[[str], None]) -> tuple[TrainedModel, Bundle]:
        on_step("Quantizing the shipped network to int8")
        trained = material.trained()
        return trained, quantize_material(material, trained, material.task(), folder)

    return make


def metrics_of_test(bundle: Bundle) -> Metrics:
    """Raises InputError for a bundle that nobody judged."""
    if bundle.metrics is None:
        raise InputError(f"{bundle.directory}: nobody was held out to judge it")
    return bundle.metrics


def _teach(
    board: BoardSession, task: Task, person: str, answers: Answers, per_activity: int
) -> Teaching:
    """From the factory head, one subject's labels, then that subject's other windows again."""
    board.reset()
    users = users_of(task.windows, [person])
    chosen = [choose(task.windows, user, per_activity) for user in users]
    labelled, rest = (np.sort(np.concatenate(part)) for part in zip(*chosen, strict=True))
    taught = board.teach(labelled)
    after = board.classify(rest)
    taught.compared += after.compared
    taught.mismatches += after.mismatches
    scores, scores_after = board.scores(answers.only(rest)), board.scores(after)
    return Teaching(
        labelled,
        rest,
        scores,
        scores_after,
        taught,
        PersonTaught(
            id=person,
            labelled_windows=len(taught.probabilities),
            test_windows=scores.n,
            accuracy_before=scores.accuracy,
            accuracy_after=scores_after.accuracy,
            serves=taught.serves,
        ),
    )


def failures(report: DemoReport) -> list[str]:
    """What a report says went wrong, a line each; nothing in a good run. Accuracy is no failure."""
    parity, learning = report.parity, report.learning
    missing = report.windows_streamed - report.predictions_received
    said = {
        f"{parity.mismatches} windows differ from the host": parity.mismatches,
        f"{missing} predictions did not come back": missing,
        f"{report.samples_lost} samples were lost": report.samples_lost,
        f"{learning.parity_mismatches} learned results differ from NumPy": (
            learning.parity_mismatches
        ),
        "what was learned did not survive the power cut": not learning.survived_power_cycle,
    }
    return [line for line, wrong in said.items() if wrong]

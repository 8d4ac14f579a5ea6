"""The shape of report.json, whose field order is the order in the file, and what the page adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from pipeline.report.fields import Count, Part, Share, SubjectScore
from pipeline.sim.emulator import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

TARGET_NOTES = {
    "host": "host process: no emulator was used",
    "mps2": "emulated Cortex-M4F: QEMU mps2-an386",
}


class WorstSubject(Part):
    """The held-out subject on whom the int8 model is right least often."""

    id: int | str
    accuracy: Share


class Parity(Part):
    """Windows computed on the device and again on the host, and how many differ in any bit."""

    compared: Count
    mismatches: Count


class Outcomes(Part):
    """What became of the labels: learned from, kept for the holdout, or undone again because the
    holdout windows got worse."""

    learned: Count
    held_back: Count
    undone: Count


class PersonTaught(Part):
    """What learning from their own labels did for one held-out subject. ``serves``: in the end the
    learned head answers, not the shipped one."""

    id: int | str
    labelled_windows: Count
    test_windows: Count
    accuracy_before: Share
    accuracy_after: Share
    serves: bool


class Learning(Part):
    """One held-out subject before and after labelled windows were learned on the device.

    Accuracies are of that subject's other windows, ``test_windows`` of them. ``serves`` as in
    PersonTaught.
    """

    subject: int | str
    labelled_windows: Count
    test_windows: Count
    accuracy_before: Share
    accuracy_after: Share
    parity_compared: Count
    parity_mismatches: Count
    survived_power_cycle: bool
    outcomes: Outcomes
    serves: bool
    everyone: list[PersonTaught]

    @property
    def mean_before(self) -> float:
        """Mean over `everyone`, each subject counted once."""
        return sum(each.accuracy_before for each in self.everyone) / len(self.everyone)

    @property
    def mean_after(self) -> float:
        """Mean over `everyone`, each subject counted once."""
        return sum(each.accuracy_after for each in self.everyone) / len(self.everyone)


class Size(Part):
    """Bytes of the linked image."""

    flash_bytes: Count
    ram_bytes: Count
    runtime_flash_bytes: Count
    weights_bytes: Count


class Instructions(Part):
    """Executed instructions (not cycles) of one inference and of one update; null: not counted."""

    inference: Count | None
    update: Count | None


class DemoReport(Part):
    """What `har demo` measured in one run. Accuracies are shares of windows, 0 to 1."""

    dataset: str
    split: str
    seed: int
    train_windows: Count
    test_windows: Count
    float_accuracy: Share
    int8_accuracy: Share
    int8_macro_f1: Share
    worst_subject: WorstSubject
    model_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    engine: Annotated[str, Field(pattern=r"^(compiled|tflm)$")]
    target: Target
    windows_streamed: Count
    predictions_received: Count
    samples_lost: Count
    device_accuracy: Share
    parity: Parity
    learning: Learning
    size: Size
    instructions: Instructions
    seconds: float = 0.0

    @property
    def target_note(self) -> str:
        """One line on what ran the firmware; says so where no emulator was used."""
        return TARGET_NOTES[self.target]


# ---- what the page adds --------------------------------------------------------------------------


@dataclass(frozen=True)
class DemoDetails:
    """Tables after the report. Names are shown as they are, however odd; K is len(activities).

    confusion: (K, K) counts of windows, rows what it was, columns what was said.
    per_subject: subject -> score, over the same windows.
    before, after: activity -> accuracy (0 to 1) on the learning subject's unlabelled windows, on
        the device; None where that subject has no such window.
    label_probabilities: what the device gave the true activity just before it learned each
        labelled window, in order; may be empty.
    limits: "flash_bytes" and "ram_bytes" of the real board.
    terms, citation: one or two sentences each.
    """

    activities: Sequence[str]
    confusion: NDArray[Any]
    per_subject: Mapping[int | str, SubjectScore]
    before: Mapping[str, float | None]
    after: Mapping[str, float | None]
    limits: Mapping[str, int]
    terms: str
    citation: str
    label_probabilities: Sequence[float]

    def __post_init__(self) -> None:
        k = len(self.activities)
        if tuple(self.confusion.shape) != (k, k):
            raise ValueError(f"confusion is {self.confusion.shape}, activities are {k}")
        if not self.per_subject:
            raise ValueError("per_subject is empty: no subject was tested")


def per_activity(activities: Sequence[str], confusion: NDArray[Any]) -> dict[str, float | None]:
    """Of each activity the share of its windows named right, from (K, K) counts; None without any.

    Rows what it was, columns what was said: what ``before`` and ``after`` want.
    """
    totals = confusion.sum(axis=1)
    return {
        name: float(confusion[i, i] / totals[i]) if totals[i] else None
        for i, name in enumerate(activities)
    }

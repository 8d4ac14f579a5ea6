"""What the page shows beyond report.json: whole tables where the report has one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.report.fields import SubjectScore

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class DemoDetails:
    """Tables after the report. Names are shown as they are, however odd; K is len(activities).

    confusion: (K, K) counts of windows, rows what it was, columns what was said.
    per_subject: subject -> score, over the same windows.
    measured_on: what named those windows, e.g. "int8 model, whole test set".
    before, after: activity -> accuracy (0 to 1) on the learning subject's unlabelled windows, on
        the device; None where that subject has no such window.
    label_probabilities: what the device gave the true activity just before it learned each
        labelled window, in order; may be empty.
    limits: "flash_bytes" and "ram_bytes" of the real board.
    terms, citation: one or two sentences each; citation_url is the only link of the page.
    target_note: more about what ran the firmware.
    """

    activities: Sequence[str]
    confusion: NDArray[Any]
    per_subject: Mapping[int | str, SubjectScore]
    before: Mapping[str, float | None]
    after: Mapping[str, float | None]
    limits: Mapping[str, int]
    terms: str
    citation: str
    citation_url: str = ""
    measured_on: str = "int8 model"
    label_probabilities: Sequence[float] = field(default_factory=tuple)
    target_note: str = ""

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

"""The shape of evaluate.json, what it claims, and its files, tables and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pipeline.core.files import write_files
from pipeline.core.format import grouped, percent, subject_label
from pipeline.report.claims import Claim, claims_table, with_claims
from pipeline.report.fields import Count, Part, Share, SubjectScore
from pipeline.report.html import Page, Picture, Section
from pipeline.report.tables import Cell, Table, confusion_table, field_table, group_table, number

ENGINES = ("float", "int8", "compiled")


class Figures(Part):
    """Accuracies, 0 to 1. ``worst_subject``: of the worst subject; ``worst_quarter``: the mean of
    the worst quarter of the people, their number rounded up. Over several seeds, means of these,
    and ``worst_subject_name`` is who is worst in the mean."""

    accuracy: Share
    macro_f1: Share
    worst_subject: Share
    worst_subject_name: str
    worst_quarter: Share


class Engines(Part):
    """The same windows three times: the float network (full.float.tflite), the int8 extractor in
    TFLite-Micro with the float32 head in NumPy, and the C engine built on this host with the same
    head."""

    float_: Figures = Field(alias="float")
    int8: Figures
    compiled: Figures

    def by_name(self) -> list[tuple[str, Figures]]:
        """In the order of `ENGINES`."""
        return list(zip(ENGINES, (self.float_, self.int8, self.compiled), strict=True))


class SeedReport(Engines):
    """The figures of one seed. ``n_test`` windows."""

    seed: Count
    n_test: Count
    calibration_error: Share


class RunReport(Part):
    """One network that was measured: who made it and who tested it.

    ``weights``: "bundle" (measured as it was handed in), "shipped" or "trained here".
    """

    split: str
    seed: Count
    model_id: str
    weights: str
    pretrain_subjects: list[str]
    train_subjects: list[str]
    validation_subjects: list[str]
    test_subjects: list[str]


class ReliabilityReport(Part):
    """Per bin of the largest probability, equal in width over 0..1: windows of all seeds, their
    mean confidence and their accuracy; int8."""

    windows: list[Count]
    confidence: list[Share]
    accuracy: list[Share]


class Shown(Part):
    """Activities shown over whole recordings, judged on the windows that show one activity.

    delay_windows_...: of the ``changes`` of activity, how many windows of the new one passed before
    it was first shown. delay_s_mean: seconds from its first sample to the answer that shows it.
    """

    accuracy: Share
    worst_session: Share
    worst_session_name: str
    changes: Count
    delay_windows_median: Annotated[float, Field(ge=0)]
    delay_windows_p95: Annotated[float, Field(ge=0)]
    delay_s_mean: Annotated[float, Field(ge=0)]

    @property
    def delay(self) -> str:
        """Median and 95th percentile, e.g. "1, 3.5"; "no change" where no activity changes."""
        if self.changes == 0:
            return "no change"
        return f"{self.delay_windows_median:g}, {self.delay_windows_p95:g}"


class Detection(Part):
    """The share of ``windows`` that came out as unknown."""

    unknown: Share
    windows: Count


class RecordingsReport(Part):
    """Whole recordings of the test subjects, an answer every ``hop_s`` seconds, int8: what the head
    says (``plain``) and what the smoother makes of it.

    false_reject: share of the ``known_windows`` that came out as unknown; detection: the same of
    transitions, of stretches without a label, of windows that straddle, and of another data set's
    activities.
    """

    hop_s: Annotated[float, Field(gt=0)]
    known_windows: Count
    plain: Shown
    smoothed: Shown
    false_reject: Share
    detection: dict[str, Detection]


class SplitReport(Engines):
    """One scheme, all its folds together: each subject of a fold is tested by the network that was
    not trained on them. Figures are means over ``seeds``; ``n_test`` windows are those of one seed.

    calibration_error: expected calibration error of int8 (Guo et al. 2017, 15 bins).
    majority_of_errors: the pair of activities most often taken for each other, int8, and its
    share of the errors; None where nothing is wrong. compiled_mismatches: windows whose int8
    activations or probabilities differ in any bit between TFLite-Micro and the C engine.
    recordings: the same networks over whole recordings, all seeds.
    confusion: windows of all seeds, rows what it was, columns what was said; int8.
    """

    name: str
    seeds: list[Count]
    n_test: Count
    calibration_error: Share
    majority_of_errors: str | None
    majority_of_errors_share: Share
    compiled_mismatches: Count
    per_seed: list[SeedReport]
    per_subject: dict[str, SubjectScore]
    per_session: dict[str, SubjectScore]
    confusion: list[list[Count]]
    reliability: ReliabilityReport
    recordings: RecordingsReport
    runs: list[RunReport]

    @property
    def label(self) -> str:
        """E.g. "official, 3 seeds"."""
        return f"{self.name}, {len(self.seeds)} seed{'s' * (len(self.seeds) != 1)}"


class EvaluationReport(Part):
    """evaluate.json. ``parameters`` and ``macs`` are of the network that ``bundle`` holds:
    weights and biases of all of it, multiply-accumulates of one inference of the extractor.
    ``notes``: what every report about the data set must say."""

    bundle: str
    model_id: str
    parameters: Count
    macs: Count
    dataset: str
    backbone: str
    activities: list[str]
    rate_hz: Annotated[float, Field(gt=0)]
    window_samples: Count
    hop_samples: Count
    splits: Annotated[list[SplitReport], Field(min_length=1)]
    notes: list[str]
    command: str
    versions: dict[str, str]
    seconds: Annotated[float, Field(ge=0)]

    @property
    def mismatches(self) -> int:
        """Windows on which the C engine and TFLite-Micro differ, over all splits."""
        return sum(split.compiled_mismatches for split in self.splits)

    def claims(self) -> list[Claim]:
        """Of each split. ``n``: test windows of one seed, of all seeds for the engine."""
        found = []
        for split in self.splits:
            lost = 100 * (split.float_.accuracy - split.int8.accuracy)
            name, n, differ = split.name, split.n_test, split.compiled_mismatches
            found += [
                Claim(
                    f"{name}: int8 loses, points",
                    "at most 0.5",
                    number(lost, 2),
                    n,
                    lost <= 0.5 + 1e-9,
                ),
                Claim(
                    f"{name}: compiled differs from int8, windows",
                    "0",
                    str(differ),
                    n * len(split.seeds),
                    differ == 0,
                ),
            ]
        return found

    def document(self) -> dict[str, Any]:
        """For --json and evaluate.json: the report and its claims."""
        return with_claims(self, self.claims())


# ---- files, tables and pictures ------------------------------------------------------------------


def evaluation_tables(report: EvaluationReport) -> list[Table]:
    """Of all splits, for the terminal."""
    tables = [Table("", (), (), [_about(report), *report.notes])]
    for split in report.splits:
        tables += split_tables(report, split)
    return tables


def _about(report: EvaluationReport) -> str:
    return (
        f"{report.dataset}, {report.backbone}, model {report.model_id}: "
        f"{grouped(report.parameters)} parameters, {grouped(report.macs)} MACs"
    )


def split_tables(report: EvaluationReport, split: SplitReport) -> list[Table]:
    """Engines, confusion, whole recordings, unknown windows, subjects and sessions."""
    notes = [f"expected calibration error {percent(split.calibration_error)} (int8)"]
    if split.majority_of_errors:
        errors = percent(split.majority_of_errors_share)
        notes.append(f"{errors} of the errors are {split.majority_of_errors}")
    rows = [[engine, *_cells(figures)] for engine, figures in split.by_name()]
    columns = ("engine", "accuracy", "macro F1", "worst subject", "worst quarter")
    return [
        Table(f"{split.label}, n = {grouped(split.n_test)}", columns, rows, notes),
        confusion_table(report.activities, np.array(split.confusion)),
        *_recordings(split.recordings),
        group_table("subject", split.per_subject),
        group_table("session", split.per_session),
    ]


def _cells(figures: Figures) -> list[str | Cell]:
    return [
        Cell(percent(figures.accuracy), "strong"),
        percent(figures.macro_f1),
        f"{subject_label(figures.worst_subject_name)} {percent(figures.worst_subject)}",
        percent(figures.worst_quarter),
    ]


def _recordings(found: RecordingsReport) -> list[Table]:
    """With and without the smoother, and what was unknown."""
    shown = [
        [
            name,
            percent(each.accuracy),
            f"{each.worst_session_name} {percent(each.worst_session)}",
            each.delay,
            f"{each.delay_s_mean:.2f} s",
        ]
        for name, each in (("head", found.plain), ("smoothed", found.smoothed))
    ]
    unknown = [["known activities", percent(found.false_reject), grouped(found.known_windows)]]
    unknown += [
        [name, percent(each.unknown), grouped(each.windows)]
        for name, each in found.detection.items()
    ]
    return [
        Table(
            f"Whole recordings (int8), an answer every {found.hop_s:.2f} s",
            ("shown", "accuracy", "worst session", "delay", "from its begin"),
            shown,
            [
                "delay: windows of a new activity until it is shown, median and 95th percentile; "
                "from its begin: seconds from its first sample, mean"
            ],
        ),
        Table("Unknown (int8)", ("windows of", "unknown", "n"), unknown),
    ]


def _page_tables(split: SplitReport) -> list[Table]:
    seeds = [
        [
            str(each.seed),
            *(percent(figures.accuracy) for _, figures in each.by_name()),
            percent(each.int8.worst_subject),
            percent(each.calibration_error),
        ]
        for each in split.per_seed
    ]
    return [
        Table("Seeds", ("seed", *ENGINES, "worst subject, int8", "calibration"), seeds),
        field_table("Networks", split.runs, names=8),
    ]


def split_picture(report: EvaluationReport, split: SplitReport) -> Picture:
    """Confusion, subjects and reliability of a split, as one SVG file."""
    from pipeline.report.plots import canvas, draw_confusion, draw_subjects, svg

    high = max(4.0, 0.18 * len(split.per_subject) + 1)
    with canvas(f"evaluate-{split.name}", 14.0, high) as figure:
        left, middle, right = figure.subplots(1, 3)
        draw_confusion(left, report.activities, np.array(split.confusion))
        draw_subjects(middle, split.per_subject, split.int8.accuracy)
        bins = split.reliability
        places = (np.arange(len(bins.windows)) + 0.5) / len(bins.windows)
        width = 0.9 / len(bins.windows)
        right.bar(places, bins.accuracy, width=width, label="accuracy of the bin")
        right.plot([0, 1], [0, 1], color="black", linestyle=":", label="calibrated")
        right.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
        right.set_title(f"Reliability, calibration error {percent(split.calibration_error)}")
        counts = right.twinx()
        counts.step(places, bins.windows, where="mid", color="grey", label="windows")
        counts.set_ylabel("windows")
        right.legend(loc="upper left")
        alt = f"Split {split.label}: confusion, accuracy of each subject, reliability (int8)"
        return Picture(svg(figure), alt)


def write_evaluation(report: EvaluationReport, output: Path) -> Path:
    """Writes evaluate.json, report.html, and the picture of each split as NAME.svg into
    ``output``, each whole or not at all. Returns the path of the page."""
    pictures = {split.name: split_picture(report, split) for split in report.splits}
    page = evaluation_page(report, pictures)
    files = {"report.html": page, "evaluate.json": json.dumps(report.document(), indent=2) + "\n"}
    files |= {f"{name}.svg": picture.svg for name, picture in pictures.items()}
    write_files(output, files)
    return output / "report.html"


def evaluation_page(report: EvaluationReport, pictures: Mapping[str, Picture]) -> str:
    """The page as HTML text, self-contained."""
    first = report.splits[0]
    notices = list(report.notes)
    if report.mismatches:
        notices.append(
            f"The C engine and TFLite-Micro differ on {grouped(report.mismatches)} windows."
        )
    return Page(
        command="har evaluate",
        title=f"{percent(first.int8.accuracy)} on held-out subjects, in int8",
        lead=f"{_about(report)}. {len(report.activities)} activities in windows of "
        f"{report.window_samples} samples at {report.rate_hz:g} Hz. Split by subject: test "
        "subjects were used neither in training nor for any choice.",
        notices=notices,
        sections=[
            *(
                Section(
                    f"Split {split.label}",
                    "Figures are means over seeds.",
                    [pictures[split.name]],
                    [*split_tables(report, split), *_page_tables(split)],
                )
                for split in report.splits
            ),
            Section("Claims", tables=[claims_table(report.claims())]),
            Section(
                "How it was measured",
                "float: the network as trained; int8: the extractor in TFLite-Micro under the "
                "float32 head; compiled: the C engine, built on this host, under the same head.",
                facts={
                    "command": report.command,
                    "bundle": f"{report.bundle}, model {report.model_id}",
                    "time": f"{report.seconds:.0f} s",
                    **report.versions,
                },
            ),
        ],
    ).html()

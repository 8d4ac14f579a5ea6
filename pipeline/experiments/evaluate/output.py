"""`har evaluate` in the terminal and in files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.core.files import write_files
from pipeline.core.format import grouped, percent, subject_label
from pipeline.experiments.evaluate.report import (
    ENGINES,
    EvaluationReport,
    Figures,
    RecordingsReport,
    SplitReport,
)
from pipeline.report.claims import claims_table
from pipeline.report.html import Page, Picture, Section
from pipeline.report.tables import Cell, Table, confusion_table, field_table, group_table


def evaluation_tables(report: EvaluationReport) -> list[Table]:
    """Of all splits, for the terminal; last the claims."""
    tables = [Table("", (), (), [_about(report), *report.notes])]
    for split in report.splits:
        tables += split_tables(report, split)
    return [*tables, claims_table(report.claims())]


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
            f"Whole recordings (int8), a window every {found.hop_s:.2f} s",
            ("shown", "accuracy", "worst session", "delay"),
            shown,
            ["delay: windows until a change of activity is shown, median and 95th percentile"],
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

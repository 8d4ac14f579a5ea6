"""`har evaluate` in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.format import grouped, percent
from pipeline.experiments.evaluate.report import (
    EvaluationReport,
    GroupReport,
    RecordingsReport,
    SplitReport,
)
from pipeline.report.tables import confusion_table, plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def print_evaluation(report: EvaluationReport, console: Console | None = None) -> None:
    """All tables of an evaluation, on stdout unless a console is given."""
    from rich.console import Console

    console = console or Console()
    console.print(
        plain(
            f"{report.dataset}, {report.backbone}, model {report.model_id}: "
            f"{grouped(report.parameters)} parameters, {grouped(report.macs)} MACs",
            "bold",
        )
    )
    for remark in report.notes:
        console.print(plain(remark, "yellow"))
    for split in report.splits:
        console.print(split_table(split))
        console.print()
        console.print(plain("what it was, and what it said (int8)", "dim"))
        console.print(confusion_table(report.activities, np.array(split.confusion)))
        console.print(recordings_table(split.recordings))
        console.print(group_table("person", split.per_subject))
        console.print(group_table("session", split.per_session))


def split_table(split: SplitReport) -> Table:
    """A row an engine, and what is said of all of them below."""
    remarks = [
        f"expected calibration error {percent(split.calibration_error)} (int8)",
        f"compiled differs from int8 on {grouped(split.compiled_mismatches)} windows",
    ]
    if split.majority_of_errors:
        share = percent(split.majority_of_errors_share)
        remarks.append(f"{share} of the errors are {split.majority_of_errors}")
    table = _table(plain(f"{split.label}, n = {grouped(split.n_test)}", "bold cyan"), remarks)
    table.add_column("engine")
    for name in ("accuracy", "macro F1", "worst person", "worst quarter"):
        table.add_column(name, justify="right")
    for engine, figures in split.by_name():
        table.add_row(
            plain(engine),
            plain(percent(figures.accuracy), "bold" if engine == "int8" else ""),
            plain(percent(figures.macro_f1)),
            plain(f"{figures.worst_subject_name} {percent(figures.worst_subject)}"),
            plain(percent(figures.worst_quarter)),
        )
    return table


def recordings_table(recordings: RecordingsReport) -> Table:
    """With and without the smoother, and what came out as unknown below."""
    remarks = [f"unknown: {percent(recordings.false_reject)} of known activities"]
    remarks += [
        f"unknown: {percent(found.unknown)} of {grouped(found.windows)} windows {name}"
        for name, found in recordings.detection.items()
    ]
    table = _table(
        plain(f"whole recordings (int8), a window every {recordings.hop_s:.2f} s", "dim"), remarks
    )
    table.add_column("shown")
    for name in ("accuracy", "worst session", "windows until a change is shown, p50, p95"):
        table.add_column(name, justify="right")
    for name, shown in (("head", recordings.plain), ("smoothed", recordings.smoothed)):
        table.add_row(
            plain(name),
            plain(percent(shown.accuracy)),
            plain(f"{shown.worst_session_name} {percent(shown.worst_session)}"),
            plain(shown.delay),
        )
    return table


def _table(title: Text, remarks: Sequence[str]) -> Table:
    """Empty; the remarks stand below it, a line each."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    return Table(
        title=title,
        title_justify="left",
        caption=Text("\n").join(plain(remark) for remark in remarks),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )


def group_table(title: str, per_group: Mapping[str, GroupReport]) -> Table:
    """People or sessions, the worst first."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in (title, "windows", "accuracy"):
        table.add_column(name, justify="right")
    for name, group in sorted(per_group.items(), key=lambda item: (item[1].accuracy, item[0])):
        table.add_row(plain(name), plain(grouped(group.windows)), plain(percent(group.accuracy)))
    return table

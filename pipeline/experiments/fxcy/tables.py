"""`har fxcy` in the terminal, and as comma-separated values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.core.format import grouped, percent, printable
from pipeline.experiments.fxcy.format import (
    DEVICE_TIE,
    Comparison,
    beside,
    case_label,
    comparisons,
    joules,
    knee,
    memory,
    signed,
    spread,
)
from pipeline.experiments.fxcy.schema import FxcyReport, FxcyRow, PairInfo
from pipeline.report.flat import flat_csv
from pipeline.report.tables import plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_COLUMNS = (
    "case",
    "accuracy\n± sd, %",
    "macro\nF1, %",
    "worst\nperson",
    "loss\nnats",
    "energy",
    "training\nenergy",
    "epochs\nto FC",
    "%\nfaster",
    "trained\nparams",
    "training\nRAM",
    "board\nlearns",
)
_DEVICE_COLUMNS = (
    "pair",
    "backbone",
    "case",
    "TensorFlow\n± sd, %",
    "device\n± sd, %",
    "differ-\nence",
    "noise\n±",
    "within\nnoise",
    "Adam\n± sd, %",
    "kept\nwindows",
    "RAM\nwith them",
)
LEGEND = (
    "* the knee: the shallowest case within a standard error (or half a point) of the best",
    "energy: forward MACs of the trained layers, one window, x 3.2 pJ (the original's formula)",
    "training energy: counted MACs of one training step on one window x 3.2 pJ",
    "epochs to FC: until FC's best accuracy, mean over the seeds that reach it, their number behind"
    " it where not all do; - where fewer than half do, or FC was not run",
)
DEVICE_RULE = (
    "TensorFlow: the device's rule in float32; difference: device less that, points; within noise: "
    f"at most 2 standard errors of the difference over seeds, or {100 * DEVICE_TIE:g} point; Adam: "
    "the same case as the tables above have it; RAM: of a learner that keeps all these windows, "
    "where one keeps as many as the board has room for"
)
_PERSON = 4  # letters of a name


def fxcy_tables(report: FxcyReport) -> list[RenderableType]:
    """One a pair and backbone, the knee starred; then what the device's own learner reached beside
    TensorFlow. Readable from 100 columns on."""
    infos = {(info.source, info.target): info for info in report.pairs}
    tables = [
        _case_table(each, infos.get((each.source, each.target)), report.epochs)
        for each in comparisons(report.rows)
    ]
    shown: list[RenderableType] = [*tables]
    if tables:
        shown.append(plain_lines([*LEGEND, *report.notes]))
    if report.device_rows:
        shown += [_device_table(report), plain_lines([DEVICE_RULE])]
    return shown


def summary(each: Comparison, info: PairInfo | None, epochs: Mapping[str, int]) -> str:
    """What a comparison was measured on, in one line."""
    counts = sorted({len(row.seeds) for row in each.rows})
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(counts[0])
    said = [f"{seeds} seed{'s' * (seeds != '1')}"]
    if each.backbone in epochs:
        said.append(f"{epochs[each.backbone]} epochs")
    people = ""
    if info is not None and info.test_people:
        people = f" of {info.test_people} {'person' if info.test_people == 1 else 'people'}"
    said.append(f"{grouped(each.rows[0].train_windows)} windows learned")
    said.append(f"{grouped(each.rows[0].test_windows)}{people} tested")
    if info is not None and each.backbone in info.source_accuracy:
        said.append(f"on the source {percent(info.source_accuracy[each.backbone])}")
    return ", ".join(said)


def cells(row: FxcyRow, at_knee: bool) -> tuple[str, ...]:
    """A row as the terminal shows it."""

    def number(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}".replace("-", "\u2212")

    return (
        case_label(row.case) + "*" * at_knee,
        spread(row.accuracy, row.sd),
        f"{100 * row.macro_f1:.1f}",
        _worst(row),
        f"{row.loss:.3f}",
        joules(row.energy_nj),
        joules(row.training_energy_nj),
        number(row.epochs_to_fc, 1) + _of_seeds(row),
        number(row.faster_percent, 0),
        grouped(row.trainable_parameters),
        memory(row.device_bytes),
        "yes" if row.board_learns else "",
    )


def fxcy_csv(report: FxcyReport) -> str:
    """A line a row, without the curves."""
    return flat_csv(FxcyRow, report.rows, without=("accuracy_curve", "loss_curve"))


def _case_table(each: Comparison, info: PairInfo | None, epochs: Mapping[str, int]) -> Table:
    table, title = _table(f"{each.pair} · {printable(each.backbone)}", _COLUMNS, left=1)
    about = summary(each, info, epochs)
    title.append(f"\n{printable(about)}", style="not bold dim")
    where = knee(each.rows)
    for row in each.rows:
        if row.case == "scratch":
            table.add_section()
        style = "bold" if row.case == where else ""
        shown = cells(row, row.case == where)
        table.add_row(*(plain(cell) for cell in shown), style=style)
    return table


def _device_table(report: FxcyReport) -> Table:
    title = "The same windows, learned by the firmware's own learner"
    table, _ = _table(title, _DEVICE_COLUMNS, left=3)
    for each in beside(report):
        device, adam = each.device, each.adam
        table.add_row(
            plain(f"{device.source} → {device.target}"),
            plain(device.backbone),
            plain(case_label(device.case)),
            spread(device.tensorflow_accuracy, device.tensorflow_sd),
            spread(device.accuracy, device.sd),
            signed(each.difference),
            f"{100 * each.noise:.1f}",
            plain("yes", "green") if each.agrees else plain("no", "bold red"),
            "-" if adam is None else spread(adam.accuracy, adam.sd),
            grouped(device.kept_windows),
            memory(device.kept_bytes),
        )
    return table


def _table(name: str, columns: Sequence[str], left: int) -> tuple[Table, Text]:
    """An empty table below an empty line, and its title. The first ``left`` columns are names."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    title = Text(f"\n{name}", style="bold cyan")
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=0,
        show_edge=False,
    )
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right", no_wrap=True)
    return table, title


def plain_lines(lines: Sequence[str]) -> Text:
    """Remarks below a table, a line each."""
    from rich.text import Text

    return Text("\n".join(map(printable, lines)), style="dim")


def _worst(row: FxcyRow) -> str:
    if row.worst_subject is None or row.worst_subject_accuracy is None:
        return "-"
    return f"{100 * row.worst_subject_accuracy:.1f} {_who(row.worst_subject)}"


def _of_seeds(row: FxcyRow) -> str:
    """How many seeds reach FC, where not all do."""
    some = row.epochs_to_fc is not None and row.seeds_to_fc < len(row.seeds)
    return f" ({row.seeds_to_fc})" if some else ""


def _who(name: str) -> str:
    """subject04 -> "04", Ann -> "Ann": what tells a person from the others, in few letters."""
    digits = re.search(r"\d+$", name)
    shown = printable(digits[0] if digits else name)
    return shown if len(shown) <= _PERSON else shown[: _PERSON - 1] + "…"

"""Rich tables for the terminal. Names from outside are Text, never markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.report.details import SubjectScore
from pipeline.report.schema import DemoReport
from pipeline.report.words import grouped, kilobytes, percent, person, points, printable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.table import Table
    from rich.text import Text


def _verdict(text: str, good: bool) -> Text:
    from rich.text import Text

    return Text(text, style="green" if good else "bold red")


def plain(value: object, style: str = "") -> Text:
    """A name from outside as text that is never read as markup."""
    from rich.text import Text

    return Text(printable(value), style=style)


def demo_summary(report: DemoReport) -> Table:
    """The demo's closing table: what, how much, measured on what."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=f"har demo · {report.target_note}",
        title_style="bold",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_header=False,
        pad_edge=False,
    )
    table.add_column("what", style="cyan", no_wrap=True)
    table.add_column("value", justify="right", style="bold", no_wrap=True)
    table.add_column("measured on", style="dim", overflow="fold")

    def row(what: str, value: str | Text, where: str = "", *, style: str = "") -> None:
        shown = plain(value, style) if isinstance(value, str) else value
        table.add_row(plain(what), shown, plain(where))

    learning, parity, worst = report.learning, report.parity, report.worst_subject
    people = f"{report.dataset}, split {report.split}, seed {report.seed}"
    row("accuracy, int8", percent(report.int8_accuracy), f"{grouped(report.test_windows)} windows")
    row("accuracy, float", percent(report.float_accuracy), "the same windows")
    row("macro F1, int8", percent(report.int8_macro_f1), people)
    row("worst person", percent(worst.accuracy), person(worst.id), style="yellow")
    table.add_section()
    device = f"{grouped(report.windows_streamed)} windows streamed, {report.engine} engine"
    row("accuracy, on the device", percent(report.device_accuracy), device)
    row(
        "predictions received",
        _verdict(
            grouped(report.predictions_received),
            report.predictions_received == report.windows_streamed,
        ),
        f"of {grouped(report.windows_streamed)}",
    )
    row("samples lost", _verdict(grouped(report.samples_lost), report.samples_lost == 0))
    row(
        "windows that differ from the host",
        _verdict(grouped(parity.mismatches), parity.mismatches == 0),
        f"of {grouped(parity.compared)}, compared bit for bit",
    )
    table.add_section()
    row("before learning", percent(learning.accuracy_before), person(learning.subject))
    row(
        "after learning",
        _verdict(
            percent(learning.accuracy_after),
            learning.accuracy_after >= learning.accuracy_before,
        ),
        f"{points(learning.accuracy_after - learning.accuracy_before)} from "
        f"{grouped(learning.labelled_windows)} labelled windows",
    )
    if learning.outcomes is not None and learning.serves is not None:
        became = learning.outcomes
        row(
            "who answers in the end",
            "learned tail" if learning.serves else "shipped tail",
            f"{became.learned} labels learned, {became.held_back} held back, "
            f"{became.undone} undone",
        )
    if learning.everyone:
        row(
            "mean of all, before and after",
            f"{percent(learning.mean_before)} to {percent(learning.mean_after)}",
            f"{len(learning.everyone)} people, each taught alone",
        )
    row(
        "results that differ from NumPy",
        _verdict(grouped(learning.parity_mismatches), learning.parity_mismatches == 0),
    )
    row(
        "still known after a power cut",
        _verdict(
            "yes" if learning.survived_power_cycle else "no",
            learning.survived_power_cycle,
        ),
    )
    table.add_section()
    size = report.size
    if size.flash_bytes is not None:
        row("flash", kilobytes(size.flash_bytes), "the whole image")
    if size.runtime_flash_bytes is not None:
        row("  of it runtime", kilobytes(size.runtime_flash_bytes), "engine and kernels, no model")
    if size.weights_bytes is not None:
        row("  of it weights", kilobytes(size.weights_bytes))
    if size.ram_bytes is not None:
        row("RAM", kilobytes(size.ram_bytes))
    if report.counted is None:
        row("instructions", "not counted", report.target_note)
    else:
        for name, count in zip(("inference", "update"), report.counted, strict=True):
            row(f"instructions, {name}", grouped(count), "not cycles")
    row("model id", report.model_id)
    return table


def subject_table(per_subject: Mapping[int | str, SubjectScore]) -> Table:
    """Held-out people, best first, the worst one marked."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("person", "windows", "accuracy"):
        table.add_column(name, justify="right")
    ranked = sorted(per_subject.items(), key=lambda item: -item[1].accuracy)
    for position, (subject, score) in enumerate(ranked):
        style = "yellow" if position == len(ranked) - 1 else ""
        table.add_row(
            plain(subject, style),
            plain(grouped(score.windows), style),
            plain(percent(score.accuracy), style),
        )
    return table


def confusion_table(activities: Sequence[str], confusion: NDArray[Any]) -> Table:
    """(K, K) counts: rows what it was, columns what was said; the diagonal is right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("was \\ said")
    for activity in activities:
        table.add_column(plain(activity), justify="right")
    for i, activity in enumerate(activities):
        counts = [int(count) for count in confusion[i]]
        cells = [
            plain(
                grouped(count) if count else "·",
                "bold green" if i == j else "dim" if not count else "yellow",
            )
            for j, count in enumerate(counts)
        ]
        table.add_row(plain(activity), *cells)
    return table

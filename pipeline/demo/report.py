"""report.json and report.html of `har demo`, and its closing table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.files import write_whole
from pipeline.core.format import grouped, kilobytes, percent, person, points
from pipeline.demo.details import DemoDetails
from pipeline.demo.schema import DemoReport
from pipeline.report.tables import plain

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


def demo_table(report: Mapping[str, Any]) -> Table:
    """The closing table for the terminal.

    Raises pydantic.ValidationError for a report that is not of schema.DemoReport.
    """
    return _summary(DemoReport.model_validate(report))


def write_demo_report(report: Mapping[str, Any], details: DemoDetails, output: Path) -> Path:
    """Writes report.json, report.html and report.svg (its main pictures) into ``output``, each
    whole or not at all.

    Returns the path of the page. Raises pydantic.ValidationError for a report that is not of
    schema.DemoReport, OSError where the disk does not take it.
    """
    from pipeline.report.picture import side_by_side

    checked = DemoReport.model_validate(report)
    page = demo_page(checked, details)
    drawn = demo_pictures(checked, details)
    picture = side_by_side(
        {
            "What it was, and what it said": drawn["confusion"],
            "Each held-out person": drawn["subjects"],
            "One of them taught the board: before, after": drawn["learning"],
        }
    )
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "report.html", page)
    write_whole(output / "report.svg", picture)
    write_whole(output / "report.json", json.dumps(checked.document(), indent=2) + "\n")
    return output / "report.html"


def _verdict(text: str, good: bool) -> Text:
    from rich.text import Text

    return Text(text, style="green" if good else "bold red")


def _summary(report: DemoReport) -> Table:
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
            "learned head" if learning.serves else "shipped head",
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


def demo_pictures(report: DemoReport, details: DemoDetails) -> dict[str, str]:
    """Inline SVGs by name; "" for one that this report has no figures for."""
    from pipeline.report import plots

    learning, size = report.learning, report.size
    used = {
        name: value
        for name, value in (("flash_bytes", size.flash_bytes), ("ram_bytes", size.ram_bytes))
        if value is not None and details.limits.get(name, 0) > 0
    }
    mean = float(details.confusion.trace() / max(int(details.confusion.sum()), 1))
    probabilities = list(details.label_probabilities)
    return {
        "confusion": plots.confusion_picture(details.activities, details.confusion),
        "subjects": plots.subject_picture(details.per_subject, mean),
        "learning": plots.learning_picture(
            details.activities,
            details.before,
            details.after,
            (learning.accuracy_before, learning.accuracy_after),
        ),
        "labels": plots.label_picture(probabilities) if len(probabilities) > 1 else "",
        "sizes": plots.size_picture(used, details.limits) if used else "",
    }


def demo_page(report: DemoReport, details: DemoDetails) -> str:
    """The page of ``har demo`` as HTML text. The same arguments give the same bytes."""
    from markupsafe import Markup

    from pipeline.report.html import environment

    pictures = demo_pictures(report, details)
    link = details.citation_url
    seconds = report.seconds if isinstance(report.seconds, dict) else {}
    total = report.seconds if isinstance(report.seconds, float) else sum(seconds.values())
    return (
        environment(Path(__file__).parent)
        .get_template("demo.html.j2")
        .render(
            report=report,
            details=details,
            # Drawn by plots.py, which escapes what it is given.
            pictures={name: Markup(svg) for name, svg in pictures.items()},
            ranked=sorted(details.per_subject.items(), key=lambda item: -item[1].accuracy),
            link=link if link.startswith(("https://", "http://")) else "",
            seconds=seconds,
            total_seconds=total,
        )
    )

"""report.json, report.html and report.svg of `har demo`, and its closing table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.files import write_whole
from pipeline.core.format import grouped, kilobytes, percent, points, subject_label
from pipeline.demo.schema import DemoDetails, DemoReport
from pipeline.report.html import Page, Picture, Section
from pipeline.report.tables import Cell, Table, confusion_table, field_table, group_table


def demo_table(report: Mapping[str, Any]) -> Table:
    """The closing table: what, how much, measured on what.

    Raises pydantic.ValidationError for a report that is not of schema.DemoReport.
    """
    return _summary(DemoReport.model_validate(report))


def write_demo_report(report: Mapping[str, Any], details: DemoDetails, output: Path) -> Path:
    """Writes report.json, report.html and report.svg (its pictures) into ``output``, each whole or
    not at all.

    Returns the path of the page. Raises pydantic.ValidationError for a report that is not of
    schema.DemoReport, ExternalError where the disk does not take it.
    """
    checked = DemoReport.model_validate(report)
    picture = demo_picture(checked, details)
    page = demo_page(checked, details, picture)
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "report.html", page)
    write_whole(output / "report.svg", picture.svg)
    write_whole(output / "report.json", json.dumps(checked.document(), indent=2) + "\n")
    return output / "report.html"


def _verdict(text: str, good: bool) -> Cell:
    return Cell(text, "good" if good else "bad")


def _summary(report: DemoReport) -> Table:
    rows: list[list[str | Cell]] = []

    def row(what: str, value: str | Cell, where: str = "") -> None:
        rows.append([what, where, Cell(value, "strong") if isinstance(value, str) else value])

    learning, parity, worst = report.learning, report.parity, report.worst_subject
    split = f"{report.dataset}, {report.split}, seed {report.seed}"
    row("accuracy, int8", percent(report.int8_accuracy), f"{grouped(report.test_windows)} windows")
    row("accuracy, float", percent(report.float_accuracy), "the same windows")
    row("macro F1, int8", percent(report.int8_macro_f1), split)
    row("worst subject", Cell(percent(worst.accuracy), "warn"), subject_label(worst.id))
    device = f"{grouped(report.windows_streamed)} windows, {report.engine} engine"
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
        "windows that differ",
        _verdict(grouped(parity.mismatches), parity.mismatches == 0),
        f"of {grouped(parity.compared)}, bit for bit",
    )
    change = learning.accuracy_after - learning.accuracy_before
    row("before learning", percent(learning.accuracy_before), subject_label(learning.subject))
    row(
        "after learning",
        _verdict(percent(learning.accuracy_after), change >= 0),
        f"{points(change)}, {grouped(learning.labelled_windows)} labels",
    )
    if learning.outcomes is not None:
        became = learning.outcomes
        counts = f"{became.learned}, {became.held_back}, {became.undone}"
        row("labels", counts, "learned, held out, undone")
    if learning.serves is not None:
        row("active head", "learned" if learning.serves else "factory")
    if learning.everyone:
        row(
            "mean of all, before and after",
            f"{percent(learning.mean_before)}, {percent(learning.mean_after)}",
            f"{len(learning.everyone)} subjects",
        )
    row(
        "results that differ from NumPy",
        _verdict(grouped(learning.parity_mismatches), learning.parity_mismatches == 0),
        "" if learning.parity_compared is None else f"of {grouped(learning.parity_compared)}",
    )
    survived = learning.survived_power_cycle
    row("head survives a power cut", _verdict("yes" if survived else "no", survived))
    size = report.size
    for name, count in (
        ("flash", size.flash_bytes),
        ("  of it runtime", size.runtime_flash_bytes),
        ("  of it weights", size.weights_bytes),
        ("RAM", size.ram_bytes),
    ):
        if count is not None:
            row(name, kilobytes(count))
    if report.counted is None:
        row("instructions", "not counted", report.target_note)
    else:
        for name, count in zip(("inference", "update"), report.counted, strict=True):
            row(f"instructions, {name}", grouped(count), "not cycles")
    row("model id", report.model_id)
    title = f"har demo · {report.target_note}"
    return Table(title, ("what", "measured on", "value"), rows, names=2)


def demo_picture(report: DemoReport, details: DemoDetails) -> Picture:
    """Confusion, subjects, the learning subject before and after, and how probable the true
    activity was just before each label; as one SVG file."""
    from pipeline.report.plots import SOFT, canvas, draw_confusion, draw_subjects, label, svg

    learning = report.learning
    mean = float(details.confusion.trace() / max(int(details.confusion.sum()), 1))
    several = len(details.label_probabilities) > 1
    high = max(4.0, 0.18 * len(details.per_subject) + 1)
    with canvas("demo", 17.0 if several else 13.0, high) as figure:
        panels = figure.subplots(1, 4 if several else 3)
        draw_confusion(panels[0], details.activities, details.confusion)
        draw_subjects(panels[1], details.per_subject, mean)
        shown = {"all": (learning.accuracy_before, learning.accuracy_after)}
        for name in details.activities:
            before, after = details.before.get(name), details.after.get(name)
            if before is not None and after is not None:
                shown[label(name)] = (before, after)
        for offset, (at, name, colour) in zip(
            (-0.2, 0.2), ((0, "before", SOFT), (1, "after", "C0")), strict=True
        ):
            bars = panels[2].barh(
                [place + offset for place in range(len(shown))],
                [each[at] for each in shown.values()],
                height=0.4,
                color=colour,
                label=name,
            )
            panels[2].bar_label(bars, [f" {percent(each[at])}" for each in shown.values()], size=8)
        panels[2].set_yticks(range(len(shown)), list(shown))
        panels[2].invert_yaxis()
        panels[2].set(title=f"Learning of {label(subject_label(learning.subject))}", xlim=(0, 1.3))
        panels[2].legend(loc="lower left")
        if several:
            steps = range(1, len(details.label_probabilities) + 1)
            panels[3].plot(steps, details.label_probabilities, marker=".")
            panels[3].set(xlabel="labelled window", ylim=(0, 1))
            panels[3].set_title("Probability of the true activity")
        return Picture(
            svg(figure),
            f"Confusion matrix (int8); accuracy of {len(details.per_subject)} held-out subjects, "
            f"all {percent(mean)}; the learning subject {percent(learning.accuracy_before)} before "
            f"and {percent(learning.accuracy_after)} after learning",
        )


def demo_page(report: DemoReport, details: DemoDetails, picture: Picture) -> str:
    """The page of ``har demo`` as HTML text. The same arguments give the same bytes."""
    learning, size = report.learning, report.size
    change = learning.accuracy_after - learning.accuracy_before
    seconds = report.seconds if isinstance(report.seconds, dict) else {"time": report.seconds or 0}
    limits = {
        f"{what} of the Nano 33 BLE Sense": f"{kilobytes(used)} of {kilobytes(limit)}"
        for what, used, limit in (
            ("flash", size.flash_bytes, details.limits.get("flash_bytes", 0)),
            ("RAM", size.ram_bytes, details.limits.get("ram_bytes", 0)),
        )
        if used is not None and limit > 0
    }
    notices = [
        f"The firmware ran as a {report.target_note}. The same sources, but no Cortex-M4F executed "
        "them, so there are no instruction counts."
    ]
    sections = [
        Section(
            "Held-out subjects",
            f"None of their windows was used in training. {details.measured_on}.",
            [picture],
            [_summary(report), confusion_table(details.activities, details.confusion)],
        ),
        Section("Every subject", tables=[group_table("subject", details.per_subject)]),
    ]
    if learning.everyone:
        taught = field_table("Each from the factory head, with own labels", learning.everyone, 1)
        sections.append(Section("Learning on the device", tables=[taught]))
    facts = {
        "data": f"{report.dataset}, split {report.split}, seed {report.seed}",
        "training windows": grouped(report.train_windows),
        **limits,
        **{name: f"{value:.1f} s" for name, value in seconds.items()},
        **{f"step {at}": command for at, command in enumerate(report.commands or (), 1)},
        "terms of the data": details.terms,
        "citation": details.citation,
    }
    return Page(
        command=f"har demo · {report.target_note}",
        title=f"{percent(report.int8_accuracy)} on held-out subjects, {points(change)} by learning",
        lead=f"{len(details.activities)} activities from accelerometer and gyroscope: an int8 "
        f"backbone under a float32 head, on the {report.engine} engine. Every figure was measured "
        f"in this run. {details.target_note}",
        notices=notices if report.target == "host" else (),
        sections=[*sections, Section("How it was measured", facts=facts)],
        link=details.citation_url,
        footer=f"model {report.model_id}. Instructions are counted, not cycles.",
    ).html()

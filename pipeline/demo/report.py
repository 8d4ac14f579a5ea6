"""report.json, report.html and report.svg of `har demo`, and its closing table."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.core.files import write_files
from pipeline.core.format import grouped, kilobytes, percent, points, subject_label
from pipeline.demo.schema import DemoDetails, DemoReport
from pipeline.report.html import Page, Picture, Section
from pipeline.report.tables import Cell, Table, confusion_table, field_table, group_table


def write_demo_report(report: DemoReport, details: DemoDetails, output: Path) -> Path:
    """Writes report.json, report.html and report.svg (its pictures) into ``output``, each whole or
    not at all.

    Returns the path of the page. Raises ExternalError where the disk does not take it.
    """
    picture = demo_picture(report, details)
    files = {
        "report.html": demo_page(report, details, picture),
        "report.svg": picture.svg,
        "report.json": json.dumps(report.model_dump(), indent=2) + "\n",
    }
    write_files(output, files)
    return output / "report.html"


def _verdict(text: str, good: bool) -> Cell:
    return Cell(text, "good" if good else "bad")


def demo_table(report: DemoReport) -> Table:
    """The closing table: what, how much, measured on what."""
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
    became = learning.outcomes
    row(
        "labels",
        f"{became.learned}, {became.held_back}, {became.undone}",
        "learned, held out, undone",
    )
    row("active head", "learned" if learning.serves else "factory")
    row(
        "mean of all, before and after",
        f"{percent(learning.mean_before)}, {percent(learning.mean_after)}",
        f"{len(learning.everyone)} subjects",
    )
    row(
        "results that differ from NumPy",
        _verdict(grouped(learning.parity_mismatches), learning.parity_mismatches == 0),
        f"of {grouped(learning.parity_compared)}",
    )
    survived = learning.survived_power_cycle
    row("head survives a power cut", _verdict("yes" if survived else "no", survived))
    size = report.size
    row("flash", kilobytes(size.flash_bytes))
    row("  of it runtime", kilobytes(size.runtime_flash_bytes))
    row("  of it weights", kilobytes(size.weights_bytes))
    row("RAM", kilobytes(size.ram_bytes))
    counts = report.instructions
    if counts.inference is None or counts.update is None:
        row("instructions", "not counted", report.target_note)
    else:
        row("instructions, inference", grouped(counts.inference), "not cycles")
        row("instructions, update", grouped(counts.update), "not cycles")
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
    limits = {
        f"{what} of the Nano 33 BLE Sense": f"{kilobytes(used)} of {kilobytes(limit)}"
        for what, used, limit in (
            ("flash", size.flash_bytes, details.limits["flash_bytes"]),
            ("RAM", size.ram_bytes, details.limits["ram_bytes"]),
        )
    }
    notices = [
        f"The firmware ran as a {report.target_note}. The same sources, but no Cortex-M4F executed "
        "them, so there are no instruction counts."
    ]
    sections = [
        Section(
            "Held-out subjects",
            f"None of their windows was used in training. int8 model, all {report.test_windows} "
            "windows of the test subjects.",
            [picture],
            [demo_table(report), confusion_table(details.activities, details.confusion)],
        ),
        Section("Every subject", tables=[group_table("subject", details.per_subject)]),
        Section(
            "Learning on the device",
            tables=[
                field_table("Each from the factory head, with own labels", learning.everyone, 1)
            ],
        ),
    ]
    facts = {
        "data": f"{report.dataset}, split {report.split}, seed {report.seed}",
        "training windows": grouped(report.train_windows),
        **limits,
        "time": f"{report.seconds:.1f} s",
        "terms of the data": details.terms,
        "citation": details.citation,
    }
    return Page(
        command=f"har demo · {report.target_note}",
        title=f"{percent(report.int8_accuracy)} on held-out subjects, {points(change)} by learning",
        lead=f"{len(details.activities)} activities from accelerometer and gyroscope: an int8 "
        f"backbone under a float32 head, on the {report.engine} engine. Every figure was measured "
        "in this run.",
        notices=notices if report.target == "host" else (),
        sections=[*sections, Section("How it was measured", facts=facts)],
        footer=f"model {report.model_id}. Instructions are counted, not cycles.",
    ).html()

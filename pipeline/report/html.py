"""One self-contained page: no script, no font, no picture and no style from anywhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.report import plots
from pipeline.report.details import DemoDetails
from pipeline.report.schema import DemoReport
from pipeline.report.words import grouped, kilobytes, percent, person, points, printable

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def environment() -> Environment:
    """Templates of the house, escaping by default, with the filters of `words`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {word.__name__: word for word in (percent, person, points, grouped, kilobytes, printable)}
    )
    return environment


def demo_pictures(report: DemoReport, details: DemoDetails) -> dict[str, str]:
    """Inline SVGs by name; "" for one that this report has no figures for."""
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

    pictures = demo_pictures(report, details)
    link = details.citation_url
    seconds = report.seconds if isinstance(report.seconds, dict) else {}
    total = report.seconds if isinstance(report.seconds, float) else sum(seconds.values())
    return (
        environment()
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

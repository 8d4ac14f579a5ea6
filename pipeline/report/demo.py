"""report.json and report.html of `har demo`, and its closing table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.report.details import DemoDetails
from pipeline.report.files import write_whole
from pipeline.report.schema import DemoReport
from pipeline.report.tables import demo_summary

if TYPE_CHECKING:
    from rich.table import Table


def demo_table(report: Mapping[str, Any]) -> Table:
    """The closing table for the terminal.

    Raises pydantic.ValidationError for a report that is not of schema.DemoReport.
    """
    return demo_summary(DemoReport.model_validate(report))


def write_demo_report(report: Mapping[str, Any], details: DemoDetails, output: Path) -> Path:
    """Writes report.json, report.html and report.svg (its main pictures) into ``output``, each
    whole or not at all.

    Returns the path of the page. Raises pydantic.ValidationError for a report that is not of
    schema.DemoReport, OSError where the disk does not take it.
    """
    from pipeline.report.html import demo_page, demo_pictures
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

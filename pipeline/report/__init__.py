"""Tables, pictures and pages of what was measured.

``write_demo_report`` writes report.json and report.html; ``demo_table`` is the terminal's view.
"""

from __future__ import annotations

from pipeline.report.demo import demo_table, write_demo_report
from pipeline.report.details import DemoDetails, SubjectScore, per_activity
from pipeline.report.schema import DemoReport
from pipeline.report.tables import confusion_table, subject_table

__all__ = [
    "DemoDetails",
    "DemoReport",
    "SubjectScore",
    "confusion_table",
    "demo_table",
    "per_activity",
    "subject_table",
    "write_demo_report",
]

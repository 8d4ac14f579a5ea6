"""Tables, pictures and pages of what was measured.

``write_demo_report`` writes report.json and report.html; ``demo_table`` is the terminal's view.
``write_search_report`` and ``search_table`` do the same for the candidates of `har search`,
``write_evaluation`` and ``print_evaluation`` for the figures of `har evaluate`,
``write_personalize`` and ``personalize_tables`` for those of `har personalize`.
"""

from __future__ import annotations

from pipeline.report.demo import demo_table, write_demo_report
from pipeline.report.details import DemoDetails, SubjectScore, per_activity
from pipeline.report.evaluation import EvaluationReport, write_evaluation
from pipeline.report.evaluation_tables import print_evaluation
from pipeline.report.personalize import PersonalizeReport
from pipeline.report.personalize_tables import personalize_tables, write_personalize
from pipeline.report.schema import DemoReport
from pipeline.report.search import (
    LeftOut,
    SearchPoint,
    SearchReport,
    search_table,
    write_search_report,
)
from pipeline.report.tables import confusion_table, subject_table

__all__ = [
    "DemoDetails",
    "DemoReport",
    "EvaluationReport",
    "LeftOut",
    "PersonalizeReport",
    "SearchPoint",
    "SearchReport",
    "SubjectScore",
    "confusion_table",
    "demo_table",
    "per_activity",
    "personalize_tables",
    "print_evaluation",
    "search_table",
    "subject_table",
    "write_demo_report",
    "write_evaluation",
    "write_personalize",
    "write_search_report",
]

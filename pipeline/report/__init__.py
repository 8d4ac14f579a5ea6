"""Tables, pictures and pages of what was measured.

``write_demo_report`` writes report.json and report.html; ``demo_table`` is the terminal's view.
``write_search_report`` and ``search_table`` do the same for the candidates of `har search`,
``write_evaluation`` and ``print_evaluation`` for the figures of `har evaluate`,
``write_personalize`` and ``personalize_tables`` for those of `har personalize`,
``write_variants_report``, ``variants_table`` and ``variant_findings`` for those of `har variants`,
``write_fxcy_report``, ``fxcy_tables`` and ``closing`` for those of `har fxcy`.
"""

from __future__ import annotations

from pipeline.report.demo import demo_table, write_demo_report
from pipeline.report.details import DemoDetails, SubjectScore, per_activity
from pipeline.report.evaluation import EvaluationReport, write_evaluation
from pipeline.report.evaluation_tables import print_evaluation
from pipeline.report.fxcy import fxcy_document, write_fxcy_report
from pipeline.report.fxcy_closing import closing
from pipeline.report.fxcy_schema import DeviceRow, FxcyReport, FxcyRow, PairInfo
from pipeline.report.fxcy_tables import fxcy_csv, fxcy_tables
from pipeline.report.fxcy_words import knee
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
from pipeline.report.variants import (
    variants_csv,
    variants_document,
    variants_page,
    write_variants_report,
)
from pipeline.report.variants_findings import variant_findings
from pipeline.report.variants_schema import VariantRow, VariantsReport
from pipeline.report.variants_tables import variants_table

__all__ = [
    "DemoDetails",
    "DemoReport",
    "DeviceRow",
    "EvaluationReport",
    "FxcyReport",
    "FxcyRow",
    "LeftOut",
    "PairInfo",
    "PersonalizeReport",
    "SearchPoint",
    "SearchReport",
    "SubjectScore",
    "VariantRow",
    "VariantsReport",
    "closing",
    "confusion_table",
    "demo_table",
    "fxcy_csv",
    "fxcy_document",
    "fxcy_tables",
    "knee",
    "per_activity",
    "personalize_tables",
    "print_evaluation",
    "search_table",
    "subject_table",
    "variant_findings",
    "variants_csv",
    "variants_document",
    "variants_page",
    "variants_table",
    "write_demo_report",
    "write_evaluation",
    "write_fxcy_report",
    "write_personalize",
    "write_search_report",
    "write_variants_report",
]

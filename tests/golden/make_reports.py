"""Writes text/report-COMMAND.txt, the tables that a command closes with, of made-up figures:
`.venv/bin/python -m tests.golden.make_reports`. Run it after a change of wording, and read the
difference before you commit it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, Group

from pipeline.demo.report import demo_table
from pipeline.demo.schema import DemoReport
from pipeline.experiments.evaluate.report import EvaluationReport, evaluation_tables
from pipeline.experiments.fxcy.report import fxcy_claims, fxcy_tables
from pipeline.experiments.personalize.report import (
    PersonalizeReport,
    PersonalizeRow,
    personalize_claims,
    personalize_tables,
)
from pipeline.experiments.transfer.run import TransferRow, transfer_claims, transfer_table
from pipeline.experiments.variants.report import variant_claims, variants_tables
from pipeline.report.claims import claims_table
from pipeline.report.tables import Table, terminal
from tests.unit.experiments.fxcy.report_samples import sample
from tests.unit.experiments.variants.report_samples import sample_variants
from tests.unit.report.samples import evaluation_document, sample_report

FOLDER = Path(__file__).resolve().parent / "text"
COLUMNS = 80


def _personalize() -> PersonalizeReport:
    rows = [
        PersonalizeRow.model_validate(
            {
                "scene": "same",
                "dataset": "hapt",
                "k": k,
                "cut": cut,
                "users": 61,
                "users_left_out": 2,
                "seeds": 3,
                "before": 0.97,
                "after": after,
                "worst_quarter_before": 0.92,
                "worst_quarter_after": after - 0.04,
                "hurt_share": 0.03,
                "worst_change": -0.033,
                "lose_over_one_point": 4,
                "forgetting": 0.001,
                "after_wrong_labels": after - 0.001,
                "undone": 0.0,
                "serving_share": 0.19,
            }
        )
        for k in (1, 10)
        for cut, after in (("none", 0.97), ("fc", 0.971 + 0.001 * k), ("fxc1", 0.975))
    ]
    return PersonalizeReport(
        command="har personalize",
        date="2026-11-21",
        seconds=1.0,
        seeds=[0, 1, 2],
        notes=[],
        versions={},
        rows=rows,
        users_detail=[],
    )


def _transfer() -> list[TransferRow]:
    names = (("random", 0.0), ("random_varied", -0.003), ("supervised", 0.017))
    return [
        TransferRow(
            name, "hapt", "watch", "dscnn", "5-fold", 0.8 + by, 0.01, "p1", 0.5, 3, 5, 3605, by
        )
        for name, by in names
    ]


def documents() -> dict[str, str]:
    """File name -> text."""
    fxcy, variants, personalize = sample(), sample_variants(), _personalize()
    evaluation = EvaluationReport.model_validate(evaluation_document())
    tables: dict[str, Iterable[Table]] = {
        "demo": [demo_table(DemoReport.model_validate(sample_report()))],
        "evaluate": [*evaluation_tables(evaluation), claims_table(evaluation.claims())],
        "fxcy": [*fxcy_tables(fxcy), claims_table(fxcy_claims(fxcy))],
        "personalize": [
            *personalize_tables(personalize),
            claims_table(personalize_claims(personalize)),
        ],
        "transfer": [transfer_table(_transfer()), claims_table(transfer_claims(_transfer()))],
        "variants": [
            *variants_tables(variants),
            claims_table(variant_claims(variants.rows, variants.test_windows)),
        ],
    }
    return {f"report-{name}.txt": _text(each) for name, each in tables.items()}


def _text(tables: Iterable[Table]) -> str:
    written = io.StringIO()
    Console(file=written, width=COLUMNS).print(Group(*map(terminal, tables)))
    return "".join(f"{line.rstrip()}\n" for line in written.getvalue().splitlines())


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

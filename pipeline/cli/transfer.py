"""`har transfer`: what pretraining is worth on another data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.common import JsonOption, guarded, note, print_json, progress_bar


@guarded
def transfer(
    source: Annotated[str, typer.Option(help="Data set that the extractor comes from.")] = "hapt",
    target: Annotated[str, typer.Option(help="Data set of the new task.")] = "watch",
    backbone: Annotated[str, typer.Option(help="Backbone.")] = "dscnn",
    split: Annotated[
        Literal["official", "5-fold", "leave-one-out"] | None,
        typer.Option(help="Of the target, by subject. Without it: official where published."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Extractors of each kind.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Compare a frozen pretrained extractor with random weights on another data set.

    Weights that are not shipped are pretrained into build/pretrained.
    """
    from pipeline.data import load_dataset
    from pipeline.experiments.networks import Folders
    from pipeline.experiments.transfer.run import TransferRequest, transfer_claims, transfer_table
    from pipeline.experiments.transfer.run import transfer as compare
    from pipeline.report.claims import claims_table
    from pipeline.report.tables import print_tables
    from pipeline.training.shipped import MADE_HERE

    folders = Folders(pretrained=MADE_HERE, runs=Path("build/evaluate/runs"))
    request = TransferRequest(folders, source, target, backbone, split, seeds)
    notes = [
        f"{name}: {remark}" for name in (source, target) for remark in load_dataset(name).notes
    ]
    with progress_bar() as show:
        rows = compare(request, show)
    claims = transfer_claims(rows)
    if as_json:
        print_json(
            {
                "rows": [asdict(row) for row in rows],
                "notes": notes,
                "claims": [claim._asdict() for claim in claims],
            }
        )
        return
    for remark in notes:
        note(f"har: {remark}")
    print_tables([transfer_table(rows), claims_table(claims)])

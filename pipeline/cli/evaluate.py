"""`har evaluate`: how well a network does on held-out subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.common import (
    JsonOption,
    command_line,
    guarded,
    note,
    print_json,
    progress_bar,
    require_writable,
)

_BUNDLE = Path("build/bundle")


@guarded
def evaluate(
    bundle: Annotated[
        Path | None,
        typer.Option(help="Bundle to measure on its own split; build/bundle if it is there."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Data set; the bundle's, else hapt.")] = None,
    backbone: Annotated[
        str | None, typer.Option(help="Backbone; the bundle's, else dscnn.")
    ] = None,
    split: Annotated[
        Literal["official", "5-fold", "leave-one-out", "all"] | None,
        typer.Option(help="By subject. Without it: official (where published) and 5-fold."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=100, help="Seeds per split; 3 for official, else 1.")
    ] = None,
    unseen: Annotated[
        str | None,
        typer.Option(help="Data set of other activities, which should come out as unknown."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the report and the runs.")] = Path(
        "build/evaluate"
    ),
    as_json: JsonOption = False,
) -> None:
    """Measure on held-out subjects: float, int8 and the compiled engine, side by side.

    Networks of other seeds and folds are made by the same recipe: from the shipped weights, or
    pretrained here where none are shipped. What is finished is kept: after Ctrl-C the same command
    goes on from there. Exit code 1 if the compiled engine differs from TFLite-Micro in any bit.
    """
    from pipeline.experiments.evaluate import Folders, Request, default_bundle
    from pipeline.experiments.evaluate import evaluate as run_evaluation
    from pipeline.experiments.evaluate.output import evaluation_tables, write_evaluation
    from pipeline.report.tables import print_tables
    from pipeline.training.shipped import MADE_HERE

    require_writable(output)
    request = Request(
        folders=Folders(pretrained=MADE_HERE, runs=output / "runs"),
        bundle=bundle or default_bundle(_BUNDLE, dataset, backbone),
        dataset=dataset,
        backbone=backbone,
        schemes=(split,) if split else (),
        seeds=seeds,
        unseen=unseen,
        command=command_line(),
    )
    with progress_bar() as show:
        report = run_evaluation(request, show)
    page = write_evaluation(report, output)
    if as_json:
        print_json(report.document())
    else:
        print_tables(evaluation_tables(report))
        note(f"{page}, {output / 'evaluate.json'}")
    if report.mismatches:
        note(f"har: the compiled engine differs from TFLite-Micro on {report.mismatches} windows")
        raise typer.Exit(1)

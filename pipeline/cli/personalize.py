"""`har personalize`: what learning on the device does for one subject."""

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
from pipeline.cli.jobs import WorkersOption


@guarded
def personalize(
    dataset: Annotated[
        Literal["watch", "hapt", "all"], typer.Option(help="Data set whose subjects personalize.")
    ] = "all",
    teach: Annotated[
        bool,
        typer.Option("--teach", help="Also add the watch's exercises to a model trained on hapt."),
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="One fold, seed 0, cut fc, one user.")
    ] = False,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Seeds of the whole chain, from pretraining on.")
    ] = 3,
    workers: WorkersOption = None,
    folder: Annotated[Path, typer.Option(help="Folder for the report and the runs.")] = Path(
        "build/personalize"
    ),
    as_json: JsonOption = False,
) -> None:
    """Let each subject label a few windows on the firmware's own learner, and test it on the rest.

    Each cut (fc, fxc1, fxc2) against not learning, on networks that were not trained on these
    subjects. What is finished is kept: after Ctrl-C the same command goes on from there.
    """
    from pipeline.experiments.jobs import Cluster, Workers
    from pipeline.experiments.networks import Folders
    from pipeline.experiments.personalize.output import personalize_tables, write_personalize
    from pipeline.experiments.personalize.report import personalize_claims
    from pipeline.experiments.personalize.run import DATASETS, PersonalizeRequest
    from pipeline.experiments.personalize.run import personalize as run_all
    from pipeline.report.claims import claims_table
    from pipeline.report.tables import print_tables
    from pipeline.training.shipped import MADE_HERE

    require_writable(folder)
    request = PersonalizeRequest(
        folders=Folders(pretrained=MADE_HERE, runs=folder / "runs"),
        output=folder,
        datasets=DATASETS if dataset == "all" else (dataset,),
        teach=teach,
        quick=quick,
        seeds=seeds,
        command=command_line(),
    )
    with progress_bar() as show, Workers(Cluster(workers)) as started:
        report = run_all(request, started, show)
    write_personalize(report, folder)
    if as_json:
        print_json(report.document())
        return
    print_tables([*personalize_tables(report), claims_table(personalize_claims(report))])
    for remark in report.notes:
        note(f"har: {remark}")
    note(f"{folder / 'personalize.svg'}, {folder / 'personalize.json'}")

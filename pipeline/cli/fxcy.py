"""`har fxcy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.common import (
    JsonOption,
    command_line,
    guarded,
    note,
    print_json,
    require_writable,
    say,
)
from pipeline.cli.jobs import (
    SchedulerOption,
    TlsCaFileOption,
    TlsCertOption,
    TlsKeyOption,
    WorkersOption,
    duration,
    jobs_display,
)


@guarded
def fxcy(
    pair: Annotated[
        list[str] | None,
        typer.Option(
            help="SOURCE:TARGET, data sets or images; may be given more than once. Without it: "
            "hapt:watch and watch:hapt."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Source of a single pair, with --target.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Target of it.")] = None,
    backbone: Annotated[
        list[str] | None, typer.Option(help="Network; may be given more than once.")
    ] = None,
    case: Annotated[
        list[str] | None,
        typer.Option(
            help="last_dense, fc, fxc1, fxc2, ..., whole or scratch; may be given more than once."
        ),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=100, help="Runs of each case: 3, or 2 with --quick.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="In place of each network's own.")
    ] = None,
    windows: Annotated[
        int | None,
        typer.Option(min=16, help="To learn from, and to be tested on, in place of its own."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two small networks, a few cases: a minute or two.")
    ] = False,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    tls_ca_file: TlsCaFileOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    output: Annotated[Path, typer.Option(help="Folder to write.")] = Path("build/fxcy"),
    as_json: JsonOption = False,
) -> None:
    """Compare how many of a pretrained network's last layers to train on another data set.

    Every case, from the last dense layer to the whole network and a start from nothing, with its
    accuracy on held-out subjects, its energy, and how soon it is as good as training the dense
    layers alone. Results are kept: Ctrl-C loses the jobs that run, and the same command goes on
    from there. Writes fxcy.json, fxcy.csv, pictures and fxcy.html.
    """
    from pipeline.experiments.fxcy import Options, Request, make_plan
    from pipeline.experiments.fxcy import fxcy as run_fxcy
    from pipeline.experiments.fxcy.claims import fxcy_claims
    from pipeline.experiments.fxcy.report import fxcy_document, fxcy_tables, write_fxcy_report
    from pipeline.experiments.jobs import Cluster, Workers
    from pipeline.report.claims import claims_table
    from pipeline.report.tables import print_tables

    require_writable(output)
    plan = make_plan(
        Request(
            options=Options(output, quick, epochs, windows),
            pairs=_pairs(pair or [], source, target),
            backbones=tuple(backbone or ()),
            cases=tuple(case or ()),
            seeds=seeds,
            command=command_line(),
        )
    )
    cluster = Cluster(workers, scheduler, tls_ca_file, tls_cert, tls_key)
    with jobs_display("jobs", _name, _summary) as on_progress, Workers(cluster) as started:
        at_most = duration(plan.seconds(started.capacity()))
        note(f"har: {len(plan.jobs)} jobs, at most about {at_most} in all")
        report = run_fxcy(plan, started, on_progress)
    write_fxcy_report(report, output)
    if as_json:
        print_json(fxcy_document(report))
        return
    print_tables([*fxcy_tables(report), claims_table(fxcy_claims(report))])
    say(f"{output}/fxcy.html, fxcy.json, fxcy.csv and pictures")


def _pairs(named: list[str], source: str | None, target: str | None) -> tuple[tuple[str, str], ...]:
    from pipeline.core.errors import InputError

    if (source is None) != (target is None):
        raise InputError("--source and --target name one pair together; give both")
    pairs = [(source, target)] if source is not None and target is not None else []
    for text in named:
        parts = text.split(":")
        if len(parts) != 2 or not all(parts):
            raise InputError(f"--pair {text!r}: write SOURCE:TARGET, as in hapt:watch")
        pairs.append((parts[0], parts[1]))
    return tuple(pairs)


def _name(job: dict[str, Any]) -> str:
    if job["kind"] == "source":
        return f"{job['backbone']} of {job['source']}"
    board = " on the board's learner" if job["kind"] == "device" else ""
    pair = f"{job['source']} -> {job['target']}"
    return f"{job['backbone']}, {pair}, {job['case']}{board}, seed {job['seed']}"


def _summary(result: dict[str, Any]) -> str:
    return f"{result['accuracy']:.3f}"

"""`har variants`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipeline.cli.common import (
    JsonOption,
    command_line,
    guarded,
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
    jobs_display,
)
from pipeline.cli.train import DatasetOption, SeedOption, SplitOption


@guarded
def variants(
    dataset: DatasetOption = "hapt",
    backbone: Annotated[
        list[str] | None,
        typer.Option(
            help="Network, e.g. mobilenetv2@96; may be given more than once. Without it: "
            "mobilenetv2, squeezenet, smallcnn and dscnn."
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            help="float32, float16, int8, int8_qat, pruned, pruned_int8, pruned_qat, or with a "
            "percentage: pruned80_int8; may be given more than once. Without it: all."
        ),
    ] = None,
    sparsity: Annotated[
        list[float] | None,
        typer.Option(help="Of pruned ones, 0 to 0.95; may be given more than once: 0.5 and 0.8."),
    ] = None,
    weights: Annotated[
        Literal["source", "imagenet", "none"],
        typer.Option(
            help="What networks begin with. imagenet: the source's where that is not to be had."
        ),
    ] = "source",
    source: Annotated[
        str, typer.Option(help="Data set that networks are pretrained on; of other people.")
    ] = "watch",
    split: SplitOption = "official",
    seed: SeedOption = 0,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Networks of each kind.")] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two networks, little training: some minutes.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="On the data set, in place of each network's own.")
    ] = None,
    windows: Annotated[
        int | None, typer.Option(min=64, help="An epoch, in place of each network's own.")
    ] = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    tls_ca_file: TlsCaFileOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    output: Annotated[Path, typer.Option(help="Folder to write.")] = Path("build/variants"),
    as_json: JsonOption = False,
) -> None:
    """Compare base, quantized and pruned variants of networks, and what each takes of a board.

    Every file is run as it is: int8 in the board's engines, float in LiteRT, on held-out subjects.
    Results are kept: Ctrl-C loses the jobs that run, and the same command goes on from there.
    Writes variants.json, variants.csv, variants.svg and variants.html.
    """
    from pipeline.experiments.jobs import Cluster, Workers
    from pipeline.experiments.variants import VariantsRequest, run_variants
    from pipeline.experiments.variants.compare import variant_claims
    from pipeline.experiments.variants.report import (
        variants_document,
        variants_tables,
        write_variants_report,
    )
    from pipeline.report.claims import claims_table
    from pipeline.report.tables import print_tables

    request = VariantsRequest(
        dataset=dataset,
        backbones=tuple(backbone or ()),
        variants=tuple(variant or ()),
        sparsities=tuple(sparsity or ()),
        weights=weights,
        source=source,
        split=split,
        seed=seed,
        seeds=seeds,
        quick=quick,
        epochs=epochs,
        windows=windows,
        output=output,
    )
    request.check()
    require_writable(output)
    cluster = Cluster(workers, scheduler, tls_ca_file, tls_cert, tls_key)
    with jobs_display("variants", _name, _summary) as on_progress, Workers(cluster) as started:
        report = run_variants(request, command_line(), started, on_progress)
    write_variants_report(report, output)
    if as_json:
        print_json(variants_document(report))
        return
    claims = variant_claims(report.rows, report.test_windows)
    print_tables([*variants_tables(report), claims_table(claims)])
    say(f"{output}/variants.html, variants.json, variants.csv and variants.svg")


def _name(job: dict[str, Any]) -> str:
    return f"{job['backbone']} {job['variant']}, seed {job['seed']}"


def _summary(result: dict[str, Any]) -> str:
    if "refused" in result:
        return "not made"
    return f"{result['accuracy']:.4f}, {result['bytes']:,} bytes"

"""`har search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.common import JsonOption, guarded, print_json, require_writable, say
from pipeline.cli.jobs import (
    SchedulerOption,
    TlsCaFileOption,
    TlsCertOption,
    TlsKeyOption,
    WorkersOption,
    jobs_display,
)
from pipeline.cli.train import DatasetOption, FoldOption, SeedOption, SplitOption


@guarded
def search(
    dataset: DatasetOption = "hapt",
    split: SplitOption = "official",
    fold: FoldOption = 0,
    trials: Annotated[
        int, typer.Option(help="Shapes to train, those of earlier runs included.")
    ] = 40,
    epochs: Annotated[int, typer.Option(help="Epochs of each; fewer than a shipped one's.")] = 8,
    draws: Annotated[
        int, typer.Option(help="Draws of validation subjects; the accuracy is their mean.")
    ] = 1,
    window: Annotated[
        str, typer.Option(help="Samples: 64, 128, 192, 256; any: search these too.")
    ] = "128",
    max_parameters: Annotated[int, typer.Option(min=1, help="Weights and biases.")] = 36_000,
    max_macs: Annotated[int, typer.Option(min=1, help="Of one prediction.")] = 550_000,
    max_ram: Annotated[int, typer.Option(min=1, help="Bytes of the engine's arena.")] = 65_536,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    tls_ca_file: TlsCaFileOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    seed: SeedOption = 0,
    output: Annotated[Path, typer.Option(help="Folder to write.")] = Path("build/search"),
    as_json: JsonOption = False,
) -> None:
    """Search the shapes of the network under the board's limits, on validation subjects.

    Every shape that fits is trained on the training subjects for a few epochs; test subjects are
    never looked at. Results are kept: Ctrl-C loses what is being trained, and the same command goes
    on
    from there. Writes search.json and search.svg.
    """
    from pipeline.experiments.jobs import Cluster, Workers
    from pipeline.experiments.search import Limits, SearchRequest, Setting, Space, search_report
    from pipeline.experiments.search import search as run_search
    from pipeline.experiments.search.report import (
        search_claims,
        search_document,
        search_table,
        write_search_report,
    )
    from pipeline.report.claims import claims_table
    from pipeline.report.tables import print_tables

    request = SearchRequest(
        setting=Setting(dataset, split, fold, draws, seed, epochs),
        folder=output / "jobs",
        trials=trials,
        limits=Limits(max_parameters, max_macs, max_ram),
        space=Space.named(window),
    )
    request.material  # noqa: B018 - raises
    require_writable(output)
    cluster = Cluster(workers, scheduler, tls_ca_file, tls_cert, tls_key)
    with jobs_display("shapes", _name, _summary) as on_progress, Workers(cluster) as started:
        found = run_search(request, started, on_progress)
    report = search_report(request, found)
    write_search_report(report, output)
    if as_json:
        print_json(search_document(report))
    else:
        print_tables([search_table(report), claims_table(search_claims(report))])
        say(f"{output}/search.json, search.csv and search.svg")


def _name(job: dict[str, Any]) -> str:
    return f"{job['backbone']}, {job['window']} samples"


def _summary(result: dict[str, Any]) -> str:
    return f"{sum(result['accuracies']) / len(result['accuracies']):.4f}"

"""The experiments: `har evaluate`, `personalize`, `transfer`, `search`, `variants`, `fxcy`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.cli.common import (
    JsonOption,
    command_line,
    guarded,
    note,
    print_json,
    progress_bar,
    require_writable,
    say,
)
from pipeline.cli.defaults import BUNDLE, bundle_or_default
from pipeline.cli.train import DatasetOption, FoldOption, SeedOption, SplitOption

if TYPE_CHECKING:
    from pipeline.experiments.jobs import Progress
    from pipeline.report.tables import Table

WorkersOption = Annotated[
    int | None, typer.Option(help="Processes on this machine; without it one for each core.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(help="tls://HOST:PORT of a dask scheduler whose workers run the jobs."),
]
TlsCaFileOption = Annotated[
    Path | None, typer.Option(help="PEM file of the authority that signed its certificates.")
]
TlsCertOption = Annotated[Path | None, typer.Option(help="PEM file of this machine's certificate.")]
TlsKeyOption = Annotated[Path | None, typer.Option(help="PEM file of its key.")]


@contextlib.contextmanager
def jobs_display(
    what: str,
    name: Callable[[dict[str, Any]], str],
    summary: Callable[[dict[str, Any]], str],
) -> Iterator[Callable[[Progress], None]]:
    """Gives the ``on_progress`` of `run_jobs`: a bar where stderr is a terminal, and a line for
    each job that is done.

    ``what``: the jobs, in the plural; ``name``: of a job; ``summary``: of a result, in a few words.
    """
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    from pipeline.core.console import Console

    console = Console(stderr=True)
    column = Column(no_wrap=True, overflow="ellipsis")
    text = TextColumn("{task.description}", markup=False, table_column=column)
    columns = (BarColumn(20), TimeElapsedColumn(), text)
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        first = True

        def on_progress(progress: Progress) -> None:
            nonlocal first
            lines = []
            if first and progress.done:
                lines.append(f"{progress.done} of {progress.total} {what} were done before")
            first = False
            text = f"{progress.done} of {progress.total} {what}"
            if progress.seconds_left is not None and progress.done < progress.total:
                text += f", about {duration(progress.seconds_left)} left"
            if last := progress.last:
                line = f"{name(last.job)}: {summary(last.result)}, {duration(last.seconds)}"
                lines.append(line if console.is_terminal else f"{line} ({text})")
            for line in lines:
                bar.print(line, highlight=False, soft_wrap=True, markup=False)
            running = " | ".join(name(job) for job in progress.running)
            shown = f"{text}: {running}" if running else text
            bar.update(task, completed=progress.done, total=progress.total, description=shown)

        yield on_progress


def duration(seconds: float) -> str:
    """``40 s``, ``12 min``, ``2 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def show_report(document: dict[str, Any], tables: Sequence[Table], as_json: bool) -> None:
    """A report as JSON, or its tables and, from the document, its claims."""
    from pipeline.report.claims import Claim, claims_table
    from pipeline.report.tables import print_tables

    if as_json:
        print_json(document)
    else:
        claims = [Claim(**each) for each in document["claims"]]
        print_tables([*tables, claims_table(claims)])


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
    from pipeline.experiments.evaluate.report import evaluation_tables, write_evaluation
    from pipeline.experiments.evaluate.run import Request, default_bundle
    from pipeline.experiments.evaluate.run import evaluate as run_evaluation
    from pipeline.experiments.networks import Folders
    from pipeline.training.shipped import MADE_HERE

    require_writable(output)
    request = Request(
        folders=Folders(pretrained=MADE_HERE, runs=output / "runs"),
        bundle=bundle_or_default(bundle) if bundle else default_bundle(BUNDLE, dataset, backbone),
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
    show_report(report.document(), evaluation_tables(report), as_json)
    if not as_json:
        note(f"{page}, {output / 'evaluate.json'}")
    if report.mismatches:
        note(f"har: the compiled engine differs from TFLite-Micro on {report.mismatches} windows")
        raise typer.Exit(1)


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
    from pipeline.experiments.personalize.report import personalize_tables, write_personalize
    from pipeline.experiments.personalize.run import DATASETS, PersonalizeRequest
    from pipeline.experiments.personalize.run import personalize as run_all
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
    show_report(report.document(), personalize_tables(report), as_json)
    if as_json:
        return
    for remark in report.notes:
        note(f"har: {remark}")
    note(f"{folder / 'personalize.svg'}, {folder / 'personalize.json'}")


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
    from pipeline.training.shipped import MADE_HERE

    folders = Folders(pretrained=MADE_HERE, runs=Path("build/evaluate/runs"))
    request = TransferRequest(folders, source, target, backbone, split, seeds)
    notes = [
        f"{name}: {remark}" for name in (source, target) for remark in load_dataset(name).notes
    ]
    with progress_bar() as show:
        rows = compare(request, show)
    if not as_json:
        for remark in notes:
            note(f"har: {remark}")
    claims = [claim._asdict() for claim in transfer_claims(rows)]
    document = {"rows": [asdict(row) for row in rows], "notes": notes, "claims": claims}
    show_report(document, [transfer_table(rows)], as_json)


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
    on from there. Writes search.json and search.svg.
    """
    from pipeline.experiments.jobs import Cluster, Workers
    from pipeline.experiments.search.report import (
        search_document,
        search_table,
        write_search_report,
    )
    from pipeline.experiments.search.run import SearchRequest, Setting, search_report
    from pipeline.experiments.search.run import search as run_search
    from pipeline.experiments.search.space import Limits, Space

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
    with (
        jobs_display("shapes", _search_job, _search_result) as on_progress,
        Workers(cluster) as started,
    ):
        found = run_search(request, started, on_progress)
    report = search_report(request, found)
    write_search_report(report, output)
    show_report(search_document(report), [search_table(report)], as_json)
    if not as_json:
        say(f"{output}/search.json, search.csv and search.svg")


def _search_job(job: dict[str, Any]) -> str:
    return f"{job['backbone']}, {job['window']} samples"


def _search_result(result: dict[str, Any]) -> str:
    return f"{sum(result['accuracies']) / len(result['accuracies']):.4f}"


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
    from pipeline.experiments.variants.report import (
        variants_document,
        variants_tables,
        write_variants_report,
    )
    from pipeline.experiments.variants.request import VariantsRequest
    from pipeline.experiments.variants.run import run_variants

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
    with (
        jobs_display("variants", _variants_job, _variants_result) as on_progress,
        Workers(cluster) as started,
    ):
        report = run_variants(request, command_line(), started, on_progress)
    write_variants_report(report, output)
    show_report(variants_document(report), variants_tables(report), as_json)
    if not as_json:
        say(f"{output}/variants.html, variants.json, variants.csv and variants.svg")


def _variants_job(job: dict[str, Any]) -> str:
    return f"{job['backbone']} {job['variant']}, seed {job['seed']}"


def _variants_result(result: dict[str, Any]) -> str:
    if "refused" in result:
        return "not made"
    return f"{result['accuracy']:.4f}, {result['bytes']:,} bytes"


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
    from pipeline.experiments.fxcy.jobs import Options
    from pipeline.experiments.fxcy.report import fxcy_document, fxcy_tables, write_fxcy_report
    from pipeline.experiments.fxcy.run import Request, make_plan
    from pipeline.experiments.fxcy.run import fxcy as run_fxcy
    from pipeline.experiments.jobs import Cluster, Workers

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
    with (
        jobs_display("jobs", _fxcy_job, _fxcy_result) as on_progress,
        Workers(cluster) as started,
    ):
        at_most = duration(plan.seconds(started.capacity()))
        note(f"har: {len(plan.jobs)} jobs, at most about {at_most} in all")
        report = run_fxcy(plan, started, on_progress)
    write_fxcy_report(report, output)
    show_report(fxcy_document(report), fxcy_tables(report), as_json)
    if not as_json:
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


def _fxcy_job(job: dict[str, Any]) -> str:
    if job["kind"] == "source":
        return f"{job['backbone']} of {job['source']}"
    board = " on the board's learner" if job["kind"] == "device" else ""
    pair = f"{job['source']} -> {job['target']}"
    return f"{job['backbone']}, {pair}, {job['case']}{board}, seed {job['seed']}"


def _fxcy_result(result: dict[str, Any]) -> str:
    return f"{result['accuracy']:.3f}"

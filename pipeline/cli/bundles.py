"""`har bundles`: the networks that ship with the project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    working,
)
from pipeline.cli.experiments import WorkersOption, jobs_display, show_report
from pipeline.core.errors import CheckFailed

if TYPE_CHECKING:
    from pipeline.bundle.material import MaterialCard

app = typer.Typer(
    name="bundles",
    help="List, rebuild and measure the networks that ship with the project.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="waist or wrist.")]


@app.callback()
def bundles(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the networks that ship with the project."""
    if context.invoked_subcommand is None:
        show_bundles(as_json=as_json)


@guarded
def show_bundles(as_json: bool = False) -> None:
    """List what ships: name, placement, activities, accuracy, size."""
    from pipeline.bundle.material import load_material, material_names

    rows = [_row(load_material(name).card) for name in material_names()]
    if as_json:
        print_json({"bundles": rows})
        return
    from pipeline.core.format import kilobytes

    for row in rows:
        say(f"{row['name']}: worn at the {row['placement']}; judged by {row['judged']}")
        say(f"  {', '.join(row['activities'])}")
        if row["accuracy"] is not None:
            say(
                f"  int8 accuracy {100 * row['accuracy']:.1f} %, worst person "
                f"{100 * row['worst_subject_accuracy']:.1f} % ({row['test_windows']:,} windows)"
            )
        say(
            f"  windows of {row['seconds']:g} s at {row['rate_hz']:g} Hz, {row['parameters']:,} "
            f"parameters, {row['macs']:,} multiply-accumulates, {kilobytes(row['size'])} int8"
        )
    say("`har emit --bundle NAME` takes one, without data and training")


def _row(card: MaterialCard) -> dict[str, Any]:
    """For --json. ``accuracy`` is the int8 network's on people held out, as ``judged`` says;
    ``size`` is its extractor's in bytes."""
    metrics = card.metrics
    return {
        "name": card.bundle,
        "placement": card.placement,
        "activities": card.activities,
        "rate_hz": card.rate_hz,
        "window_samples": card.window_samples,
        "seconds": card.window_samples / card.rate_hz,
        "parameters": card.parameters,
        "macs": card.macs,
        "size": card.bytes,
        "dataset": card.dataset,
        "judged": card.judged,
        "accuracy": metrics.int8_accuracy if metrics else None,
        "float_accuracy": metrics.float_accuracy if metrics else None,
        "worst_subject": metrics.worst_subject if metrics else None,
        "worst_subject_accuracy": metrics.worst_subject_accuracy if metrics else None,
        "test_windows": metrics.test_windows if metrics else 0,
        "model_id": card.model_id,
    }


@app.command()
@guarded
def rebuild(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="waist, wrist or wrist-left; all that ship if not given."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Bundle folder to write; below build/bundles if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the ready bundle from the shipped weights, without any data set; exit code 1 unless it
    is the one that its card names, byte for byte."""
    from pipeline.bundle.material import load_material, material_names
    from pipeline.bundle.ready import BUILT
    from pipeline.bundle.ready import rebuild as make
    from pipeline.core.errors import InputError
    from pipeline.training.corpora import is_mirrored

    names = [name] if name else material_names()
    if output and len(names) != 1:
        raise InputError("--output takes one bundle: name it")
    rows: list[dict[str, Any]] = []
    for each in names:
        expected = load_material(each).card.model_id
        folder = output or BUILT / each
        with working(f"rebuilding {each}"):
            made = make(each, folder)
        same = None if is_mirrored(each) else made.model_id == expected
        rows.append({"name": each, "bundle": str(folder), "model_id": made.model_id, "same": same})
        if not as_json:
            said = {True: "as shipped", False: f"not {expected}", None: f"mirror of {expected}"}
            say(f"{folder}: model {made.model_id}, {said[same]}")
    if as_json:
        print_json({"rebuilt": rows})
    if wrong := [row["name"] for row in rows if row["same"] is False]:
        raise CheckFailed(
            f"{', '.join(wrong)}: not the bundle of the card; install what requirements.lock names"
        )


@app.command()
@guarded
def make(
    name: NameArgument,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Epochs; the recipe's if not given.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder to write NAME in; data/pretrained if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Pretrain a shipped network again and write what ships of it; needs its data sets."""
    from dataclasses import replace

    from pipeline.bundle.make_material import make_material
    from pipeline.experiments.folds import read_folds
    from pipeline.training import load_pretrained
    from pipeline.training import train as train_head
    from pipeline.training.corpora import find_corpus
    from pipeline.training.pretrained import pretrain_extractor
    from pipeline.training.shipped import DIRECTORY, MADE_HERE

    corpus = find_corpus(name)
    target = (folder or DIRECTORY) / name
    metrics, judged = None, f"test subjects of {', '.join(corpus.judges)}, official split"
    if not corpus.judges:
        metrics = read_folds(DIRECTORY / name).metrics("shipped" if corpus.merged else "all")
        judged = f"each person of {corpus.dataset} held out of a network like it"
    task = corpus.task(seed=seed)
    require_writable(target)
    weights = MADE_HERE / name / f"seed{seed}.npz"
    require_writable(weights.parent)
    settings = replace(corpus.settings, epochs=epochs or corpus.settings.epochs)
    with progress_bar() as show:

        def on_epoch(epoch: int, _: float) -> None:
            show(f"pretraining {name}", epoch / settings.epochs)

        pretrain_extractor(task.without_test(), settings, seed, weights, on_epoch)
    if corpus.merged:
        task = corpus.task(seed=seed, merged=True)
    with working(f"{name}: training the head") as step:
        trained = train_head(load_pretrained(weights), task.without_test(), seed)
        card = make_material(trained, task, target, corpus.placement, judged, metrics, step)
    if as_json:
        print_json(_row(card))
    else:
        say(f"{target}: model {card.model_id}, {_accuracy(card)}")


def _accuracy(card: MaterialCard) -> str:
    metrics = card.metrics
    return f"int8 accuracy {metrics.int8_accuracy:.4f}, {card.judged}" if metrics else card.judged


@app.command()
@guarded
def measure(
    name: NameArgument,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Seeds; those after the first on two folds only.")
    ] = 3,
    repeated: Annotated[int, typer.Option(min=1, help="Folds that the later seeds repeat.")] = 2,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Epochs; the recipe's if not given.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the report and what is kept.")] = Path(
        "build/folds"
    ),
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the recipe without some people, fold by fold, and judge it by them; needs the data.

    What is finished is kept: after Ctrl-C the same command goes on from there.
    """
    from pipeline.experiments.folds import (
        FoldsRequest,
        folds_document,
        folds_tables,
        measure_folds,
        write_folds,
    )
    from pipeline.experiments.jobs import Cluster, Workers
    from pipeline.training.corpora import find_corpus

    find_corpus(name).load()  # says what is missing before anything starts
    folder = output / name
    require_writable(folder)
    request = FoldsRequest(name, folder, seeds, repeated, epochs, command_line())
    with (
        Workers(Cluster(workers)) as pool,
        jobs_display("folds", _title, _summary) as show,
    ):
        report = measure_folds(request, pool, show)
    path = write_folds(report, folder)
    show_report(folds_document(report), folds_tables(report), as_json)
    note(f"har: {path}")


def _title(job: dict[str, Any]) -> str:
    return f"{job['corpus']} fold {job['fold']}, seed {job['seed']}"


def _summary(result: dict[str, Any]) -> str:
    confusion = result["judged"]["all"]["confusion"]
    hits = sum(row[k] for counts in confusion.values() for k, row in enumerate(counts))
    total = sum(sum(map(sum, counts)) for counts in confusion.values())
    return f"int8 {100 * hits / total:.1f} %"

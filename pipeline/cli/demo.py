"""`har demo`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.common import JsonOption, TargetOption, guarded, note, print_json, say
from pipeline.cli.defaults import SHIPPED
from pipeline.cli.train import SeedOption


@guarded
def demo(
    target: TargetOption = "mps2",
    bundle: Annotated[
        str, typer.Option(help="Which of the shipped networks (`har bundles`) to run.")
    ] = SHIPPED,
    dataset: Annotated[
        str | None, typer.Option(help="Data set to train on in place of a shipped network.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="Backbone of --dataset.", show_default="dscnn")
    ] = None,
    seed: SeedOption = 0,
    pretrained: Annotated[
        Path | None,
        typer.Option(help="Weights of the frozen extractor; the shipped ones if not given."),
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder to write.")] = Path("build/demo"),
    as_json: JsonOption = False,
) -> None:
    """Run the whole path: data, training, int8, a board that predicts and learns, a report."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from pipeline.bundle.material import load_material
    from pipeline.core.console import Console
    from pipeline.demo.report import demo_table, write_demo_report
    from pipeline.demo.run import (
        DemoSettings,
        failures,
        made_of_data,
        made_of_material,
        run_demo,
    )
    from pipeline.demo.schema import TARGET_NOTES
    from pipeline.report.tables import print_tables
    from pipeline.training import load_pretrained
    from pipeline.training.corpora import find_corpus
    from pipeline.training.shipped import ExtractorName, find_extractor
    from pipeline.training.task import load_task

    began = time.monotonic()
    note(f"Target: {TARGET_NOTES[target]}")
    if dataset or backbone or pretrained:
        name = dataset or "hapt"
        given = load_pretrained(pretrained) if pretrained else None  # before anything is fetched
        usual = find_extractor(ExtractorName(name, backbone or "dscnn", seed=seed))
        extractor = given or load_pretrained(usual)
        task = load_task(name, seed=seed, shape=extractor.card.shape)
        make = made_of_data(extractor, task, seed)
    else:
        material = load_material(bundle)
        task = find_corpus(bundle).judging_task(material.card.activities, material.card.seed)
        make = made_of_material(material)
    data = task.dataset
    note(
        f"Data: {data.title}: {len(data.subjects)} subjects, "
        f"{sum(r.duration_s for r in data.recordings) / 60:.0f} min at {data.rate_hz:g} Hz, "
        f"{len(task.windows)} windows. {data.terms}"
    )
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        current = bar.add_task("Preparing", total=1)

        def on_step(text: str) -> None:
            nonlocal current
            bar.update(current, completed=bar.tasks[-1].total)
            current = bar.add_task(text, total=1)

        def on_progress(done: int, total: int) -> None:
            bar.update(current, completed=done, total=total)

        report, details = run_demo(
            DemoSettings(target=target, output=output, seed=seed),
            task,
            make,
            on_step,
            on_progress,
        )
        bar.update(current, completed=bar.tasks[-1].total)
    report = report.model_copy(update={"seconds": round(time.monotonic() - began, 1)})
    page = write_demo_report(report, details, output)
    if as_json:
        print_json(report.model_dump())
    else:
        print_tables([demo_table(report)])
        say(f"Report: {page}\nFigures: {output / 'report.json'}")
    if wrong := failures(report):
        note(f"har: the demo found: {'; '.join(wrong)}; `make test` narrows it down")
        raise typer.Exit(1)

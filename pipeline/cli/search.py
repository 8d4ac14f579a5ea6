"""`har search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.common import JsonOption, guarded, print_json, require_writable, say
from pipeline.cli.sweeping import (
    Display,
    StorageOption,
    StudyOption,
    WorkersOption,
    display,
    duration,
    storage_url,
)
from pipeline.cli.train import DatasetOption, FoldOption, SeedOption, SplitOption


@guarded
def search(
    dataset: DatasetOption = "hapt",
    split: SplitOption = "official",
    fold: FoldOption = 0,
    trials: Annotated[
        int, typer.Option(help="Shapes that the study shall hold when it is done.")
    ] = 40,
    epochs: Annotated[int, typer.Option(help="Epochs of each; fewer than a shipped one's.")] = 8,
    draws: Annotated[
        int, typer.Option(help="Draws of validation people; the accuracy is their mean.")
    ] = 1,
    window: Annotated[
        str, typer.Option(help="Samples: 64, 128, 192, 256; any: search these too.")
    ] = "128",
    max_parameters: Annotated[int, typer.Option(min=1, help="Weights and biases.")] = 36_000,
    max_macs: Annotated[int, typer.Option(min=1, help="Of one prediction.")] = 550_000,
    max_ram: Annotated[int, typer.Option(min=1, help="Bytes of the engine's arena.")] = 65_536,
    workers: WorkersOption = 1,
    storage: StorageOption = None,
    study: StudyOption = None,
    seed: SeedOption = 0,
    output: Annotated[Path, typer.Option(help="Folder to write.")] = Path("build/search"),
    as_json: JsonOption = False,
) -> None:
    """Search the shapes of the network under the board's limits, on validation people.

    Every shape that fits is trained on the training people for a few epochs; test people are never
    looked at. The study keeps all of it: Ctrl-C loses what is being trained, and the same command
    goes on from there. Writes search.json and search.svg.
    """
    from pipeline.data import load_dataset
    from pipeline.experiments.search import Limits, SearchJob, Space, gather, search_report
    from pipeline.experiments.search import search as run_search
    from pipeline.experiments.search.report import (
        search_claims,
        search_document,
        search_table,
        write_search_report,
    )
    from pipeline.report.claims import claims_table
    from pipeline.report.tables import print_tables

    space = Space.named(window)
    material = gather(load_dataset(dataset), split, fold=fold, draws=draws, seed=seed)
    require_writable(output)
    job = SearchJob(
        material=material,
        storage=storage_url(storage, output),
        study=study or dataset,
        trials=trials,
        epochs=epochs,
        seed=seed,
        limits=Limits(max_parameters, max_macs, max_ram),
        space=space,
    )
    with display("shapes") as shown:
        found = run_search(job, workers=workers, on_trials=_Show(shown, trials, workers))
    report = search_report(job, found)
    write_search_report(report, output)
    if as_json:
        print_json(search_document(report))
    else:
        print_tables([search_table(report), claims_table(search_claims(report))])
        say(f"{output}/search.json, search.csv and search.svg")


class _Show:
    """A line for every shape that was trained, and the time left."""

    def __init__(self, shown: Display, trials: int, workers: int) -> None:
        self._shown, self._trials, self._workers = shown, trials, workers
        self._seen: set[int] | None = None

    def __call__(self, study: Any) -> None:
        from pipeline.experiments.search import trained

        done = trained(study)
        if self._seen is None:
            self._seen = {trial.number for trial in done}
            if done:
                self._shown.line(f"{len(done)} shapes are there from before")
        news = [
            f"{trial.user_attrs['backbone']}, {trial.user_attrs['window']} samples: "
            f"{trial.values[0]:.4f}, {trial.user_attrs['macs']:,} MACs, "
            f"{duration(trial.user_attrs['seconds'])}"
            for trial in done
            if trial.number not in self._seen
        ]
        self._seen |= {trial.number for trial in done}
        left = None
        if done:
            # Those before were perhaps trained elsewhere, but by the same recipe.
            each = sum(trial.user_attrs["seconds"] for trial in done) / len(done)
            left = max(self._trials - len(done), 0) * each / self._workers
        self._shown.update(len(done), self._trials, left, news=news)

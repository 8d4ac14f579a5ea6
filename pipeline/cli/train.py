"""`har pretrain`, `har train`, `har quantize`, `har emit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.common import ROOT, JsonOption, guarded, print_json, working

PRETRAINED = ROOT / "data" / "pretrained" / "dscnn.npz"

DatasetOption = Annotated[str, typer.Option(help="Data set, see `har data list`.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]


@guarded
def pretrain(
    dataset: DatasetOption = "hapt",
    seed: SeedOption = 0,
    epochs: Annotated[int, typer.Option(min=1, max=1000)] = 30,
    output: Annotated[Path, typer.Option(help="Weights file to write.")] = PRETRAINED,
    as_json: JsonOption = False,
) -> None:
    """Pretrain the extractor on the training people, never on validation or test people."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from pipeline.training.pretrain import PretrainSettings
    from pipeline.training.pretrained import pretrain_extractor
    from pipeline.training.task import load_task

    task = load_task(dataset, seed=seed)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        job = bar.add_task("pretraining", total=epochs)

        def on_epoch(epoch: int, accuracy: float) -> None:
            bar.update(job, completed=epoch, description=f"validation {accuracy:.3f}")

        card = pretrain_extractor(task, PretrainSettings(epochs=epochs), seed, output, on_epoch)
    if as_json:
        print_json(card.model_dump())
    else:
        print(
            f"{output}: validation accuracy {card.validation_accuracy:.3f} "
            f"({card.validation_windows} windows of {len(card.validation_subjects)} people)"
        )


@guarded
def train(
    dataset: DatasetOption = "hapt",
    seed: SeedOption = 0,
    pretrained: Annotated[Path, typer.Option(help="Weights of the frozen extractor.")] = PRETRAINED,
    output: Annotated[Path, typer.Option(help="Folder to write.")] = Path("build/train"),
    as_json: JsonOption = False,
) -> None:
    """Train the classifier behind the frozen pretrained extractor."""
    from pipeline.training.pretrained import load_pretrained
    from pipeline.training.task import HOP_SAMPLES, load_task
    from pipeline.training.train import save_trained
    from pipeline.training.train import train as train_head

    extractor = load_pretrained(pretrained)
    task = load_task(dataset, seed=seed)
    people = len(task.split.train)
    with working(f"training the classifier on {people} people of {task.dataset.title}"):
        trained = train_head(
            extractor,
            task.windows,
            task.split,
            dataset=dataset,
            rate_hz=task.dataset.rate_hz,
            hop_samples=HOP_SAMPLES,
            seed=seed,
        )
    card = save_trained(trained, output)
    if as_json:
        print_json(card.model_dump())
    else:
        print(
            f"{output}: validation accuracy {card.validation_accuracy:.3f} "
            f"(split {card.split}, seed {card.seed}, {card.train_windows} training windows)"
        )


@guarded
def quantize(
    model: Annotated[Path, typer.Option(help="Folder that `har train` wrote.")] = Path(
        "build/train"
    ),
    output: Annotated[Path, typer.Option(help="Bundle folder to write.")] = Path("build/bundle"),
    as_json: JsonOption = False,
) -> None:
    """Quantize to int8 and write the bundle that everything downstream reads."""
    from pipeline.export.quantize import quantize as make_bundle
    from pipeline.training import load_trained
    from pipeline.training.task import load_task

    trained = load_trained(model)
    task = load_task(trained.card.dataset, seed=trained.card.seed)
    with working("quantizing") as show:
        bundle = make_bundle(trained, task.windows, task.split, output, on_step=show)
    if as_json:
        print_json(bundle.model_dump())
    else:
        m = bundle.metrics
        print(
            f"{output}: model {bundle.model_id}, int8 accuracy {m.int8_accuracy:.4f} "
            f"(float {m.float_accuracy:.4f}), worst person {m.worst_subject} "
            f"{m.worst_subject_accuracy:.3f}, n = {m.test_windows}"
        )


@guarded
def emit(
    bundle: Annotated[Path, typer.Option(help="Bundle folder.")] = Path("build/bundle"),
    output: Annotated[Path, typer.Option(help="Folder for the C files.")] = ROOT
    / "firmware"
    / "generated",
    as_json: JsonOption = False,
) -> None:
    """Write the C that the firmware is built with: model header, C array, compiled engine."""
    from pipeline.export import emit as emit_c

    paths = emit_c(bundle, output)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
    else:
        print("\n".join(str(path) for path in paths))

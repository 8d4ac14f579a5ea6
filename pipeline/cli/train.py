"""`har pretrain`, `har train`, `har quantize`, `har emit`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.common import (
    JsonOption,
    guarded,
    note,
    print_json,
    progress_bar,
    require_writable,
    say,
    working,
)
from pipeline.cli.defaults import (
    BUNDLE,
    GENERATED,
    SHIPPED,
    TRAINED,
    bundle_or_default,
    quantize_trained,
)
from pipeline.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.training import TrainedModel
    from pipeline.training.task import OwnRecordings, Placement, Task
    from pipeline.training.train import TrainCard

DatasetOption = Annotated[str, typer.Option(help="Data set, see `har data list`.")]
BackboneOption = Annotated[
    str,
    typer.Option(
        help="dscnn, dscnn_small, or a shape written out: dscnn:k5:32s2-48s2. Over spectrograms: "
        "smallcnn, mobilenetv2, squeezenet, or any network of tf_keras.applications, of another "
        "size as mobilenetv2@96."
    ),
]
BundleOption = Annotated[
    Path, typer.Option(help="Bundle folder, or the name of one that ships (`har bundles`).")
]
SplitOption = Annotated[
    str, typer.Option("--split", help="Split by subject: official, 5-fold or leave-one-out.")
]
FoldOption = Annotated[int, typer.Option(min=0, help="Which of the split's folds.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]


@guarded
def pretrain(
    dataset: DatasetOption = "hapt",
    backbone: BackboneOption = "dscnn",
    split: SplitOption = "official",
    fold: FoldOption = 0,
    seed: SeedOption = 0,
    every: Annotated[
        bool,
        typer.Option("--all-shipped", help="Pretrain every extractor of data/pretrained again."),
    ] = False,
    method: Annotated[
        Literal["supervised", "distilled"],
        typer.Option(help="distilled: without labels, for other data sets."),
    ] = "supervised",
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, help="Epochs of supervised training; the recipe's if not given."
        ),
    ] = None,
    knee: Annotated[
        float | None,
        typer.Option(min=0.0, help="Knee of the gyroscope's companding, rad/s; 0 for none."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write; if not given data/pretrained for what is shipped, else below "
            "build."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Pretrain the extractor on the training subjects, never on validation or test subjects."""
    from pipeline.training.inputs import gyroscope_knee
    from pipeline.training.pretrained import make_extractor
    from pipeline.training.shipped import ExtractorName, folder_of, shipped
    from pipeline.training.task import load_task

    if every and method == "distilled":
        raise InputError("--all-shipped are all supervised; leave --method out")
    changes = {"epochs": epochs, "knee": None if knee is None else gyroscope_knee(knee)}
    one = ExtractorName(dataset, backbone, split, fold, seed)
    names = shipped() if every else (one,)
    cards = []
    with progress_bar() as show:
        for name in names:
            task = load_task(name.dataset, scheme=name.scheme, fold=name.fold, seed=name.seed)
            on_share = partial(show, f"{name.backbone} {task.split.name} seed {name.seed}")
            usual = folder_of(name) if method == "supervised" else Path("build/distilled")
            path = name.path(folder or usual)
            require_writable(path.parent)
            cards.append((path, make_extractor(name, task, path, method, changes, on_share)))
    if as_json:
        print_json([card.model_dump() for _, card in cards] if every else cards[0][1].model_dump())
        return
    for path, card in cards:
        say(
            f"{path}: validation accuracy {card.validation_accuracy:.3f} "
            f"({card.validation_windows} windows of {len(card.validation_subjects)} subjects)"
        )


@guarded
def train(
    bundle: Annotated[
        str | None,
        typer.Option(
            help="Which of the shipped networks (`har bundles`); not together with what names "
            "another one.",
            show_default=SHIPPED,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Data set in place of a shipped network, see `har data list`."),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="Backbone of --dataset, as of `har pretrain`.", show_default="dscnn"),
    ] = None,
    split: SplitOption = "official",
    fold: FoldOption = 0,
    seed: SeedOption = 0,
    pretrained: Annotated[
        Path | None,
        typer.Option(help="Weights of the frozen extractor; those of `har pretrain` if not given."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Your own recordings to train on, too: a file, a folder or a zip, or the name of "
            "an import."
        ),
    ] = None,
    placement: Annotated[
        Literal["same", "any"],
        typer.Option(
            help="Where --data was worn: any takes what was worn elsewhere than the model, too."
        ),
    ] = "same",
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse data that give a warning.")
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder to write.")] = TRAINED,
    as_json: JsonOption = False,
) -> None:
    """Train the head on a frozen pretrained extractor: one that ships, or one of a data set."""
    from pipeline.bundle.limits import check_room
    from pipeline.training.train import save_trained

    named = dataset or backbone or pretrained or split != "official" or fold
    if bundle and named:
        raise InputError(
            "--bundle names a shipped network; leave out what names a data set or another one"
        )
    if named:
        task, fit = _of_dataset(
            dataset or "hapt", backbone or "dscnn", split, fold, seed, pretrained, data, placement
        )
    else:
        task, fit = _of_bundle(bundle or SHIPPED, seed, data, placement)
    check_room(task.windows.activities, spare=0, replay=1, exemplars=0)
    for line in task.dataset.notes:
        note(f"har: {line}")
    if task.own and not as_json:
        _say_files(task.own)
    if strict and task.dataset.notes:
        raise InputError(
            f"{len(task.dataset.notes)} warnings, and --strict was given; mend the files, or leave "
            "--strict out"
        )
    require_writable(output)
    with working("training the head"):
        trained = fit()
    card = save_trained(trained, output)
    if as_json:
        print_json(card.model_dump())
        return
    if card.bundle and not card.own:
        say(f"{output}: the {card.bundle} network as it ships ({', '.join(card.activities)})")
    else:
        say(
            f"{output}: validation accuracy {card.validation_accuracy:.3f} "
            f"(split {card.split}, seed {card.seed}, {card.train_windows} training windows)"
        )
    _say_own(card)


def _of_dataset(
    dataset: str,
    backbone: str,
    split: str,
    fold: int,
    seed: int,
    pretrained: Path | None,
    data: Path | None,
    placement: Placement,
) -> tuple[Task, Callable[[], TrainedModel]]:
    """A task of a data set, and what trains on it."""
    from pipeline.data import is_dataset_name, load_dataset
    from pipeline.training.pretrained import load_pretrained
    from pipeline.training.shipped import ExtractorName, find_extractor
    from pipeline.training.task import load_task
    from pipeline.training.train import train as train_head

    usual = find_extractor(ExtractorName(dataset, backbone, split, fold, seed))
    if not (pretrained or usual.exists() or is_dataset_name(dataset)):
        load_dataset(dataset)  # says which there are
    extractor = load_pretrained(pretrained or usual)  # before anything is fetched
    shape = extractor.card.shape
    task = load_task(
        dataset, scheme=split, fold=fold, seed=seed, data=data, placement=placement, shape=shape
    )
    return task, lambda: train_head(extractor, task, seed)


def _of_bundle(
    name: str, seed: int, data: Path | None, placement: Placement
) -> tuple[Task, Callable[[], TrainedModel]]:
    """A shipped network with your recordings, and what trains it on them."""
    from pipeline.bundle.material import load_material
    from pipeline.bundle.ready import train_own

    material = load_material(name)
    task = material.task(data, placement)
    return task, (lambda: train_own(material, task, seed)) if data else material.trained


def _say_files(own: OwnRecordings) -> None:
    """Every file: who, at which rate, how long, how many windows, and what is in none."""
    from rich.markup import escape
    from rich.table import Table

    from pipeline.core.console import Console

    table = Table("file", "people", title=escape(own.path), title_justify="left")
    for heading in ("rate", "minutes", "windows", "left out"):
        table.add_column(heading, justify="right")
    for each in own.files:
        left = [
            f"{seconds:g} s {why}"
            for seconds, why in ((each.unlabelled_s, "unlabelled"), (each.short_s, "too short"))
            if seconds
        ]
        table.add_row(
            escape(each.file),
            escape(", ".join(each.subjects)),
            f"{each.rate_hz:g} Hz",
            f"{each.minutes:.2f}",
            str(each.windows),
            ", ".join(left),
        )
    Console().print(table)


def _say_own(card: TrainCard) -> None:
    if card.own is None:
        return
    counts = ", ".join(f"{name} {count}" for name, count in card.own.windows.items())
    say(f"windows of {card.own.path}: {counts}")
    for name in card.own.new:
        say(f"{name}: only in your recordings, not judged")


@guarded
def quantize(
    model: Annotated[Path, typer.Option(help="Folder that `har train` wrote.")] = TRAINED,
    output: Annotated[Path, typer.Option(help="Bundle folder to write.")] = BUNDLE,
    cut: Annotated[
        str,
        typer.Option(
            help="Where the frozen extractor ends: fc (the dense layer learns), fxc1 or fxc2 (the "
            "last one or two convolutions learn too)."
        ),
    ] = "fc",
    spare: Annotated[
        int, typer.Option(min=0, help="Spare rows: room for activities added on the board.")
    ] = 2,
    replay: Annotated[
        int, typer.Option(min=1, help="Labelled windows that the board stores for replay.")
    ] = 36,
    exemplars: Annotated[
        int, typer.Option(min=0, help="Training windows shipped as exemplars, of each activity.")
    ] = 4,
    smoothing: Annotated[
        bool, typer.Option("--smoothing/--no-smoothing", help="Smooth predictions over time.")
    ] = True,
    rejecting: Annotated[
        bool,
        typer.Option(
            "--unknown/--no-unknown", help="Report windows unlike the training data as unknown."
        ),
    ] = True,
    hop: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Samples between the board's answers; fewer than half a window are for the "
            "compiled engine, which streams.",
            show_default="half a window",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Quantize to int8 and write the bundle that everything downstream reads."""
    from pipeline.training import load_trained

    trained = load_trained(model)
    card = trained.card
    bundle = quantize_trained(
        trained,
        output,
        cut=cut,
        spare=spare,
        replay=replay,
        exemplars=exemplars,
        smoothing=smoothing,
        rejecting=rejecting,
        hop=hop,
    )
    if as_json:
        print_json(bundle.model_dump())
    else:
        said = f"{output}: model {bundle.model_id}, cut {bundle.cut}, "
        if m := bundle.metrics:
            said += (
                f"int8 accuracy {m.int8_accuracy:.4f} (float {m.float_accuracy:.4f}), worst "
                f"subject {m.worst_subject} {m.worst_subject_accuracy:.3f}, n = {m.test_windows}"
            )
        else:
            said += "not judged: nobody was held out who knows your recordings' activities"
        say(said)
        if bundle.answer_samples:
            seconds = bundle.answer_samples / bundle.rate_hz
            note(
                f"an answer every {bundle.answer_samples} samples ({seconds:g} s): for the "
                "compiled engine only (har flash --engine compiled)"
            )
        _say_own(card)


@guarded
def emit(
    bundle: BundleOption = BUNDLE,
    output: Annotated[
        Path, typer.Option(help="Folder for the C files.", show_default="firmware/generated")
    ] = GENERATED,
    as_json: JsonOption = False,
) -> None:
    """Write the C that the firmware is built with: model header, C array, compiled engine."""
    from pipeline.bundle import emit as emit_c
    from pipeline.bundle import load_bundle

    paths = emit_c(load_bundle(bundle_or_default(bundle)), output)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
    else:
        say("\n".join(str(path) for path in paths))

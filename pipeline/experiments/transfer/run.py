"""What a frozen extractor is worth on another data set, against random weights.

Pooled features of all stages are rich even when nothing was learned: a classifier after them says
little about pretraining without the same classifier after random weights as a control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.data import default_scheme, folds, load_dataset, split_subjects
from pipeline.data.mixed import mix
from pipeline.experiments.networks import Folders, pretrained_extractor
from pipeline.models import Backbone, backbone
from pipeline.report.claims import Claim
from pipeline.report.tables import Table, number, share
from pipeline.training.augment import augment, varied_windows
from pipeline.training.classifier import fit_head
from pipeline.training.inputs import NetworkInput, fit_normalization
from pipeline.training.metrics import worst_of
from pipeline.training.pretrain import DistillSettings, distill, set_batch_statistics
from pipeline.training.seeds import seed_everything
from pipeline.training.shipped import ExtractorName, recipe
from pipeline.training.task import Task, make_task

Show = Callable[[str, float], None]

# Two controls: they differ in the windows that the batch statistics are taken from.
CONTROLS = ("random", "random_varied")
VARIANTS = (*CONTROLS, "supervised", "distilled")
# Strengths of the classifier's weight penalty. Every fold takes the best on its validation
# subjects, for the control as for what is compared with it.
PENALTIES = (1e-1, 1e-2, 1e-3)
_AUGMENTED_COPIES = 2
_STATISTICS_WINDOWS = 2048
# What an extractor and a fold take, roughly and in the same unit: only the time left is guessed
# from it.
_EXTRACTOR, _FOLD = 4.0, 1.0


@dataclass(frozen=True)
class TransferRow:
    """One variant.

    ``accuracy``: share of the target's test windows that are right, all folds together, mean over
    ``seeds`` extractors; ``sd`` of it over the seeds (n - 1; 0 for one seed). ``worst_subject``:
    who has the lowest mean over the seeds. ``difference_to_control``: of accuracies, to the
    better of the controls.
    """

    variant: str
    source: str
    target: str
    backbone: str
    scheme: str
    accuracy: float
    sd: float
    worst_subject: str
    worst_subject_accuracy: float
    seeds: int
    folds: int
    windows: int
    difference_to_control: float


@dataclass(frozen=True)
class TransferRequest:
    """``scheme``: how the target is split; None: official where it has that, else 5-fold."""

    folders: Folders
    source: str = "hapt"
    target: str = "watch"
    backbone: str = "dscnn"
    scheme: str | None = None
    seeds: int = 3


@dataclass(frozen=True, eq=False)
class Extractor:
    """Frozen: raw windows (N, T, C) -> features (N, F)."""

    network: Backbone
    model: Any
    normalize: NetworkInput

    def __call__(self, x: Array) -> Array:
        return self.network.features(self.model, self.normalize(x))


def transfer(request: TransferRequest, show: Show = lambda *_: None) -> list[TransferRow]:
    """Fits the target's classifier after every variant and tests it on the target's test subjects.

    All variants have one network and one way to fit the classifier. ``random`` has the weights it
    was initialized with and batch statistics of the source, ``random_varied`` has those of the
    windows that ``distilled`` learns from; ``supervised`` was trained on the source's training
    subjects and their labels, ``distilled`` on the same subjects without labels
    (`pipeline.training.pretrain`). ``show(what is being done, share of everything done)``.

    Raises InputError for an invalid name, or for a source and a target with the same people.
    """
    if backbone(request.backbone).image is not None:  # unknown names are refused here, too
        raise InputError(
            f"backbone {request.backbone} reads pictures, which cannot be distilled; compare it "
            "with `har fxcy`"
        )
    source, target = load_dataset(request.source), load_dataset(request.target)
    if source.name == target.name:
        raise InputError(f"source and target are both {source.name}; transfer needs two data sets")
    mix((source, target))  # refuses the same people under two names, and two rates
    scheme = request.scheme or default_scheme(target)
    count = folds(target, scheme)
    total = request.seeds * len(VARIANTS) * (_EXTRACTOR + _FOLD * count)
    done = 0.0

    right: dict[str, list[Array]] = {variant: [] for variant in VARIANTS}
    for seed in range(request.seeds):
        name = ExtractorName(source.name, request.backbone, default_scheme(source), 0, seed)
        task = make_task(source, split_subjects(source, name.scheme, seed=seed))
        for variant in VARIANTS:
            title = f"{variant}, seed {seed + 1} of {request.seeds}"

            def tell(text: str, share: float, title: str = title, before: float = done) -> None:
                show(f"{title}: {text}", (before + _EXTRACTOR * share) / total)

            extractor = _extractor(variant, name, task, request.folders, tell)
            done += _EXTRACTOR
            hits = []
            for fold in range(count):
                show(f"{title}: fold {fold + 1} of {count}", done / total)
                split = split_subjects(target, scheme, fold=fold, seed=seed)
                hits.append(probe(extractor, make_task(target, split), seed))
                done += _FOLD
            right[variant].append(np.concatenate(hits))
    tested = [split_subjects(target, scheme, fold=fold).test for fold in range(count)]
    windows = make_task(target, split_subjects(target, scheme)).windows
    subjects = np.concatenate([windows.for_subjects(names).subjects for names in tested])
    show("done", 1.0)
    return list(_rows(request, scheme, count, right, subjects))


def transfer_claims(rows: Sequence[TransferRow]) -> list[Claim]:
    """Whether pretraining beats random weights. ``n``: the target's test windows."""
    return [
        Claim(
            f"{row.variant}: points over the better control",
            "> 0",
            number(100 * row.difference_to_control, sign=True),
            row.windows,
            row.difference_to_control > 0,
        )
        for row in rows
        if row.variant not in CONTROLS
    ]


def transfer_table(rows: Sequence[TransferRow]) -> Table:
    """A line a variant."""
    first = rows[0]
    lines = [
        [
            row.variant,
            share(row.accuracy),
            number(100 * row.sd, 2),
            f"{row.worst_subject} {share(row.worst_subject_accuracy)}",
            number(100 * row.difference_to_control, sign=True),
        ]
        for row in rows
    ]
    return Table(
        f"{first.source} -> {first.target}, {first.scheme}, {first.windows} windows, "
        f"{first.seeds} seeds",
        ("extractor", "accuracy, %", "sd", "worst subject", "points to control"),
        lines,
    )


def _extractor(
    variant: str, name: ExtractorName, task: Task, folders: Folders, show: Show
) -> Extractor:
    network = backbone(name.backbone)
    if variant == "distilled":
        model, normalize = distill(
            task.pretraining_recordings(),
            task.shape.samples,
            DistillSettings(backbone=name.backbone),
            name.seed,
            lambda epoch, epochs: show(f"distilling, epoch {epoch} of {epochs}", epoch / epochs),
        )
        return Extractor(network, model, normalize)
    if variant == "supervised":
        pretrained, _ = pretrained_extractor(name, task, folders, show)
        return Extractor(network, pretrained.model(), pretrained.card.normalize)
    rng = np.random.default_rng(name.seed)
    if variant == "random_varied":
        x = varied_windows(
            task.pretraining_recordings(), task.shape.samples, _STATISTICS_WINDOWS, rng
        )
        return random_extractor(network, x, name.seed)
    x = task.windows.for_subjects(task.split.pretrain).x
    few = rng.permutation(len(x))[:_STATISTICS_WINDOWS]
    return random_extractor(network, x[few], name.seed)


def random_extractor(network: Backbone, x: Array, seed: int) -> Extractor:
    """A control: the network as initialized, with the batch statistics of windows x (N, T, C)."""
    seed_everything(seed)
    model = network.build(x.shape[1], x.shape[2], 2, 0.0)
    normalize = fit_normalization(x)
    set_batch_statistics(model, normalize(x))
    return Extractor(network, model, normalize)


def probe(extractor: Extractor, task: Task, seed: int) -> Array:
    """Whether the classifier fitted on the split's training subjects is right: bool (N,), over the
    windows of the test subjects in their order.

    It learns from the windows as they are and from augmented copies, by the target's recipe; the
    penalty is the one that does best on the validation subjects.
    """
    rng = np.random.default_rng(seed)
    training = task.windows.for_subjects(task.split.train)
    validation = task.windows.for_subjects(task.split.validation)
    test = task.windows.for_subjects(task.split.test)
    strength = recipe(task.dataset.name, extractor.network.name).augmentation
    copies = [training.x, *(augment(training.x, rng, strength) for _ in range(_AUGMENTED_COPIES))]
    labels = np.tile(training.y, len(copies))
    # All at once: TensorFlow traces the network again for every call.
    everything = extractor(np.concatenate([*copies, validation.x, test.x]))
    features, shown, asked = np.split(everything, [len(labels), len(labels) + len(validation)])
    best: tuple[float, Array, Array] | None = None
    for penalty in PENALTIES:  # strongest first, and an equal one does not replace it
        weights, bias = fit_head(features, labels, len(task.windows.activities), l2=penalty)
        accuracy = float(((shown @ weights.T + bias).argmax(1) == validation.y).mean())
        if best is None or accuracy > best[0]:
            best = (accuracy, weights, bias)
    assert best is not None
    right: Array = (asked @ best[1].T + best[2]).argmax(1) == test.y
    return right


def _rows(
    request: TransferRequest,
    scheme: str,
    count: int,
    right: dict[str, list[Array]],
    subjects: Array,
) -> Iterator[TransferRow]:
    control = max(float(np.mean(right[variant])) for variant in CONTROLS)
    for variant, hits in right.items():
        by_seed = np.mean(hits, axis=1)  # (seeds,)
        by_window = np.mean(hits, axis=0)  # (N,)
        subjects_accuracy = {
            str(name): float(by_window[subjects == name].mean()) for name in np.unique(subjects)
        }
        worst = worst_of(subjects_accuracy)
        yield TransferRow(
            variant=variant,
            source=request.source,
            target=request.target,
            backbone=request.backbone,
            scheme=scheme,
            accuracy=round(float(by_seed.mean()), 6),
            sd=round(float(by_seed.std(ddof=1)) if len(by_seed) > 1 else 0.0, 6),
            worst_subject=worst,
            worst_subject_accuracy=round(subjects_accuracy[worst], 6),
            seeds=request.seeds,
            folds=count,
            windows=len(subjects),
            difference_to_control=round(float(by_seed.mean()) - control, 6),
        )

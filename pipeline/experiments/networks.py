"""One run: a network for one data set, backbone, split and seed, made or found again.

Everything that costs time is kept, so an evaluation that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.bundle import Bundle, load_bundle
from pipeline.core.digests import sources_digest
from pipeline.core.errors import InputError
from pipeline.training import Pretrained, load_pretrained
from pipeline.training.shipped import DIRECTORY, ExtractorName, recipe
from pipeline.training.task import Task

_PIPELINE = Path(__file__).resolve().parents[1]
# The packages that make a bundle of pretrained weights.
_SOURCES = tuple(
    f"{room}/**/*.py" for room in ("bundle", "compiler", "data", "head", "models", "training")
)
# Of the time that a run takes which begins from nothing.
_PRETRAINING = 0.9

Show = Callable[[str, float], None]


def describes(run: ExtractorName, bundle: Bundle, task: Task) -> bool:
    """Whether ``bundle`` is the network of this run: same names, same subjects, same windows."""
    made, split = bundle.provenance, task.split
    return (
        (made.dataset, made.backbone, made.split, made.seed)
        == (run.dataset, run.backbone, split.name, run.seed)
        and made.train_subjects == list(split.train)
        and made.validation_subjects == list(split.validation)
        and made.test_subjects == list(split.test)
        and bundle.activities == list(task.windows.activities)
        and bundle.window_samples == task.windows.x.shape[1]
    )


@dataclass(frozen=True)
class Folders:
    """``shipped``: weights that come with the project; ``pretrained``: weights trained here;
    ``runs``: bundles made here. `ExtractorName.path` says where in each."""

    pretrained: Path
    runs: Path
    shipped: Path = DIRECTORY

    def weights(self, run: ExtractorName) -> Path:
        """The shipped weights of a run where there are any, else those to train here."""
        shipped = run.path(self.shipped)
        return shipped if shipped.exists() else run.path(self.pretrained)


@dataclass(frozen=True)
class Prepared:
    """A bundle on the disk; ``weights``: where its extractor is from, as `RunReport` has it."""

    directory: Path
    weights: str


def needs_pretraining(run: ExtractorName, folders: Folders) -> bool:
    """Whether `prepare` has to start from nothing, judging by the files."""
    return not folders.weights(run).exists()


def prepare(
    run: ExtractorName, task: Task, folders: Folders, show: Show = lambda *_: None
) -> Prepared:
    """Makes the bundle of a run, or takes the one that the same recipe made before.

    ``show(what is being done, share of this run done)`` is called as it goes on. Nothing but the
    final measuring inside `quantize` sees the test subjects. Raises InputError for shipped weights
    that are damaged or not of this split.
    """
    return prepare_all(run, task, folders, {"bundle": {}}, show)["bundle"]


def prepare_all(
    run: ExtractorName,
    task: Task,
    folders: Folders,
    kinds: Mapping[str, Mapping[str, Any]],
    show: Show = lambda *_: None,
) -> dict[str, Prepared]:
    """As `prepare`, for several bundles of one trained network: folder name -> arguments of
    `quantize`."""
    pretrained, origin = pretrained_extractor(
        run, task, folders, lambda text, share: show(text, _PRETRAINING * share)
    )
    home = run.path(folders.runs).with_suffix("")
    fingerprint = _fingerprint(pretrained, task)
    missing = [name for name in kinds if not _is_made_by(fingerprint, home / name)]
    if missing:
        from pipeline.bundle.quantize import quantize
        from pipeline.training import train

        show("training the classifier", _PRETRAINING)
        trained = train(pretrained, task.without_test(), run.seed)
        full: dict[str, bytes] = {}
        for name in missing:
            show("quantizing", 0.95)
            quantize(trained, task, home / name, full=full, **kinds[name])
            _note_of(home / name).write_text(fingerprint + "\n")
        _forget_graphs()
    return {name: Prepared(home / name, origin) for name in kinds}


def pretrained_extractor(
    run: ExtractorName, task: Task, folders: Folders, show: Show = lambda *_: None
) -> tuple[Pretrained, str]:
    """The extractor of a run and where it comes from: shipped, trained here before, or now.

    ``show(what is being done, share done)``. Raises InputError for shipped weights that are
    damaged or not of this split; such weights of one's own are made again.
    """
    path = folders.weights(run)
    if path == run.path(folders.shipped):
        shipped = load_pretrained(path)
        if not _is_of(shipped, run, task):
            raise InputError(
                f"{path}: its card names another data set, backbone or split than "
                f"{run.dataset}, {run.backbone}, {task.split.name}, seed {run.seed}; "
                "remove it or pretrain again"
            )
        return shipped, "shipped"
    try:
        own = load_pretrained(path)
        if _is_of(own, run, task):
            return own, "trained here"
    except InputError:
        pass  # absent, or left by another version: made again

    from pipeline.training.pretrained import pretrain_extractor

    settings = recipe(run.dataset, run.backbone)

    def on_epoch(epoch: int, accuracy: float) -> None:
        text = f"pretraining, epoch {epoch} of {settings.epochs}, validation {accuracy:.3f}"
        show(text, epoch / settings.epochs)

    show(f"pretraining, epoch 1 of {settings.epochs}", 0.0)
    pretrain_extractor(task.without_test(), settings, run.seed, path, on_epoch)
    _forget_graphs()
    return load_pretrained(path), "trained here"


def _is_of(pretrained: Pretrained, run: ExtractorName, task: Task) -> bool:
    card, split = pretrained.card, task.split
    return (
        (card.dataset, card.backbone, card.split, card.seed)
        == (run.dataset, run.backbone, split.name, run.seed)
        and card.subjects == list(split.pretrain)
        and card.validation_subjects == list(split.validation)
        and card.dataset_sha256 in ("", task.dataset.sha256)
    )


def _fingerprint(pretrained: Pretrained, task: Task) -> str:
    """SHA-256 over the pretrained weights' hash, the data set's and the sources that make a bundle
    of them, so that no figure is of yesterday's code or of an import that was replaced."""
    data = task.dataset
    made_of = (pretrained.card.weights_sha256, data.sha256, data.activities, data.rate_hz)
    sources = sources_digest(_PIPELINE, _SOURCES)
    return hashlib.sha256(repr((made_of, sources)).encode()).hexdigest()


def _note_of(directory: Path) -> Path:
    return directory.with_name(directory.name + ".fingerprint")


def _is_made_by(fingerprint: str, directory: Path) -> bool:
    try:
        load_bundle(directory)
        return _note_of(directory).read_text().strip() == fingerprint
    except (InputError, OSError):
        return False


def _forget_graphs() -> None:
    """TensorFlow keeps what every model left after; many runs in one process need that gone."""
    import tf_keras

    tf_keras.backend.clear_session()

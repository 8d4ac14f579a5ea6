"""`har train`: a new classifier after the cut of a frozen pretrained extractor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.errors import InputError
from pipeline.core.types import Array
from pipeline.data import Windows, identities, thin
from pipeline.models import FloatHead, backbone, load_sealed_weights
from pipeline.models.weights import read_card, save_sealed
from pipeline.training.augment import augment
from pipeline.training.classifier import fit_head
from pipeline.training.inputs import NetworkCard
from pipeline.training.metrics import score
from pipeline.training.pretrain import balance_weights
from pipeline.training.pretrained import Pretrained, PretrainedCard
from pipeline.training.seeds import seed_everything
from pipeline.training.shipped import recipe
from pipeline.training.task import OwnRecordings, Task

WEIGHTS = "weights.npz"
CARD = "train.json"
_AUGMENTED_COPIES = 2


class TrainCard(NetworkCard):
    """What train.json says about the weights next to it. ``bundle``: the shipped network whose
    extractor it has, "" for another; ``placement``: where the sensor sat, "" for unknown."""

    bundle: str = ""
    placement: str
    hop_samples: int
    train_subjects: list[str]
    test_subjects: list[str]
    train_windows: int
    pretrained_sha256: str
    own: OwnRecordings | None = None

    @classmethod
    def of(cls, extractor: PretrainedCard, task: Task, seed: int) -> TrainCard:
        """The card of a head that learns ``task`` after ``extractor``, before any training."""
        return cls(
            backbone=extractor.backbone,
            placement=task.dataset.placement,
            dataset=task.dataset.name,
            split=task.split.name,
            seed=seed,
            activities=list(task.windows.activities),
            rate_hz=task.dataset.rate_hz,
            window_samples=extractor.window_samples,
            hop_samples=task.shape.hop,
            knee=extractor.knee,
            mean=extractor.mean,
            std=extractor.std,
            spectrogram=extractor.spectrogram,
            train_subjects=list(task.split.train),
            validation_subjects=list(task.split.validation),
            test_subjects=list(task.split.test),
            train_windows=len(task.training),
            validation_accuracy=0.0,
            pretrained_sha256=extractor.weights_sha256,
            weights_sha256="",
            own=task.own,
        )


@dataclass(frozen=True)
class TrainedModel:
    """A trained network: its card and the tf_keras model (network inputs -> logits)."""

    card: TrainCard
    model: Any

    def extractor(self, cut: str) -> Any:
        """The frozen part before ``cut``. Raises InputError for a cut that the backbone does not
        have."""
        return backbone(self.card.backbone).extractor(self.model, cut)

    def head(self, cut: str) -> FloatHead:
        """The part after ``cut``. Raises InputError as `extractor`."""
        return backbone(self.card.backbone).float_head(self.model, cut)

    def features(self, x: Array) -> Array:
        """Raw windows (N, T, 6) -> float32 activations at cut `fc` (N, F), stage by stage."""
        return backbone(self.card.backbone).features(self.model, self.network_input(x))

    def pointwise_inputs(self, x: Array) -> Array:
        """Raw windows (N, T, 6) -> what the last pointwise convolution reads, float32 (N, T', 1,
        C)."""
        frozen = self.extractor("fxc1")
        outputs = frozen.predict(self.network_input(x), batch_size=512, verbose=0)
        return np.asarray(outputs[-1])

    def network_input(self, x: Array) -> Array:
        """Raw windows (N, T, 6) -> (N, T, 1, 6), or pictures (N, S, S, planes), normalized as in
        training."""
        return self.card.normalize(x)


def train(pretrained: Pretrained, task: Task, seed: int) -> TrainedModel:
    """Fit the head for cut `fc` on the task's training subjects.

    The extractor stays bit for bit as pretrained. Features come from the windows as they are and
    from seeded augmented copies. Raises InputError when training subjects lack an activity or the
    windows do not fit the extractor.
    """
    card, split, activities = pretrained.card, task.split, task.windows.activities
    length, rate_hz = task.windows.x.shape[1], task.dataset.rate_hz
    if length != card.window_samples or rate_hz != card.rate_hz:
        raise InputError(
            f"windows of {length} samples at {rate_hz:g} Hz do not fit the pretrained "
            f"extractor ({card.window_samples} at {card.rate_hz:g} Hz)"
        )
    judging = identities(task.dataset.name, (*split.validation, *split.test))
    leaked = identities(card.dataset, card.subjects) & judging
    if leaked:
        raise InputError(
            f"the extractor was pretrained on validation or test subjects of split {split.name} "
            f"({', '.join(sorted(leaked))}); pretrain with this split"
        )
    training = task.training
    missing = set(range(len(activities))) - set(training.y.tolist())
    if missing:
        names = ", ".join(activities[i] for i in sorted(missing))
        raise InputError(f"no training windows of {names}; record some or leave it out")

    seed_everything(seed)
    rng = np.random.default_rng(seed)
    settings = recipe(task.dataset.name, card.backbone)
    if settings.draws:
        kept = thin(training.subjects, training.y, settings.draws // 2)
        training = training.subset(kept)
    network = backbone(card.backbone)
    frozen = pretrained.model()
    copies = [training.x] + [
        augment(training.x, rng, settings.augmentation) for _ in range(_AUGMENTED_COPIES)
    ]
    features = np.concatenate([network.features(frozen, card.normalize(x)) for x in copies])
    labels = np.tile(training.y, len(copies))
    shares = None
    if settings.draws:
        shares = np.tile(balance_weights(training.y, training.subjects) / len(copies), len(copies))
    weights, bias = fit_head(features, labels, len(activities), shares=shares)
    bias[np.isin(activities, settings.doubted)] -= np.float32(settings.doubt)
    model = network.with_head(frozen, weights, bias)
    made = TrainedModel(TrainCard.of(card, task, seed), model)
    return replace(made, card=made.card.model_copy(update=validated(made, task.validation)))


def validated(trained: TrainedModel, validation: Windows) -> dict[str, float]:
    """What its card says of the validation subjects' windows; 0 where nobody validates."""
    if not len(validation):
        return {"validation_accuracy": 0.0}
    logits = trained.model.predict(trained.network_input(validation.x), batch_size=512, verbose=0)
    scores = score(validation.y, logits.argmax(1), validation.subjects, len(validation.activities))
    return {"validation_accuracy": round(scores.accuracy, 6)}


def save_trained(trained: TrainedModel, directory: Path) -> TrainCard:
    """Write weights.npz and train.json into ``directory``. Raises as `save_sealed`."""
    return save_sealed(
        trained.model,
        directory / WEIGHTS,
        directory / CARD,
        lambda sha256: trained.card.model_copy(update={"weights_sha256": sha256}),
    )


def load_trained(directory: Path) -> TrainedModel:
    """Reads what `save_trained` wrote; InputError for anything missing or changed."""
    card = read_card(TrainCard, directory / CARD, "run `har train`")
    path = directory / WEIGHTS
    arrays = load_sealed_weights(path, card.weights_sha256, CARD, "train again")
    return TrainedModel(card, card.build(arrays, str(path)))

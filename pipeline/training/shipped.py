"""The extractors that the project ships, and the recipe that each data set is pretrained with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipeline.models import backbone as find_backbone
from pipeline.models.images import parse
from pipeline.training.augment import Augmentation
from pipeline.training.corpora import CORPORA
from pipeline.training.inputs import LINEAR
from pipeline.training.pretrain import PretrainSettings

DIRECTORY = Path(__file__).resolve().parents[2] / "data" / "pretrained"
# Where the extractors go that the project does not ship.
MADE_HERE = Path("build/pretrained")
# By network over pictures: epochs, windows a step, the peak rate, dropout. The deep ones, whose
# last maps are a pixel small, learn slowly from noise: with a dropout of 0.3, or at 4e-3 with half
# of the steps, MobileNetV2 stays at 80 % of its own training windows.
_IMAGE_TRAINING = {
    "smallcnn": (8, 64, 2e-3, 0.3),
    "squeezenet": (16, 64, 4e-3, 0.3),
    "mobilenetv2": (20, 32, 1.2e-2, 0.0),
    "efficientnetb0": (16, 32, 5e-3, 0.0),
    "efficientnetb2": (16, 32, 5e-3, 0.0),
}
_OTHER_IMAGE_TRAINING = (12, 64, 2e-3, 0.3)
_ANOTHER_IMAGE_NETWORK = "vgg16"


@dataclass(frozen=True)
class ExtractorName:
    """What identifies a pretrained extractor."""

    dataset: str = "hapt"
    backbone: str = "dscnn"
    scheme: str = "official"
    fold: int = 0
    seed: int = 0

    def path(self, directory: Path = DIRECTORY) -> Path:
        """E.g. ``directory/hapt/dscnn/official-0-seed0.npz``, its card as .json."""
        return self.kind(directory) / f"{self.scheme}-{self.fold}-seed{self.seed}.npz"

    def kind(self, directory: Path) -> Path:
        """The folder of all extractors of this data set and backbone."""
        return directory / self.dataset.replace("+", "_") / self.backbone.replace(":", "_")


def shipped() -> tuple[ExtractorName, ...]:
    """What lies in data/pretrained: for both sizes three seeds of the official split, and for the
    default one the five folds by subject."""
    official = [
        ExtractorName(backbone=backbone, seed=seed)
        for backbone in ("dscnn", "dscnn_small")
        for seed in range(3)
    ]
    folds = [ExtractorName(scheme="5-fold", fold=fold) for fold in range(5)]
    return (*official, *folds)


def folder_of(name: ExtractorName) -> Path:
    """Where `har pretrain` puts an extractor that is made with labels."""
    return DIRECTORY if name in shipped() else MADE_HERE


def find_extractor(name: ExtractorName) -> Path:
    """The weights of ``name``: the shipped ones, else those made here, which may be missing."""
    ours = name.path(DIRECTORY)
    return ours if ours.exists() else name.path(MADE_HERE)


def recipe(dataset: str, backbone: str) -> PretrainSettings:
    """The settings that `har pretrain` takes for a data set, chosen on its validation subjects.

    Watch: either arm wears it, so half of the windows are mirrored; ten subjects are few, so it
    takes more epochs; and sway identifies no exercise, so that no channel is companded.

    Networks over pictures cost more an epoch and need fewer.
    """
    settings = PretrainSettings(backbone=backbone)
    image = find_backbone(backbone).image is not None
    if image:
        epochs, batch, rate, dropout = _IMAGE_TRAINING.get(
            parse(backbone).network, _OTHER_IMAGE_TRAINING
        )
        settings = replace(settings, epochs=epochs, batch=batch, peak_rate=rate, dropout=dropout)
    for corpus in CORPORA.values():
        if dataset == corpus.dataset:
            return replace(corpus.settings, backbone=backbone)
    if dataset == "watch":
        epochs = 2 * settings.epochs if image else 40
        return replace(settings, epochs=epochs, knee=LINEAR, augmentation=Augmentation(mirror=True))
    return settings


def recipes_digest() -> str:
    """Of all recipes, 16 hex digits: cached results carry it to say which ones made them."""
    names = ("dscnn", *_IMAGE_TRAINING, _ANOTHER_IMAGE_NETWORK)
    recipes = [asdict(recipe(dataset, name)) for dataset in ("hapt", "watch") for name in names]
    return hashlib.sha256(json.dumps(recipes, sort_keys=True).encode()).hexdigest()[:16]

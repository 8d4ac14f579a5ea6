"""What the firmware around a network takes, measured: an image with the whole application is
linked, and what belongs to the network in it is taken off."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from pipeline.bundle.emit import emit
from pipeline.bundle.footprint import Application, Footprint
from pipeline.bundle.quantize import quantize
from pipeline.experiments.variants.task import Material
from pipeline.head.memory import STORE_PAGES_LEAST
from pipeline.sim.build import UNBOUNDED, build_image
from pipeline.training import Pretrained
from pipeline.training.task import HOP_SAMPLES
from pipeline.training.train import TrainCard, TrainedModel

REPLAY_WINDOWS = 12
"""Labelled windows that the learner keeps in the image; a large network leaves room for few."""
EXEMPLARS = 1
"""Training subjects' windows of each activity in the image."""

_NET = r"har_net\.c\.o|har_kernels"
# Only sizes are asked for; training subjects must show every activity.
_TRAINING_WINDOWS, _OTHER_WINDOWS = 240, 24


def measure_around(pretrained: Pretrained, material: Material, path: Path) -> None:
    """Links the application with this network's extractor, learning at cut ``fc``, and writes
    `Application` to ``path``. Raises CheckFailed for a network that the engine does not take,
    ExternalError
    where the Arm tools are missing."""
    with tempfile.TemporaryDirectory(prefix="har-around-") as scratch:
        folder = Path(scratch)
        few = material.thinned(_TRAINING_WINDOWS, _OTHER_WINDOWS)
        bundle = quantize(
            _trained(pretrained, few),
            few.task.windows,
            few.task.split,
            folder / "bundle",
            replay=REPLAY_WINDOWS,
            exemplars=EXEMPLARS,
        )
        emit(bundle, folder / "generated")
        image = build_image(UNBOUNDED, "mps2", folder / "build", folder / "generated")
        around = Application(
            flash_bytes=image.sizes.flash_bytes - image.map.flash_bytes_from(_NET),
            ram_bytes=image.sizes.ram_bytes - bundle.compiled.arena_bytes,
            store_pages=bundle.learning_memory.store_pages,
        )
    path.write_text(json.dumps(asdict(around)))


def read_around(path: Path) -> Application:
    """What `measure_around` wrote."""
    return Application(**json.loads(path.read_text()))


NOTHING = Application(flash_bytes=0, ram_bytes=0, store_pages=STORE_PAGES_LEAST)
"""What does not fit even so fits in no case."""


def too_large(fit: Footprint, *, alone: bool = False) -> list[str]:
    """What does not fit, a sentence each. ``alone``: nothing of ours is around the network."""
    around = "the board's own software" if alone else "the firmware around it"
    return [
        f"Does not fit {fit.board} by engine {fit.engine}: with {around}, it takes "
        f"{use.used:,} of {use.limit:,} bytes of {what}."
        for what, use in fit.excess.items()
    ]


def _trained(pretrained: Pretrained, material: Material) -> TrainedModel:
    """The network as `har train` would hand it on."""
    card, split = pretrained.card, material.task.split
    shared = set(TrainCard.model_fields) & set(type(card).model_fields)
    return TrainedModel(
        TrainCard.model_validate(
            {
                **{name: getattr(card, name) for name in shared},
                "hop_samples": HOP_SAMPLES,
                "train_subjects": list(split.train),
                "validation_subjects": list(split.validation),
                "test_subjects": list(split.test),
                "train_windows": len(material.training),
                "pretrained_sha256": card.weights_sha256,
            }
        ),
        pretrained.model(),
    )

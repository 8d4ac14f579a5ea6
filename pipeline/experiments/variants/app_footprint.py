"""What the firmware around a network takes, measured: an image with the whole application is
linked, and what belongs to the network in it is taken off."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pipeline.bundle.emit import emit
from pipeline.bundle.fit import TFLM_RUNTIME_FLASH_BYTES, learning_memory_of
from pipeline.bundle.quantize import quantize
from pipeline.experiments.variants.task import Material
from pipeline.sim.boards import NANO33BLE, STORE_PAGES_LEAST, Board
from pipeline.sim.build import UNBOUNDED, build_image
from pipeline.training import Pretrained
from pipeline.training.task import HOP_SAMPLES
from pipeline.training.train import TrainCard, TrainedModel

REPLAY_WINDOWS = 12
"""Labelled windows that the learner keeps in the image; a large network leaves room for few."""
EXEMPLARS = 1
"""Training people's windows of each activity in the image."""

_NET = r"har_net\.c\.o|har_kernels"
# Only sizes are asked for; training people must show every activity.
_TRAINING_WINDOWS, _OTHER_WINDOWS = 240, 24


@dataclass(frozen=True)
class Around:
    """Bytes of the application without the network, stack's reserve included, and the pages of the
    flash that keep what it learns."""

    flash_bytes: int
    ram_bytes: int
    store_pages: int


@dataclass(frozen=True)
class BoardFit:
    """``flash_bytes`` and ``ram_bytes`` of all that is on the board with the network, and what is
    left for it."""

    engine: Literal["compiled", "tflm"]
    flash_bytes: int
    flash_limit_bytes: int
    ram_bytes: int
    ram_limit_bytes: int

    @property
    def fits(self) -> bool:
        """Both."""
        return self.flash_bytes <= self.flash_limit_bytes and self.ram_bytes <= self.ram_limit_bytes

    def limits(self, *, alone: bool = False, board: Board = NANO33BLE) -> list[str]:
        """What is too much, a sentence each. ``alone``: nothing of ours is around it."""
        around = "the board's own software" if alone else "the firmware around it"
        each = (
            ("flash", self.flash_bytes, self.flash_limit_bytes),
            ("RAM", self.ram_bytes, self.ram_limit_bytes),
        )
        return [
            f"Does not fit {board.name} by engine {self.engine}: with {around}, it takes "
            f"{used:,} of {limit:,} bytes of {what}."
            for what, used, limit in each
            if used > limit
        ]


def measure_around(pretrained: Pretrained, material: Material, path: Path) -> None:
    """Links the application with this network's extractor, learning at cut ``fc``, and writes
    `Around` to ``path``. Raises CheckFailed for a network that the engine does not take,
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
        around = Around(
            flash_bytes=image.sizes.flash_bytes - image.map.flash_bytes_from(_NET),
            ram_bytes=image.sizes.ram_bytes - bundle.compiled.arena_bytes,
            store_pages=learning_memory_of(bundle).store_pages,
        )
    path.write_text(json.dumps(asdict(around)))


def read_around(path: Path) -> Around:
    """What `measure_around` wrote."""
    return Around(**json.loads(path.read_text()))


NOTHING = Around(flash_bytes=0, ram_bytes=0, store_pages=STORE_PAGES_LEAST)
"""What does not fit even so fits in no case."""


def fit_compiled(
    around: Around, flash_bytes: int, ram_bytes: int, board: Board = NANO33BLE
) -> BoardFit:
    """With the compiled engine: ``flash_bytes`` of constants, code and kernels."""
    return _fit("compiled", around, flash_bytes, ram_bytes, board)


def fit_tflm(
    around: Around, file_bytes: int, arena_bytes: int, board: Board = NANO33BLE
) -> BoardFit:
    """With TFLite-Micro: the file, its runtime, and the arena."""
    return _fit("tflm", around, file_bytes + TFLM_RUNTIME_FLASH_BYTES, arena_bytes, board)


def _fit(
    engine: Literal["compiled", "tflm"], around: Around, flash: int, ram: int, board: Board
) -> BoardFit:
    return BoardFit(
        engine=engine,
        flash_bytes=around.flash_bytes + flash + board.core_flash_bytes,
        flash_limit_bytes=board.flash_limit_bytes(around.store_pages),
        ram_bytes=around.ram_bytes + ram + board.core_ram_bytes,
        ram_limit_bytes=board.ram_limit_bytes,
    )


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

"""What the firmware around a network takes, measured, and whether the board then takes both: an
image with the whole application is linked, and what belongs to the network is taken off."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.bundle.emit import emit
from pipeline.bundle.footprint import Application, Footprint, footprint
from pipeline.bundle.quantize import quantize
from pipeline.core.errors import CheckFailed, ExternalError
from pipeline.core.files import build_cached
from pipeline.experiments.variants.engines import EngineFigures
from pipeline.experiments.variants.networks import Base, VariantTask
from pipeline.head.memory import STORE_PAGES_LEAST
from pipeline.sim.build import UNBOUNDED, build_image
from pipeline.training import Pretrained
from pipeline.training.train import TrainCard, TrainedModel

REPLAY_WINDOWS = 12
"""Labelled windows that the learner keeps in the image; a large network leaves room for few."""
EXEMPLARS = 1
"""Training subjects' windows of each activity in the image."""
NOTHING = Application(flash_bytes=0, ram_bytes=0, store_pages=STORE_PAGES_LEAST)
"""What does not fit even so fits in no case."""

_NET = r"har_net\.c\.o|har_kernels"
# Only sizes are asked for; training subjects must show every activity.
_TRAINING_WINDOWS, _OTHER_WINDOWS = 240, 24


def surroundings(base: Base, task: VariantTask, keep: Path) -> tuple[Application | None, str]:
    """What the application takes around this network on a board, and, where it cannot be measured,
    why not. Only a reason that holds on any machine is kept: a tool that is missing may be there
    next time."""

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        try:
            content = asdict(measure_around(base.network, task))
        except CheckFailed as error:
            content = {"reason": _line(error)}
        (folder / "around.json").write_text(json.dumps(content))

    # Neither weights nor seed change what is linked around them.
    plain = replace(base.origin, seed=0, weights="none", source="", source_sha256="")
    try:
        path = build_cached(plain.folder(keep, kind="around"), make) / "around.json"
    except ExternalError as error:
        return None, _line(error)
    content = json.loads(path.read_text())
    return (None, content["reason"]) if "reason" in content else (Application(**content), "")


def measure_around(pretrained: Pretrained, task: VariantTask) -> Application:
    """Links the application with this network's extractor, learning at cut ``fc``. Raises
    CheckFailed for a network that the engine does not take, ExternalError where the Arm tools are
    missing."""
    few = task.thinned(_TRAINING_WINDOWS, _OTHER_WINDOWS, _OTHER_WINDOWS)
    card = TrainCard.of(pretrained.card, few, pretrained.card.seed)
    with tempfile.TemporaryDirectory(prefix="har-around-") as scratch:
        folder = Path(scratch)
        bundle = quantize(
            TrainedModel(card, pretrained.model()),
            few,
            folder / "bundle",
            replay=REPLAY_WINDOWS,
            exemplars=EXEMPLARS,
        )
        emit(bundle, folder / "generated")
        image = build_image(UNBOUNDED, "mps2", folder / "build", folder / "generated")
        return Application(
            flash_bytes=image.sizes.flash_bytes - image.map.flash_bytes_from(_NET),
            ram_bytes=image.sizes.ram_bytes - bundle.compiled.arena_bytes,
            store_pages=bundle.learning_memory.store_pages,
        )


def fit_on_board(
    application: Application, engines: EngineFigures, file_bytes: int
) -> Footprint | None:
    """By the compiled engine where it takes the file, else by TFLite-Micro, else by none."""
    flash, ram = engines.engine_flash_bytes, engines.engine_ram_bytes
    if flash is not None and ram is not None:
        return footprint(application, "compiled", flash, ram)
    if engines.arena_bytes is not None:
        return footprint(application, "tflm", file_bytes, engines.arena_bytes)
    return None


def fits_board(fit: Footprint | None, *, alone: bool, unmeasured: bool) -> bool | None:
    """None: not measured. ``fit``: by an engine that runs the file, None without any; ``alone``:
    with nothing of ours around it, as that was not measured; ``unmeasured``: the compiled engine
    may need less."""
    if fit and fit.fits:
        return None if alone else True
    return None if unmeasured else False


def too_large(fit: Footprint, *, alone: bool = False) -> list[str]:
    """What does not fit, a sentence each. ``alone``: nothing of ours is around the network."""
    around = "the board's own software" if alone else "the firmware around it"
    return [
        f"Does not fit {fit.board} by engine {fit.engine}: with {around}, it takes "
        f"{use.used:,} of {use.limit:,} bytes of {what}."
        for what, use in fit.excess.items()
    ]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

"""Write what ships of a network that was just trained."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.bundle.bundle import Metrics, file_sha256
from pipeline.bundle.convert import parameter_count, to_float, to_int8
from pipeline.bundle.factory_head import choose_exemplars
from pipeline.bundle.int8 import activation_scales, quantized
from pipeline.bundle.material import CARD, MEMORY, WEIGHTS, Activations, MaterialCard
from pipeline.bundle.quantize import interface_of, measured, representative
from pipeline.bundle.ready import rebuild
from pipeline.compiler import compile_model
from pipeline.core.files import write_npz
from pipeline.data import Windows
from pipeline.models import folded
from pipeline.models.weights import model_arrays, set_model_arrays, write_card
from pipeline.training import TrainedModel
from pipeline.training.task import Task, gravity_of

# Windows of each activity.
_TRAINING_KEPT = 24
_VALIDATION_KEPT = 12


def make_material(
    trained: TrainedModel,
    task: Task,
    folder: Path,
    placement: str,
    judged: str,
    metrics: Metrics | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> MaterialCard:
    """Write into ``folder``, whose name is the network's, what ships of a network that was trained
    on ``task``. ``metrics`` None: those on the test subjects; ``judged`` says on whom they were
    measured. The trained model's batch norms are folded on the way.

    Raises ExternalError where nothing may be written.
    """
    arrays = folded(model_arrays(trained.model))
    set_model_arrays(trained.model, arrays, "the folded network")
    training, seed = task.training, trained.card.seed
    inputs = trained.network_input(representative(training, seed))
    on_step("converting")
    activations = Activations(
        full=activation_scales(to_int8(trained.model, inputs)),
        extractor=activation_scales(to_int8(trained.extractor("fc"), inputs)),
    )
    extractor = quantized(to_float(trained.extractor("fc")), activations.extractor)
    compiled = compile_model(extractor)
    interface = interface_of(compiled, trained.card)
    on_step("choosing what to keep")
    kept = {}
    for side, windows, each in (
        ("training", training, _TRAINING_KEPT),
        ("validation", task.validation, _VALIDATION_KEPT),
    ):
        chosen = choose_exemplars(windows.y, windows.subjects, each, seed)
        people = np.unique(windows.subjects[chosen], return_inverse=True)[1]
        kept[f"{side}_windows"] = interface.run(extractor, windows.x[chosen])
        kept[f"{side}_activities"] = windows.y[chosen].astype(np.uint8)
        kept[f"{side}_subjects"] = people.astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    write_npz(folder / WEIGHTS, arrays)
    write_npz(folder / MEMORY, kept)
    card = MaterialCard(
        **{
            **trained.card.model_dump(),
            "bundle": folder.name,
            "placement": placement,
            "weights_sha256": file_sha256(folder / WEIGHTS),
        },
        judged=judged,
        activations=activations,
        gravity=_gravity(training),
        metrics=metrics,
        parameters=parameter_count(to_float(trained.model)),
        macs=compiled.macs,
        bytes=len(extractor),
        memory_sha256=file_sha256(folder / MEMORY),
        model_id="0" * 16,
    )
    with tempfile.TemporaryDirectory() as scratch:
        on_step("measuring")
        write_card(folder / CARD, card)
        if metrics is None:
            bundle = rebuild(folder.name, Path(scratch) / "measured", folder.parent)
            found = measured(trained, bundle.extractor, bundle, bundle.new_head(), task.test)
            write_card(folder / CARD, card := card.model_copy(update={"metrics": found}))
        bundle = rebuild(folder.name, Path(scratch) / "bundle", folder.parent)
    card = card.model_copy(update={"model_id": bundle.model_id})
    write_card(folder / CARD, card)
    return card


def _gravity(training: Windows) -> dict[str, tuple[float, float, float]]:
    found = {}
    for number, name in enumerate(training.activities):
        x, y, z = np.round(gravity_of(training, number), 4).tolist()
        found[name] = (x, y, z)
    return found

"""Jobs of a run: what each is, what it costs, and how it is done. A job is a small JSON object, so
that any worker can take it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.experiments.fxcy.device_learner import CUTS, learn_on_device
from pipeline.experiments.fxcy.domains import Domain, load_domain
from pipeline.experiments.fxcy.energy import count_cost
from pipeline.experiments.fxcy.learn import CaseNetwork, case_network, learn
from pipeline.experiments.fxcy.settings import FC, LAST_DENSE, SCRATCH, WHOLE, Preset, preset
from pipeline.experiments.fxcy.sources import (
    SourceNetwork,
    needs_making,
    source_accuracy,
    source_network,
)
from pipeline.models import Backbone
from pipeline.models import backbone as find_backbone
from pipeline.models.cases import convolutions
from pipeline.models.graph import layer_macs, output_floats

SOURCE, CASE, DEVICE = "source", "case", "device"

# Labelled windows that a board stores by default (`har quantize --replay`).
_BOARD_REPLAY = 36
# Of the passes through a network that a trained window takes, what one through its frozen part is.
_FORWARD = 0.3
_DEVICE_SECONDS = 25.0


@dataclass(frozen=True)
class Options:
    """Of a whole run. ``epochs``, ``windows``: in place of the preset's, None: as it has them;
    ``folder``: where source networks are kept."""

    folder: Path
    quick: bool = False
    epochs: int | None = None
    windows: int | None = None

    def preset(self, backbone: str) -> Preset:
        """The settings of a network in this run."""
        found = preset(backbone, self.quick)
        learning = found.learning
        if self.epochs is not None:
            learning = replace(learning, epochs=self.epochs)
        if self.windows is not None:
            learning = replace(learning, train_windows=self.windows, test_windows=self.windows)
        return replace(found, learning=learning)


def run_job(options: Options, job: dict[str, Any]) -> dict[str, Any]:
    """Does one job. Raises InputError for names that are none, ExternalError where data cannot be
    fetched or the device's learner cannot be built."""
    settings = options.preset(job["backbone"])
    source = _source(job["source"], job["data"][0], job["backbone"], options)
    if job["kind"] == SOURCE:
        accuracy = source_accuracy(source, job["source"], job["backbone"], settings.learning)
        return {"accuracy": round(accuracy, 6), "weights": source.weights}
    target = _target(job["target"], settings.learning.train_windows, settings.learning.test_windows)
    if job["kind"] == DEVICE:
        assert source.pretrained is not None
        folder = options.folder / "device"
        return learn_on_device(source.pretrained, target, job["case"], job["seed"], folder)
    network = case_network(
        job["backbone"],
        job["case"],
        target.train.x.shape[1],
        target.train.x.shape[-1],
        len(target.activities),
    )
    inputs = source.inputs
    if job["case"] == SCRATCH:
        inputs = own_inputs(job["backbone"], target)
    learned = learn(network, source.arrays, inputs, target, settings.learning, job["seed"])
    if not math.isfinite(sum(learned["loss_curve"])):
        return {"refused": "its loss is no finite number any more"}
    return {
        **learned,
        **counts(job["backbone"], network, len(target.activities)),
        "train_windows": len(target.train),
        "test_windows": len(target.test),
    }


def own_inputs(backbone: str, target: Domain) -> Any:
    """How a network that owes nothing to a source reads the target: by its training windows."""
    from pipeline.experiments.fxcy.domains import fit_photo_input
    from pipeline.training.inputs import fit_input
    from pipeline.training.shipped import recipe

    image = find_backbone(backbone).image
    if target.kind == "image":
        assert image is not None
        return fit_photo_input(target.train.x, image.pixels, image.planes)
    return fit_input(image, target.train.x, recipe(target.name, backbone).knee)


def counts(backbone: str, network: CaseNetwork, activities: int) -> dict[str, Any]:
    """The case's figures that no seed changes."""
    model = network.model
    floats = {**output_floats(model), model.input_names[0]: math.prod(model.input_shape[1:])}
    cost = count_cost(model, network.trained, layer_macs(model), floats)
    board = board_bytes(find_backbone(backbone), model, network.case, activities)
    return {
        "energy_nj": cost.energy_nj,
        "training_energy_nj": cost.training_energy_nj,
        "trained_layers": len(network.extractor_layers),
        "trainable_parameters": cost.parameters,
        "device_bytes": cost.memory_bytes if board is None else board,
        "board_learns": board is not None,
        "convolutions": len(convolutions(model)),
    }


def board_bytes(network: Backbone, model: Any, case: str, activities: int) -> int | None:
    """RAM that the firmware's learner takes for this case, with as many labelled windows as it
    keeps by default; None where it does not have the case."""
    from pipeline.head import HeadShape
    from pipeline.head.memory import learning_memory

    if network.image is not None or case not in CUTS:
        return None
    head = network.float_head(model, case)
    shape = HeadShape(
        features=head.weights.shape[1],
        rows=activities,
        frozen=head.frozen,
        map_length=head.map_length,
        channels=head.channels,
        filters=head.filters,
        kernel=head.kernel,
        stride=head.stride,
    )
    return learning_memory(shape, activities, _BOARD_REPLAY, 0).ram_bytes


def seconds_of(options: Options, job: dict[str, Any]) -> float:
    """About what a job takes on one core: only the time left is guessed from it."""
    settings = options.preset(job["backbone"])
    learning = settings.learning
    if job["kind"] == SOURCE:
        if not needs_making(job["source"], job["backbone"]):
            return settings.build_s
        return (
            settings.build_s + settings.source.epochs * settings.source.windows * settings.window_s
        )
    if job["kind"] == DEVICE:
        return _DEVICE_SECONDS
    share = _share(job["case"])
    passes = learning.epochs * (learning.train_windows + _FORWARD * learning.test_windows)
    frozen = _FORWARD * (learning.train_windows + learning.test_windows)
    return settings.build_s * (0.3 + 0.7 * share) + settings.window_s * (share * passes + frozen)


def _share(case: str) -> float:
    """Of a network's time, what a case learns with: the last convolutions are small."""
    if case in (LAST_DENSE, FC):
        return 0.02
    if case in (WHOLE, SCRATCH):
        return 1.0
    return min(0.9, 0.1 + 0.012 * int(case.removeprefix("fxc")))


@lru_cache(maxsize=1)
def _source(source: str, version: str, backbone: str, options: Options) -> SourceNetwork:
    learning = options.preset(backbone).source
    return source_network(source, version, backbone, learning, options.folder / "sources")


@lru_cache(maxsize=2)
def _target(name: str, train_windows: int, test_windows: int) -> Domain:
    return load_domain(name, train_windows=train_windows, test_windows=test_windows, progress=False)
